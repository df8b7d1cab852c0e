"""The root of every error that a user may see."""

from __future__ import annotations

from enum import IntEnum

# Exit codes, the same for every command (facts: restic's precedent; documented in the README).


class ExitCode(IntEnum):
    """What the process tells the shell."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NO_CONNECTION = 3
    NOT_FOUND = 4
    REFUSED = 5
    VERIFICATION = 6
    LOCKED = 7
    UNKNOWN = 8
    INTERRUPTED = 130


class FluxstateError(Exception):
    """An error with everything a user needs: what happened, what is safe, and what to do.

    `message` is one sentence. `safe` says what was not touched. `advice` says what to do next.
    """

    exit_code: ExitCode = ExitCode.FAILURE

    def __init__(
        self,
        message: str,
        *,
        safe: str = "",
        advice: str = "",
        exit_code: ExitCode | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.safe = safe
        self.advice = advice
        if exit_code is not None:
            self.exit_code = exit_code


def said(error: Exception) -> str:
    """What people are told of it; of what nobody foresaw, that it is a bug of ours."""
    if isinstance(error, FluxstateError):
        return error.message
    if isinstance(error, OSError):
        return str(error) or type(error).__name__
    return f"a bug in fluxstate-tui: {type(error).__name__}: {error}"
