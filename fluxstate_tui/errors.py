"""The root of every error that a user may see."""

from __future__ import annotations

from fluxstate_tui.exits import ExitCode


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
