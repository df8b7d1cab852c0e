"""flux kvs get|put|unlink|ls|dir|sync|getroot|version."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

from fluxstate_tui.sim.flux.cli.connection import Connection, connect
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.services import KVS_SYNC
from fluxstate_tui.sim.shell.options import Options, parse_options
from fluxstate_tui.sim.shell.process import Process, UsageError
from fluxstate_tui.sim.shell.streams import read_all

_SPEC = (
    "S,sync r,raw j,json l,label t,treeobj n,no-merge b,blobref s,sequence N,namespace= A,append "
    "R,recursive F,classify d,directory 1 w= f,force"
)


async def kvs(process: Process) -> int:
    """Dispatch to the subcommand."""
    name = process.args[0] if process.args else ""
    command = _SUBCOMMANDS.get(name)
    if command is None:
        raise UsageError("Usage: flux-kvs [OPTIONS] COMMAND ARGS")
    options = parse_options(process.args[1:], _SPEC)
    return await command(process, connect(process), options)


async def _get(process: Process, connection: Connection, options: Options) -> int:
    for key in options.operands:
        try:
            answer = await connection.rpc("kvs.lookup", {"key": key})
        except FluxError as error:
            raise FluxError(error.errno, f"{key}: {error.message}") from None
        data = base64.b64decode(answer["val"]["data"])
        if options.has("label"):
            await process.out(f"{key}=")
        await process.stdout.write(data if options.has("raw") else data + b"\n")
    return 0


async def _put(process: Process, connection: Connection, options: Options) -> int:
    operations = []
    for setting in options.operands:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError("put: you must specify a value as key=value")
        data = await read_all(process.stdin) if value == "-" else value.encode()
        if options.has("append"):
            data = connection.instance.kvs.keys.get(key, b"") + data
        operations.append(_operation(key, data))
    root = await _commit(connection, operations, options)
    if options.has("blobref"):
        await process.out(f"{root['rootref']}\n")
    return 0


async def _unlink(process: Process, connection: Connection, options: Options) -> int:
    for key in options.operands:
        try:
            connection.instance.services.authorize("kvs.lookup", connection.userid)
            connection.instance.kvs.list_dir(key)
            if not options.has("recursive"):
                raise FluxError(39, f"{key}: Directory not empty")
        except FluxError as error:
            if error.errno == 2 and not options.has("force"):
                raise FluxError(2, f"cannot unlink '{key}': {error.message}") from None
            if error.errno not in (2, 20):
                raise
    await _commit(connection, [_operation(key, None) for key in options.operands], options)
    return 0


def _operation(key: str, data: bytes | None) -> dict[str, Any]:
    entry = None
    if data is not None:
        entry = {"ver": 1, "type": "val", "data": base64.b64encode(data).decode()}
    return {"key": key, "flags": 0, "dirent": entry}


async def _commit(
    connection: Connection, operations: list[dict[str, Any]], options: Options
) -> dict[str, Any]:
    """The new root."""
    flags = KVS_SYNC if options.has("sync") else 0
    return dict(await connection.rpc("kvs.commit", {"flags": flags, "ops": operations}) or {})


async def _ls(process: Process, connection: Connection, options: Options) -> int:
    await _allowed(connection)
    key = options.operands[0] if options.operands else "."
    try:
        names = connection.instance.kvs.list_dir(key)
    except FluxError as error:
        raise FluxError(error.errno, f"{key}: {error.message}") from None
    shown = names if options.has("classify") else [name.rstrip(".") for name in names]
    width = max((len(name) for name in shown), default=0) + 4
    await process.out("".join(name.ljust(width) for name in shown).rstrip() + "\n")
    return 0


async def _allowed(connection: Connection) -> None:
    try:
        await connection.rpc("kvs.getroot")
    except FluxError as error:
        raise FluxError(error.errno, f".: {error.message}") from None


async def _sync(process: Process, connection: Connection, options: Options) -> int:
    """Write a checkpoint without writing a key."""
    await connection.rpc("kvs.commit", {"flags": KVS_SYNC, "ops": []})
    return 0


async def _getroot(process: Process, connection: Connection, options: Options) -> int:
    """As a treeobj (RFC 11), or its parts."""
    root = await connection.rpc("kvs.getroot")
    text = json.dumps(
        {"data": [root["rootref"]], "type": "dirref", "ver": 1}, separators=(",", ":")
    )
    if options.has("blobref"):
        text = root["rootref"]
    elif options.has("sequence"):
        text = str(root["rootseq"])
    await process.out(f"{text}\n")
    return 0


async def _version(process: Process, connection: Connection, options: Options) -> int:
    root = await connection.rpc("kvs.getroot")
    await process.out(f"{root['rootseq']}\n")
    return 0


async def _dir(process: Process, connection: Connection, options: Options) -> int:
    await _allowed(connection)
    for key, value in sorted(connection.instance.kvs.keys.items()):
        await process.out(f"{key} = {value.decode('utf-8', 'replace').strip()}\n")
    return 0


_SUBCOMMANDS: dict[str, Callable[[Process, Connection, Options], Awaitable[int]]] = {
    "get": _get, "put": _put, "unlink": _unlink, "ls": _ls, "dir": _dir, "sync": _sync,
    "getroot": _getroot,
    "version": _version,
}  # fmt: skip
COMMANDS = {"kvs": kvs}
