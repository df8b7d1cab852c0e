"""The broker's side of `flux python`: answers the stand-in bindings over a socket pair."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from fluxstate_tui.sim.flux.cli.connection import CannotConnect, Connection, connect
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.journal import journal, output
from fluxstate_tui.sim.shell.coreutils.system import run_other
from fluxstate_tui.sim.shell.process import Process
from fluxstate_tui.sim.shell.streams import BytesReader, NullWriter

Request = dict[str, Any]
LIMIT = 64 * 1024 * 1024
"""Longest request line: a jobspec with its environment, or a program."""


class PythonPort:
    """Serves one Python process until it closes its end or the broker dies."""

    def __init__(
        self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._connection: Connection | None = None
        self._work: dict[int, asyncio.Task[None]] = {}
        self._forget: Callable[[], None] = lambda: None

    async def serve(self) -> None:
        """Answer until the end."""
        try:
            while line := await self._reader.readline():
                request = json.loads(line)
                task = asyncio.get_running_loop().create_task(self._answer(request))
                number = int(request["id"])
                self._work[number] = task
                task.add_done_callback(partial(self._done, number))
        except (ConnectionError, ValueError):
            return
        finally:
            await self.close()

    def _done(self, number: int, _task: asyncio.Task[None]) -> None:
        self._work.pop(number, None)

    async def close(self) -> None:
        """End all answers."""
        self._forget()
        tasks = list(self._work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._writer.close()

    def _send(self, number: int, message: dict[str, Any]) -> None:
        clock = self._process.machine.clock
        stamp = {"now": clock.now(), "speed": getattr(clock, "speed", 1.0)}
        if not self._writer.is_closing():
            self._writer.write(json.dumps({"id": number, **stamp, **message}).encode() + b"\n")

    async def _answer(self, request: Request) -> None:
        number = int(request["id"])
        try:
            if request["do"] == "rpc" and request["stream"]:
                await self._stream(number, request)
            else:
                self._send(number, {"ok": await _ACTIONS[request["do"]](self, request)})
        except FluxError as error:
            self._send(number, {"errno": error.errno, "text": error.text})
        except CannotConnect as error:
            self._send(number, {"errno": error.errno, "text": error.python_text})
        except OSError as error:
            self._send(number, {"errno": error.errno, "text": error.strerror})

    async def _connect(self, request: Request) -> None:
        child = self._process.child(self._process.argv)
        if request.get("uri"):
            child.env["FLUX_URI"] = request["uri"]
        self._connection = connect(child)
        self._forget = self._connection.instance.on_end(self._broker_gone)

    def _broker_gone(self) -> None:
        self._writer.close()

    def _open(self) -> Connection:
        if self._connection is None:
            raise FluxError(errno.ENOTCONN)
        return self._connection

    async def _rpc(self, request: Request) -> Any:
        topic, payload = request["topic"], request["payload"]
        if topic.endswith("-cancel"):
            task = self._work.get(int(payload["matchtag"]))
            if task is not None:
                task.cancel()
                self._send(int(payload["matchtag"]), {"errno": errno.ENODATA, "text": ""})
            return None
        return await self._open().rpc(topic, payload) or None

    async def _attr(self, request: Request) -> Any:
        layout, name = self._process.machine.layout, request["name"]
        own = {"statedir": layout.statedir, "local-uri": f"local://{layout.socket}"}
        own["rank"] = str(self._process.machine.rank)
        if name in own:
            return {"value": own[name]}
        return await self._open().rpc("attr.get", {"name": name})

    async def _stream(self, number: int, request: Request) -> None:
        connection = self._open()
        topic, payload = request["topic"], request["payload"]
        connection.instance.services.authorize(topic, connection.userid)
        answers: AsyncIterator[dict[str, Any]]
        if topic == "job-manager.events-journal":
            answers = journal(connection.instance, full=bool(payload.get("full", False)))
        elif topic == "job-info.eventlog-watch":
            answers = output(connection.instance, int(payload["id"]), str(payload["path"]))
        else:
            raise FluxError(errno.ENOSYS, f"No service matching {topic} is registered")
        async for answer in answers:
            self._send(number, {"ok": answer, "more": True})
            await self._writer.drain()
        self._send(number, {"errno": errno.ENODATA, "text": ""})

    async def _file_read(self, request: Request) -> Any:
        files, path = self._process.files, self._process.path(request["path"])
        data = files.read(path)
        return {"data": base64.b64encode(data).decode(), "mtime": files.stat(path).mtime}

    async def _file_create(self, request: Request) -> Any:
        files, path = self._process.files, self._process.path(request["path"])
        if request["exclusive"] and files.exists(path):
            raise FileExistsError(errno.EEXIST, "File exists", path)
        files.truncate(path)
        return {}

    async def _file_stat(self, request: Request) -> Any:
        found = self._process.files.stat(self._process.path(request["path"]))
        return {
            "mode": found.mode, "inode": found.inode, "links": found.links, "size": found.size,
            "mtime": found.mtime,
        }  # fmt: skip

    async def _run(self, request: Request) -> Any:
        child = self._process.child(list(request["argv"]))
        child.stdin = BytesReader()
        child.stderr = _Sender(lambda data: self._send(request["id"], {"ok": data, "more": True}))
        child.stdout = child.stderr if request["both"] else NullWriter()
        return {"code": await run_other(self._process, child)}

    async def _kill(self, request: Request) -> Any:
        task = self._work.get(int(request["run"]))
        if task is not None:
            task.cancel()
            self._send(int(request["run"]), {"ok": {"code": -15}})
        return {}


class _Sender:
    def __init__(self, send: Callable[[dict[str, str]], None]) -> None:
        self._send = send

    async def write(self, data: bytes) -> None:
        self._send({"data": base64.b64encode(data).decode()})


_ACTIONS = {
    "attr": PythonPort._attr,
    "connect": PythonPort._connect,
    "file.create": PythonPort._file_create,
    "file.read": PythonPort._file_read,
    "file.stat": PythonPort._file_stat,
    "kill": PythonPort._kill,
    "rpc": PythonPort._rpc,
    "run": PythonPort._run,
}
