"""The end of a reading that nobody waits for any more."""

from __future__ import annotations

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode


class ReadingCancelledError(FluxstateError):
    """Whoever asked for the archive does not want it any more."""

    exit_code = ExitCode.INTERRUPTED
