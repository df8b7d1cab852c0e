"""pods/exec over websocket: v5 and v4.channel.k8s.io, frame by frame as a kubelet behaves.

Recorded (tests/data/kubernetes/exec_frames.json): the first frame is always channel 1, empty; a
Status on channel 3 ends it, then close 1000. v4 ignores the half-close of stdin.
"""

from __future__ import annotations

import asyncio
import json
import secrets

from aiohttp import WSMsgType, web

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.context import ApiContext
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import PODS
from fluxstate_tui.sim.api.request import Target, is_true
from fluxstate_tui.sim.api.runtime import CommandMissingError, RunningContainer
from fluxstate_tui.sim.faults import EXEC_FAULTS, STDIN_FAULTS, Fault, Faults
from fluxstate_tui.sim.faults import STDIN as STDIN_METHOD

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
KILLED = 137


def pick_container(pod: JsonObject, wanted: str) -> str:
    """The container to use. Raises ApiError 400 when it is unknown or ambiguous."""
    name = pod["metadata"]["name"]
    main = [container["name"] for container in pod["spec"]["containers"]]
    initial = [container["name"] for container in pod["spec"].get("initContainers", [])]
    if wanted:
        if wanted not in main + initial:
            raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(main) == 1:
        return str(main[0])
    raise errors.bad_request(
        f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]"
    )


async def serve_exec(
    context: ApiContext, request: web.Request, target: Target
) -> web.StreamResponse:
    """GET (or POST) pods/NAME/exec. Raises ApiError before the upgrade."""
    query = request.query
    pod = context.store.get(PODS, target.namespace, target.name)
    if pod is None:
        raise errors.not_found(PODS, target.name)
    container = pick_container(pod, query.get("container", ""))
    if not pod["spec"].get("nodeName"):
        raise errors.bad_request(f"pod {target.name} does not have a host assigned")
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise errors.bad_request("Upgrade request required")
    if not any(is_true(query.get(name, "")) for name in ("stdin", "stdout", "stderr")):
        text = "you must specify at least 1 of stdin, stdout, stderr"
        return web.Response(status=400, text=text)
    running = context.runtime.running(target.namespace, target.name, container)
    if running is None:
        return web.Response(status=500, text=f'container not found ("{container}")')
    offered = _offered_protocols(request)
    known = [name for name in offered if name in {V5, V4}]
    if offered and not known:
        return web.Response(status=403)
    fault = context.faults.take(EXEC_FAULTS, request.method, request.path_qs)
    session = ExecSession(request, running, known[0] if known else "", fault, context.faults)
    return await session.serve(context.failures)


def _offered_protocols(request: web.Request) -> list[str]:
    header = request.headers.getall("Sec-WebSocket-Protocol", [])
    return [name.strip() for value in header for name in value.split(",") if name.strip()]


class ExecSession:
    """One exec: frames in, a process, frames out."""

    def __init__(
        self,
        request: web.Request,
        container: RunningContainer,
        protocol: str,
        fault: Fault | None,
        faults: Faults,
    ) -> None:
        query = request.query
        self._request = request
        self._container = container
        self._protocol = protocol
        self._argv = query.getall("command", [])
        self._tty = is_true(query.get("tty", ""))
        self._use = {
            STDIN: is_true(query.get("stdin", "")),
            STDOUT: is_true(query.get("stdout", "")),
            STDERR: is_true(query.get("stderr", "")) and not self._tty,
        }
        self._socket = web.WebSocketResponse(
            protocols=(protocol,) if protocol else (), max_msg_size=0, compress=False
        )
        self._input: asyncio.Queue[bytes] = asyncio.Queue()
        self._rest = b""
        self._fault = fault
        self._faults = faults
        self._killed = asyncio.Event()
        self._written = 0
        if not self._use[STDIN]:
            self._input.put_nowait(b"")

    async def serve(self, failures: list[BaseException]) -> web.WebSocketResponse:
        """Run the command until it ends, its container dies, or the client leaves.

        `failures` takes bugs of the simulated programs.
        """
        await self._socket.prepare(self._request)
        await self._socket.send_bytes(bytes([STDOUT]))
        process = asyncio.ensure_future(self._process())
        died = asyncio.ensure_future(self._container.died.wait())
        killed = asyncio.ensure_future(self._killed.wait())
        client = asyncio.ensure_future(self._receive())
        tasks = (process, died, killed, client)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if process.done() and (error := process.exception()) is not None:
                if not isinstance(error, ConnectionError):
                    failures.append(error)
            elif process.done():
                await self._finish(process.result())
            elif died.done() or killed.done():
                await self._finish(self._exit_status(KILLED))
        except ConnectionError:
            pass  # The client is gone; nobody is left to tell.
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self._socket

    async def _process(self) -> JsonObject:
        """Run the program; the Status that tells how it ended."""
        if not self._argv:
            return self._start_failure("args must not be empty")
        killed = self._fault is not None and self._fault.kind == "exec-killed"
        if killed and self._fault is not None and not self._fault.amount:
            return self._exit_status(KILLED)
        try:
            code = await self._container.run(self._argv, self, tty=self._tty)
        except CommandMissingError as missing:
            return self._start_failure(_missing_text(str(missing.args[0])))
        return self._exit_status(KILLED if killed else code)

    async def _finish(self, status: JsonObject) -> None:
        if self._fault is not None and self._fault.kind == "exec-truncate":
            status = {"metadata": {}, "status": "Success"}
        if self._fault is not None and self._fault.kind == "exec-cut":
            self._abort()  # it had less to say than `amount`: its end is lost
        if self._fault is None or self._fault.kind != "exec-no-status":
            if self._protocol:
                text = json.dumps(status, separators=(",", ":"), ensure_ascii=False)
            else:
                text = str(status.get("message", ""))
            await self._socket.send_bytes(bytes([ERROR]) + text.encode())
        await self._socket.close(code=1000)

    def _exit_status(self, code: int) -> JsonObject:
        if code == 0:
            return {"metadata": {}, "status": "Success"}
        if self._protocol == V5:
            what = f"command terminated with exit code {code}"
        else:
            what = f"error executing command [{' '.join(self._argv)}], exit code {code}"
        return {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: {what}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }

    def _start_failure(self, what: str) -> JsonObject:
        cause = (
            "error executing command in container: failed to exec in container: failed to start "
            f'exec "{secrets.token_hex(32)}": OCI runtime exec failed: exec failed: {what}: unknown'
        )
        prefix = "Internal error occurred: "
        cause = prefix + cause if self._protocol == V5 else cause
        return {
            "metadata": {},
            "status": "Failure",
            "message": prefix + cause,
            "reason": "InternalError",
            "details": {"causes": [{"message": cause}]},
            "code": 500,
        }

    async def _receive(self) -> None:
        """Frames from the client, until it closes."""
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == STDIN and data and self._use[STDIN]:
                await self._take_in(data)
            elif channel == CLOSE and self._protocol == V5 and data[:1] == bytes([STDIN]):
                self._input.put_nowait(b"")

    async def _take_in(self, data: bytes) -> None:
        said = f"{self._request.path_qs} {data[:200].decode(errors='replace')}"
        fault = await self._faults.meet(STDIN_METHOD, said, STDIN_FAULTS)
        if fault is not None and fault.kind == "stdin-cut":
            self._abort()
        if fault is not None and fault.kind == "stdin-killed":
            self._killed.set()
            return
        if fault is not None:  # its answer will be lost
            self._fault = Fault("exec-cut", amount=self._written)
        self._input.put_nowait(data)

    async def read(self, n: int) -> bytes:
        """The process reads its stdin."""
        if not self._rest:
            self._rest = await self._input.get()
            if not self._rest:
                self._input.put_nowait(b"")  # The end stays the end.
                return b""
        taken, self._rest = self._rest[:n], self._rest[n:]
        return taken

    async def write_out(self, data: bytes) -> None:
        """The process writes to stdout."""
        await self._output(STDOUT, data)

    async def write_err(self, data: bytes) -> None:
        """The process writes to stderr (the terminal has only one output)."""
        await self._output(STDOUT if self._tty else STDERR, data)

    async def _output(self, channel: int, data: bytes) -> None:
        if not self._use[channel] or not data:
            return
        fault = self._fault
        if channel == STDOUT and fault is not None and fault.kind != "exec-no-status":
            room = max(0, fault.amount - self._written)
            if len(data) > room or (fault.kind == "exec-cut" and not room):
                if data[:room]:
                    await self._send(channel, data[:room])
                self._written += room
                if fault.kind == "exec-cut":
                    self._abort()
                return
        self._written += len(data)
        for start in range(0, len(data), 32768):
            await self._send(channel, data[start : start + 32768])

    async def _send(self, channel: int, data: bytes) -> None:
        await self._socket.send_bytes(bytes([channel]) + data)

    def _abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
        raise ConnectionResetError


def _missing_text(command: str) -> str:
    quoted = f'unable to start container process: exec: "{command}": '
    if "/" in command:
        return f"{quoted}stat {command}: no such file or directory"
    return f"{quoted}executable file not found in $PATH"
