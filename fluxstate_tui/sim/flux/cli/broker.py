"""flux uptime, getattr, setattr, lsattr, dmesg, version, overlay status, shutdown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fluxstate_tui.sim.flux.cli.connection import CannotConnect, connect
from fluxstate_tui.sim.flux.cli.formatting import fsd
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.shell.options import parse_options
from fluxstate_tui.sim.shell.process import Process, UsageError

GETATTR_USAGE = """Usage: flux getattr name
Get broker attribute
  -h, --help             Display this message.
"""
_OWNERS = {0: "root", 1000: "flux", 65534: "nobody"}


async def uptime(process: Process) -> int:
    """One line, and a second one when something is stopped or drained."""
    connection = connect(process)
    instance = connection.instance
    now = process.machine.clock.now()
    clock = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%S")
    state = await connection.rpc("state-machine.get")
    age = fsd(round(now - instance.started_at, 1))
    short = f"{now - instance.started_at:.2g}s" if now - instance.started_at < 60 else age
    owner = _OWNERS.get(instance.owner_uid, str(instance.owner_uid))
    line = f" {clock} {state['state']} {short},  owner {owner},  depth 0"
    line += f",  size {instance.size}"
    notes = []
    if instance.services_up:
        queues = instance.queues.all()
        if drained := len(instance.resources.drained()):
            line += f",  {drained} drained"
        if offline := instance.size - len(instance.online):
            line += f",  {offline} offline"
        if all(not queue.enabled for queue in queues):
            notes.append("submit disabled")
        if all(not queue.started for queue in queues):
            notes.append("scheduler stopped")
    await process.out(line + "\n" + ("  " + ",  ".join(notes) + "\n" if notes else ""))
    return 0


async def getattr_(process: Process) -> int:
    """One attribute."""
    names = [arg for arg in process.args if not arg.startswith("-")]
    if len(names) != 1:
        await process.err(GETATTR_USAGE)
        return 1
    connection = connect(process)
    if names[0] == "local-uri":
        await process.out(f"local://{process.machine.layout.socket}\n")
        return 0
    if names[0] == "statedir":
        await process.out(process.machine.layout.statedir + "\n")
        return 0
    try:
        answer = await connection.rpc("attr.get", {"name": names[0]})
    except FluxError as error:
        raise FluxError(error.errno, f"{names[0]}: {error.message}") from None
    value = str(connection.rank) if names[0] == "rank" else answer["value"]
    await process.out(value + "\n")
    return 0


async def setattr_(process: Process) -> int:
    """NAME VALUE."""
    names = [arg for arg in process.args if not arg.startswith("-")]
    if len(names) != 2:
        raise UsageError("Usage: flux-setattr [OPTIONS] name value")
    await connect(process).rpc("attr.set", {"name": names[0], "value": names[1]})
    return 0


async def lsattr(process: Process) -> int:
    """All names; -v with values."""
    connection = connect(process)
    values = connection.instance.services.attributes()
    values["local-uri"] = f"local://{process.machine.layout.socket}"
    values["statedir"] = process.machine.layout.statedir
    for name in sorted(values):
        verbose = "-v" in process.args
        await process.out(f"{name:<40}{values[name]}\n" if verbose else name + "\n")
    return 0


async def dmesg(process: Process) -> int:
    """The log ring."""
    answer = await connect(process).rpc("log.dmesg")
    await process.out("".join(line + "\n" for line in answer["lines"]))
    return 0


async def version(process: Process) -> int:
    """Commands, library and, if there is one, the broker."""
    instance = process.machine.broker()
    number = instance.version if instance is not None else "0.88.0"
    lines = [f"commands:    \t\t{number}", f"libflux-core:\t\t{number}"]
    try:
        connect(process)
        lines.append(f"broker:  \t\t{number}")
        lines.append(f"FLUX_URI:\t\tlocal://{process.machine.layout.socket}")
    except CannotConnect:
        pass
    lines.append("build-options:\t\t+systemd+hwloc.api==2.8.0+zmq==4.3.4")
    await process.out("\n".join(lines) + "\n")
    return 0


async def overlay(process: Process) -> int:
    """`status`, as a tree; --no-pretty, -v, --summary."""
    if process.args[:1] != ["status"]:
        raise UsageError("Usage: flux overlay status [OPTIONS]")
    options = parse_options(process.args[1:], "v,verbose no-pretty no-ghost summary down L=? t= r=")
    connection = connect(process)
    health = await connection.rpc("overlay.health", {"rank": 0})
    if options.has("summary"):
        await process.out(health["status"] + "\n")
        return 0
    hosts = connection.instance.hosts
    children = health["children"]
    lines = [_node(health, hosts, options.has("verbose"))]
    for index, child in enumerate(children):
        branch = "└─ " if index == len(children) - 1 else "├─ "
        branch = "" if options.has("no-pretty") else branch
        lines.append(branch + _node(child, hosts, options.has("verbose")))
    await process.out("".join(line + "\n" for line in lines))
    return 0


def _node(node: dict[str, Any], hosts: list[str], verbose: bool) -> str:
    text = f"{node['rank']} {hosts[node['rank']]}: {node['status']}"
    return f"{text} for {fsd(node['duration'])}" if verbose else text


async def shutdown(process: Process) -> int:
    """--dump=PATH, --gc, --background: cancel what runs, save the final state, end the broker."""
    options = parse_options(process.args, "dump= gc y n background quiet v=?")
    connection = connect(process)
    instance = connection.instance
    if instance.state != "run":
        raise FluxError(22, f"shutdown cannot be initiated in state {instance.state}")
    stop_log = instance.log.subscribe(lambda line: lines.append(line[3:]))
    lines: list[str] = []
    target = options.get("dump")
    if target:
        await process.err(
            f"flux-shutdown: shutdown will dump KVS to {target} (this may take some time)\n"
        )
    if options.has("background"):
        stop_log()
        instance.begin_shutdown(process.files, process.path(target) if target else "")
        return 0
    try:
        await instance.shutdown(process.files, process.path(target) if target else "")
    finally:
        stop_log()
    await process.err("".join(line + "\n" for line in lines))
    return 0


COMMANDS = {
    "uptime": uptime, "getattr": getattr_, "setattr": setattr_, "lsattr": lsattr, "dmesg": dmesg,
    "version": version, "overlay": overlay, "shutdown": shutdown,
}  # fmt: skip
