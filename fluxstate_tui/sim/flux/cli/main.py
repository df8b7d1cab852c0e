"""`flux COMMAND ...`: finding the command, and the errors that all have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fluxstate_tui.sim.flux.cli import (
    broker,
    control,
    dump,
    job,
    jobs,
    kvs,
    proxy,
    python,
    queue,
    resource,
    submit,
)
from fluxstate_tui.sim.flux.cli.connection import CannotConnect
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.watching import InstanceGoneError
from fluxstate_tui.sim.shell.process import Process, UsageError

Command = Callable[[Process], Awaitable[int]]
COMMANDS: dict[str, Command] = {
    **broker.COMMANDS, **control.COMMANDS, **dump.COMMANDS, **job.COMMANDS, **jobs.COMMANDS,
    **kvs.COMMANDS, **proxy.COMMANDS, **python.COMMANDS, **queue.COMMANDS, **resource.COMMANDS,
    **submit.COMMANDS,
}  # fmt: skip
_IN_C = {"dump", "restore", "getattr", "setattr", "lsattr", "dmesg", "overlay", "kvs", "job",
         "shutdown", "version"}  # fmt: skip


PYTHON_START = 0.03
"""Seconds until a command written in Python has started (a real one needs ten times as long)."""


async def flux(process: Process) -> int:
    """The program itself."""
    args = list(process.args)
    while args and args[0].startswith("-") and args[0] not in ("-V", "--version", "--help"):
        args.pop(0)
    if not args:
        await process.err("Usage: flux [OPTIONS] COMMAND ARGS\n")
        return 1
    name = "version" if args[0] in ("-V", "--version") else args[0]
    if name not in COMMANDS:
        await process.err(f"flux: `{name}' is not a flux command.  See 'flux --help'\n")
        return 1
    command = COMMANDS[name]
    child = process.child([f"flux-{name}", *args[1:]])
    if name not in _IN_C and name not in ("uptime", "proxy", "env", "python"):
        await process.machine.clock.sleep(PYTHON_START)
    return await _guarded(name, command, child)


async def _guarded(name: str, command: Command, process: Process) -> int:
    try:
        return await command(process)
    except CannotConnect as error:
        if name == "uptime":
            return await _say(process, f"flux: {error.c_text}")
        if name in _IN_C:
            return await _say(process, f"{process.name}: {error.c_text}")
        return await _say(process, f"{process.name}: ERROR: {error.python_text}")
    except FluxError as error:
        mark = "" if name in _IN_C else "ERROR: "
        return await _say(process, f"{process.name}: {mark}{error.message}")
    except InstanceGoneError:
        return await _say(process, f"{process.name}: Connection reset by peer")
    except UsageError as error:
        mark = "" if name in _IN_C or error.code == 2 else "ERROR: "
        return await _say(process, f"{process.name}: {mark}{error.message}", error.code)


async def _say(process: Process, text: str, code: int = 1) -> int:
    await process.err(text + "\n")
    return code
