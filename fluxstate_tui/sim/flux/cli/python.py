"""flux python: a conversation with our own remote program; no other program is run."""

from __future__ import annotations

from fluxstate_tui.flux.remote_code import ARGUMENTS, program_line
from fluxstate_tui.sim.flux.remote import converse
from fluxstate_tui.sim.shell.coreutils.interpreters import refuse
from fluxstate_tui.sim.shell.process import Process


async def python(process: Process) -> int:
    """-u -c BOOTSTRAP, and our remote program as the first line: byte by byte, or not at all."""
    if process.args == list(ARGUMENTS[1:]) and await _is_ours(process):
        return await converse(process)
    return await refuse(process)


async def _is_ours(process: Process) -> bool:
    """Whether the first line is our program. Of anything else no byte more is read than that."""
    ours, received = program_line(), b""
    while len(received) < len(ours) and ours.startswith(received):
        data = await process.stdin.read(len(ours) - len(received))
        if not data:
            return False
        received += data
    return received == ours


COMMANDS = {"python": python}
