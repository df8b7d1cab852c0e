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
