"""Run things inside a simulated container without a broker."""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.sim.clock import VirtualClock
from fluxstate_tui.sim.files import Files, Volume
from fluxstate_tui.sim.machine import Collected, Machine


@dataclass(slots=True)
class Ran:
    """What a program left behind."""

    code: int
    out: str
    err: str


class Inside:
    """A container with a small volume at /state."""

    def __init__(self, capacity: int | None = None) -> None:
        self.clock = VirtualClock()
        self.state = Volume("state", capacity, now=self.clock.now)
        self.files = Files({"/": Volume("root", now=self.clock.now), "/state": self.state})
        self.machine = Machine("host-0", self.files, self.clock)

    async def run(self, *argv: str, stdin: bytes = b"", tty: bool = False) -> Ran:
        """Run a program to its end."""
        io = Collected(stdin)
        code = await self.clock.run(self.machine.run(list(argv), io, tty=tty))
        return Ran(code, io.stdout.decode(), io.stderr.decode())

    async def sh(self, script: str, *args: str, stdin: bytes = b"") -> Ran:
        """Run a script."""
        return await self.run("/bin/sh", "-c", script, "sh", *args, stdin=stdin)
