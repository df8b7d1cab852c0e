"""The program's own log: a file in the user's state directory, never the terminal.

What is shown to a user is said by a command or a screen, in words for a user. Warnings and
tracebacks of this program, of asyncio and of the libraries go here.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging.handlers import RotatingFileHandler


FILE = "fluxstate-tui.log"
# Bytes of one file; one older file is kept beside it.
LARGEST = 1_000_000
FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
# A log is looked at with `cat`: what came from a cluster must not steer the terminal.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROLS.pop(ord("\n"))
_CONTROLS.pop(ord("\t"))


class LogFile(logging.Handler):
    """Opens its file with the first record (owner only). If it cannot be written: silence.

    It lies in `folder`, or in the user's state directory if that is ''.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(logging.WARNING)
        self.failed = False
        self._folder = folder
        self._file: RotatingFileHandler | None = None

    @property
    def path(self) -> Path:
        """Where it writes."""
        from fluxstate_tui.broker.context import default_state_dir

        return (Path(self._folder) if self._folder else default_state_dir()) / FILE

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            if self._file is None:
                self._file = _open(self.path)
            self._file.emit(record)
            self.failed = False
        except OSError:
            self.failed = True

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        super().close()


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).translate(_CONTROLS)


def _open(path: Path) -> RotatingFileHandler:
    """Raises OSError. Imported here, as most runs have nothing to write."""
    from logging.handlers import RotatingFileHandler

    from fluxstate_tui.private_files import open_private, private_folder

    class Private(RotatingFileHandler):
        def _open(self) -> object:  # type: ignore[override]
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            return os.fdopen(open_private(path, flags), "a", encoding="utf-8", errors="replace")

        def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
            error = sys.exception()
            if isinstance(error, OSError):
                raise error

    private_folder(path.parent)
    file = Private(path, maxBytes=LARGEST, backupCount=1, encoding="utf-8", delay=True)
    file.setFormatter(_Plain(FORMAT))
    return file


def begin(folder: str | None = None, *, on_stderr: bool = False) -> None:
    """Send all that is logged in this process to a file in `folder`, by default that of the user.

    `on_stderr`: to stderr as well.
    """
    if folder is None:
        # As it is now: --demo sets it to a folder that goes away with the simulated cluster.
        folder = os.environ.get("FLUXSTATE_STATE_DIR", "")
    root = logging.getLogger()
    root.addHandler(LogFile(folder))
    if on_stderr:
        root.addHandler(logging.StreamHandler())
    logging.captureWarnings(True)
    sys.unraisablehook = _unraisable
    threading.excepthook = _in_thread


def kept(error: BaseException) -> Path | None:
    """Log a bug; the file that has it, None when there is none."""
    logging.getLogger(__name__).error("a bug", exc_info=error)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogFile) and not handler.failed:
            return handler.path
    return None


def _unraisable(what: sys.UnraisableHookArgs) -> None:
    text = what.err_msg or "Exception ignored in"
    logging.getLogger(__name__).error("%s: %r", text, what.object, exc_info=what.exc_value)


def _in_thread(what: threading.ExceptHookArgs) -> None:
    if what.exc_type is not SystemExit:
        name = what.thread.name if what.thread is not None else "?"
        logging.getLogger(__name__).error("in thread %s", name, exc_info=what.exc_value)
