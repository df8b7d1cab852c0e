"""flux python: a real Python process with the stand-in bindings, wired to the simulation."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

from fluxstate_tui.sim.flux.cli import warm_python
from fluxstate_tui.sim.flux.pythonport import LIMIT, PythonPort
from fluxstate_tui.sim.shell.process import Process, UsageError
from fluxstate_tui.sim.shell.streams import Reader, Writer, read_all

BINDINGS = Path(__file__).parent.parent / "bindings"
CHUNK = 65536


async def python(process: Process) -> int:
    """[-u] -c CODE ARGS... | FILE ARGS... | - (standard input)."""
    args = list(process.args)
    while args and args[0].startswith("-") and args[0] not in ("-c", "-"):
        args.pop(0)
    if args[:1] == ["-c"]:
        if len(args) < 2:
            raise UsageError("Argument expected for the -c option", 2)
        text, argv = args[1], ["-c", *args[2:]]
    elif not args or args[0] == "-":
        text, argv = (await read_all(process.stdin)).decode(), ["-", *args[1:]]
    else:
        text, argv = process.files.read(process.path(args[0])).decode(), args
    return await _run(process, text, argv)


async def _run(process: Process, text: str, argv: list[str]) -> int:
    ours, theirs = socket.socketpair()
    bindings = str(BINDINGS) if process.machine.python_bindings else "/nonexistent"
    broker = process.machine.broker()
    environment = {
        **process.env,
        "FLUXSTATE_SIM_VERSION": "0.88.0" if broker is None else broker.version,
    }
    try:
        child = await warm_python.start([bindings, text, *argv], environment, theirs)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    try:
        reader, writer = await asyncio.open_connection(sock=ours, limit=LIMIT)
        try:
            return await _serve(process, child, PythonPort(process, reader, writer))
        finally:
            writer.close()
    finally:
        child.close()


async def _serve(process: Process, child: warm_python.Child, port: PythonPort) -> int:
    """Move bytes until the child has ended; kill it when we are killed."""
    loop = asyncio.get_running_loop()
    helpers = [
        loop.create_task(port.serve()),
        loop.create_task(_feed(process.stdin, child.stdin)),
    ]
    outputs = asyncio.gather(
        _drain(child.stdout, process.stdout), _drain(child.stderr, process.stderr)
    )
    try:
        await outputs
        return _code(await child.wait())
    finally:
        outputs.cancel()
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(outputs, *helpers, return_exceptions=True)
        await port.close()


def _code(status: int) -> int:
    return status if status >= 0 else 128 - status


async def _feed(source: Reader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, BrokenPipeError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    with suppress(OSError):
        target.write_eof()


async def _drain(source: asyncio.StreamReader, target: Writer) -> None:
    while data := await source.read(CHUNK):
        await target.write(data)


COMMANDS = {"python": python}
