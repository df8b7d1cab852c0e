"""The terminal that the dashboard draws on: standard output, wherever standard error goes.

It may go away (SSH drops, tmux closes), or take nothing for a while. Neither stops the event loop:
what runs must be put back all the same.
"""

from __future__ import annotations

import os
import selectors
import sys
from asyncio import AbstractEventLoop
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import TYPE_CHECKING

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from fluxstate_tui import charset, termination

if TYPE_CHECKING:
    from textual.app import App


# Characters that wait while the terminal takes none; what comes then is drawn anew later.
MOST_WAITING = 1_000_000
# How long the end waits for a terminal that takes nothing.
STOP_SECONDS = 1.0
POLL_SECONDS = 0.1
READ_BYTES = 4096


class TerminalDriver(LinuxDriver):
    """Textual's driver, for a terminal that may go away."""

    def __init__(
        self,
        app: App[object],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        assert sys.__stdout__ is not None  # the command line has looked whether it is a terminal
        self._screen = _terminal(sys.__stdout__.fileno())
        if not self.input_tty:
            self.fileno = self._screen
            self.input_tty = os.isatty(self.fileno)
        self._output: _Output | None = None

    def start_application_mode(self) -> None:
        """Draw from now on."""
        self._output = _Output(self._screen, self._behind)
        self._output.start()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        """Give the terminal back; what waits to be drawn is of no use any more."""
        if self._output is not None:
            self._output.forget()
        super().stop_application_mode()

    def resume_application_mode(self) -> None:
        """Back from a suspension: others wrote on the terminal, so all of it is drawn anew."""
        super().resume_application_mode()
        _soon(self._loop, lambda: self._app.refresh(layout=True))

    def close(self) -> None:
        """End the threads."""
        super().close()
        if self._output is not None:
            self._output.stop()

    def write(self, data: str) -> None:
        """Draw; never blocks."""
        if self._output is not None:
            self._output.write(data)

    def run_input_thread(self) -> None:
        """Read keys until the driver stops, or until the terminal has gone."""
        try:
            self._read_keys()
        except OSError:
            _soon(self._loop, termination.request)

    def _read_keys(self) -> None:
        """Raises OSError when nobody can type there any more."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder(charset.encoding())(errors="replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(POLL_SECONDS):
                    data = os.read(self.fileno, READ_BYTES)
                    if not data:
                        raise OSError("the terminal has gone")
                    for event in parser.feed(decode(data)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    def _behind(self) -> None:
        """It takes something again: what was not drawn meanwhile is drawn."""
        _soon(self._loop, lambda: self._app.refresh(layout=True))


class _Output(Thread):
    """Writes what is drawn. A terminal that has gone takes everything, as nowhere would."""

    def __init__(self, fd: int, caught_up: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="terminal-output")
        self._fd = fd
        self._caught_up = caught_up
        self._waiting: deque[str] = deque()
        self._characters = 0
        self._dropped = False
        self._stopped = False
        self._changed = Condition()

    def write(self, text: str) -> None:
        """Draw it, if there is room."""
        with self._changed:
            if self._characters > MOST_WAITING:
                self._dropped = True
                return
            self._waiting.append(text)
            self._characters += len(text)
            self._changed.notify()

    def forget(self) -> None:
        """Draw nothing of what waits."""
        with self._changed:
            self._waiting.clear()
            self._characters = 0
            self._dropped = False

    def stop(self) -> None:
        """Return when all is drawn, or when the terminal does not take it."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self.join(STOP_SECONDS)

    def run(self) -> None:
        """The thread."""
        while (text := self._next()) is not None:
            data = charset.encode(text, charset.encoding())
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                continue  # it has gone; who reads from it says so

    def _next(self) -> str | None:
        with self._changed:
            while not self._waiting:
                if self._stopped:
                    return None
                if self._dropped:
                    self._dropped = False
                    self._caught_up()
                self._changed.wait()
            text = "".join(self._waiting)
            self._waiting.clear()
            self._characters = 0
            return text


def _terminal(fd: int) -> int:
    """That one, or the terminal of this process when that is none."""
    if os.isatty(fd):
        return fd
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return fd


def _soon(loop: AbstractEventLoop, call: Callable[[], object]) -> None:
    """Call it in the loop's thread, unless that has ended."""
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        return
