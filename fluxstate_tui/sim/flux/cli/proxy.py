"""flux proxy URI [COMMAND...] and flux env COMMAND."""

from __future__ import annotations

from fluxstate_tui.sim.flux.cli.connection import CannotConnect, connect
from fluxstate_tui.sim.shell.coreutils.system import run_other
from fluxstate_tui.sim.shell.options import parse_options
from fluxstate_tui.sim.shell.process import Process, UsageError


async def proxy(process: Process) -> int:
    """Run a command (default: a shell) with FLUX_URI set.

    The command's words are joined and split again by a shell, as real flux-proxy loses quoting.
    """
    options = parse_options(process.args, "f,force n,nohup reconnect", mixed=False)
    if not options.operands:
        raise UsageError("Usage: flux-proxy [OPTIONS] JOBID|URI [COMMAND...]")
    uri, *command = options.operands
    child = process.child([])
    child.env["FLUX_URI"] = uri if "://" in uri else f"local://{uri}"
    try:
        connect(child)
    except CannotConnect as error:
        text = error.python_text.removeprefix("Unable to connect to Flux: ")
        await process.err(f"flux-proxy: {child.env['FLUX_URI']}: {text}\n")
        return 1
    child.argv = ["/bin/sh", "-c", " ".join(command)] if command else ["/bin/bash"]
    return await run_other(process, child)


async def env(process: Process) -> int:
    """Run a command in Flux's environment, or print it."""
    child = process.child(process.args or ["/usr/bin/env"])
    return await run_other(process, child)


COMMANDS = {"proxy": proxy, "env": env}
