"""flux resource list|status|drain|undrain|info|R."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from fluxstate_tui.flux import hostlist, idset
from fluxstate_tui.flux.resources import ResourceSet
from fluxstate_tui.sim.flux.cli.connection import Connection, connect
from fluxstate_tui.sim.flux.cli.formatting import FieldError, render_rows
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.scheduler import resource_summary
from fluxstate_tui.sim.shell.options import Options, parse_options
from fluxstate_tui.sim.shell.process import Process, UsageError

CHOICES = ("acquire-mute", "drain", "undrain", "status", "list", "info", "reload", "R", "eventlog")
FORMATS = {
    "default": "{state:>10} ?:{queue:<WIDTH} {nnodes:>6} {ncores:>6} {ngpus:>5} {nodelist}",
    "rlist": "{state:>10} ?:{queue:<WIDTH} {nnodes:>6} {ncores:>6} +{ngpus:>5} {rlist}",
}
HEADINGS = {
    "state": "STATE", "nnodes": "NNODES", "ncores": "NCORES", "ngpus": "NGPUS",
    "nodelist": "NODELIST", "rlist": "LIST", "queue": "QUEUE",
}  # fmt: skip
_SPEC = (
    "n,no-header o,format= s,states= f,force u,update v,verbose i,include= skip-empty color=? L=? "
    "q,queue="
)


async def resource(process: Process) -> int:
    """Dispatch to the subcommand."""
    name = process.args[0] if process.args else ""
    command = _SUBCOMMANDS.get(name)
    if command is None:
        await process.err(
            "usage: flux-resource [-h]\n                     "
            f"{{{','.join(CHOICES)}}}\n                     ...\n"
        )
        choices = ", ".join(f"'{choice}'" for choice in CHOICES)
        text = f"argument subcommand: invalid choice: '{name}' (choose from {choices})"
        raise UsageError(f"error: {text}", 2)
    options = parse_options(process.args[1:], _SPEC)
    return await command(process, connect(process), options)


def _sets(status: dict[str, Any]) -> dict[str, dict[int, list[int]]]:
    """Cores per rank: all, down, allocated, and free (the rest)."""
    found: dict[str, dict[int, list[int]]] = {}
    for name in ("all", "down", "allocated"):
        shares = ResourceSet.parse(status[name]).shares()
        found[name] = {share.rank: list(share.cores) for share in shares}
    free = {}
    for rank, cores in found["all"].items():
        busy = set(found["allocated"].get(rank, ()))
        left = [core for core in cores if core not in busy]
        if left and rank not in found["down"]:
            free[rank] = left
    return {**found, "free": free}


async def _list(process: Process, connection: Connection, options: Options) -> int:
    status = await connection.rpc("sched.resource-status", {})
    hosts = connection.instance.hosts
    sets = _sets(status)
    states = options.get("states", "free,allocated,down").split(",")
    rows = [_row(state, sets[state], hosts) for state in states if state in sets]
    queues = ",".join(connection.instance.queues.names)
    for row in rows:
        row["queue"] = queues
    form = options.get("format", "default")
    form = FORMATS.get(form, form).replace("WIDTH", str(max(5, len(queues))))
    try:
        text = render_rows(form, rows, HEADINGS, header=not options.has("no-header"))
    except FieldError as error:
        await process.err(f"flux-resource: ERROR: Error in user format: {error}\n")
        return 1
    await process.out(text)
    return 0


def _row(state: str, cores: dict[int, list[int]], hosts: list[str]) -> dict[str, Any]:
    alike: dict[str, list[int]] = {}
    for rank in sorted(cores):
        alike.setdefault(idset.encode(cores[rank]), []).append(rank)
    groups = [
        {"rank": idset.encode(ranks), "children": {"core": text}} for text, ranks in alike.items()
    ]
    return {
        "state": state,
        "nnodes": len(cores),
        "ncores": sum(len(ids) for ids in cores.values()),
        "ngpus": 0,
        "nodelist": hostlist.compress(hosts[rank] for rank in sorted(cores)),
        "rlist": resource_summary({"execution": {"R_lite": groups}}),
        "queue": "",
    }


async def _status(process: Process, connection: Connection, options: Options) -> int:
    status = await connection.rpc("resource.status", {})
    hosts = connection.instance.hosts
    online = set(idset.decode(status["online"])) if status["online"] else set()
    drained = {rank for ids in status["drain"] for rank in idset.decode(ids)}
    busy = {rank for rank in drained if connection.instance.resources.jobs_on(rank)}
    groups = [
        ("avail", "✔", sorted(online - drained)),
        ("avail*", "✗", sorted(set(range(len(hosts))) - online - drained)),
        ("draining", "✔", sorted(busy & online)),
        ("drained", "✔", sorted((drained - busy) & online)),
        ("drained", "✗", sorted(drained - online)),
    ]
    if not options.has("no-header"):
        await process.out("       STATEUP NNODES NODELIST\n")
    for state, mark, ranks in groups:
        if ranks or (state == "avail" and mark == "✔"):
            names = hostlist.compress(hosts[rank] for rank in ranks)
            await process.out(f"{state:>12} {mark} {len(ranks):>6} {names}\n")
    return 0


async def _drain(process: Process, connection: Connection, options: Options) -> int:
    if not options.operands:
        return await _drained(process, connection)
    target, *words = options.operands
    payload: dict[str, Any] = {"targets": target, "reason": " ".join(words)}
    if options.has("force"):
        payload["mode"] = "overwrite"
    try:
        await connection.rpc("resource.drain", payload)
    except FluxError as error:
        text = f"flux-resource: ERROR: [Errno {error.errno}] {error.message}\n"
        await process.err(text)
        if error.errno == 17:
            hint = "Use --force to overwrite existing drain reason"
            await process.err(f"flux-resource: INFO: {hint}\n")
        return 1
    return 0


async def _drained(process: Process, connection: Connection) -> int:
    await process.out("TIME         STATE    REASON                         NODELIST\n")
    instance = connection.instance
    instance.require("resource.status")
    for rank, (when, reason) in sorted(instance.resources.drained().items()):
        stamp = datetime.fromtimestamp(when, UTC).strftime("%b%d %H:%M")
        held = bool(instance.resources.jobs_on(rank))
        shown = reason if len(reason) <= 30 else reason[:29] + "+"
        state = "draining" if held else "drained"
        await process.out(f"{stamp}  {state:<8} {shown:<30} {instance.hosts[rank]}\n")
    return 0


async def _undrain(process: Process, connection: Connection, options: Options) -> int:
    if not options.operands:
        raise UsageError("the following arguments are required: TARGET", 2)
    await connection.rpc("resource.undrain", {"targets": options.operands[0]})
    return 0


async def _info(process: Process, connection: Connection, options: Options) -> int:
    status = await connection.rpc("sched.resource-status", {})
    name = options.get("states", "all")
    cores = _sets(status).get(name, {})
    total = sum(len(ids) for ids in cores.values())
    await process.out(f"{len(cores)} Nodes, {total} Cores, 0 GPUs\n")
    return 0


async def _r(process: Process, connection: Connection, options: Options) -> int:
    status = await connection.rpc("sched.resource-status", {})
    await process.out(json.dumps(status["all"]) + "\n")
    return 0


_SUBCOMMANDS: dict[str, Callable[[Process, Connection, Options], Awaitable[int]]] = {
    "list": _list, "status": _status, "drain": _drain, "undrain": _undrain, "info": _info,
    "R": _r,
}  # fmt: skip
COMMANDS = {"resource": resource}
