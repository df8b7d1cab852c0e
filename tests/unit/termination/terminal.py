"""The program on a terminal of its own (a pty), and what its user could see of both."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 60.0
_CONTROL = re.compile(r"\x1b\[[0-9;?>=<]*[ -/]*[@-~]|\x1b[()][AB0]")
_MODES = (1049, 1000, 1003, 1004, 2004)


@dataclass
class Terminal:
    """`ours` is the end that a terminal emulator holds, `its` the one of the program."""

    process: asyncio.subprocess.Process
    ours: int
    its: int
    before: list[Any]
    written: bytearray = field(default_factory=bytearray)
    open: bool = True

    @property
    def text(self) -> str:
        """All that was drawn so far, without what moves and colours it."""
        return _CONTROL.sub("", self.written.decode(errors="replace"))

    @property
    def modes_left_on(self) -> list[int]:
        """The private modes that were switched on last and not off (1049: alternate screen)."""
        drawn = self.written.decode(errors="replace")
        return [
            mode for mode in _MODES if drawn.rfind(f"\x1b[?{mode}h") > drawn.rfind(f"\x1b[?{mode}l")
        ]

    @property
    def whole(self) -> bool:
        """The terminal is as the program found it."""
        return termios.tcgetattr(self.its) == self.before and not self.modes_left_on

    async def see(self, *texts: str) -> None:
        """Wait until all of these were drawn."""
        await self.until(lambda: all(text in self.text for text in texts), texts)

    async def until(self, condition: Callable[[], bool], what: object = "") -> None:
        """Wait until that is so."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SECONDS
        while not condition():
            assert loop.time() < deadline, f"never: {what}\n{self.text[-4000:]}"
            await asyncio.sleep(0.02)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.ours, keys.encode())

    def signal(self, number: signal.Signals) -> None:
        """Send it to the program alone."""
        self.process.send_signal(number)

    def close(self) -> None:
        """The terminal goes away, as when SSH drops."""
        if self.open:
            self.open = False
            asyncio.get_running_loop().remove_reader(self.ours)
            os.close(self.ours)

    async def ended(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(SECONDS):
            code = await self.process.wait()
        await asyncio.sleep(0)  # what it drew last
        if self.open:
            self._read()
        return code

    def _read(self) -> None:
        with suppress(OSError):
            os.set_blocking(self.ours, False)
            while data := os.read(self.ours, 65536):
                self.written += data


@asynccontextmanager
async def terminal(
    folder: Path,
    *words: str,
    leads: bool = False,
    state: str = "state",
    stderr: int | None = None,
    **environment: str,
) -> AsyncIterator[Terminal]:
    """Run it there. `leads`: it is the terminal's own, so that its end is a SIGHUP too."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(its)

    def own() -> None:
        os.setsid()
        if leads:
            fcntl.ioctl(its, termios.TIOCSCTTY, 0)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fluxstate_tui", *words),
        stdin=its,
        stdout=its,
        stderr=its if stderr is None else stderr,
        env={
            **os.environ,
            "TERM": "xterm-256color",
            "FLUXSTATE_STATE_DIR": str(folder / state),
            "KUBECONFIG": str(folder / "kubeconfig"),
            "TEXTUAL_ANIMATIONS": "none",
            **environment,
        },
        preexec_fn=own,
    )
    found = Terminal(process, ours, its, before)
    asyncio.get_running_loop().add_reader(ours, found._read)
    try:
        yield found
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        found.close()
        os.close(its)
