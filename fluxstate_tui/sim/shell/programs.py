"""Which programs a container has, and where."""

from __future__ import annotations

import posixpath
import stat as stat_bits
from typing import TYPE_CHECKING

from fluxstate_tui.sim.flux.cli.main import flux
from fluxstate_tui.sim.shell.coreutils import archives, files, interpreters, system, text
from fluxstate_tui.sim.shell.process import Process, Program
from fluxstate_tui.sim.shell.shells import run_script, shell_program

if TYPE_CHECKING:
    from fluxstate_tui.sim.machine import Machine


_COREUTILS: dict[str, Program] = {
    **archives.PROGRAMS,
    **files.PROGRAMS,
    **interpreters.PROGRAMS,
    **system.PROGRAMS,
    **text.PROGRAMS,
    "bash": shell_program,
    "sh": shell_program,
}
_BIN = ("/bin", "/usr/bin")


def find_program(machine: Machine, name: str, path: str, cwd: str = "/") -> Program | None:
    """The program of that name, found as execvp does; None when there is none."""
    if "/" in name:
        return _at(machine, posixpath.normpath(posixpath.join(cwd, name)))
    for folder in path.split(":"):
        program = _at(machine, posixpath.join(folder or cwd, name))
        if program is not None:
            return program
    return None


def which(process: Process, name: str) -> str:
    """The path under which `command -v` finds it, '' when there is none."""
    if "/" in name:
        return name if _at(process.machine, process.path(name)) else ""
    for folder in process.env.get("PATH", "").split(":"):
        if _at(process.machine, posixpath.join(folder, name)) is not None:
            return posixpath.join(folder, name)
    return ""


def _at(machine: Machine, path: str) -> Program | None:
    folder, name = posixpath.split(path)
    if name == "flux" and folder == machine.layout.flux_dir:
        return flux
    if folder in _BIN:
        if name == "sudo" and machine.layout.has_sudo:
            return system.sudo
        if name in _COREUTILS:
            return _COREUTILS[name]
    try:
        info = machine.files.stat(path)
    except OSError:
        return None
    if not stat_bits.S_ISREG(info.mode) or not info.mode & 0o111:
        return None

    async def script(process: Process) -> int:
        if not interpreters.runs_in_shell(process.files.read(path)):
            return await interpreters.refuse(process)
        return await run_script(process, path, process.args)

    return script
