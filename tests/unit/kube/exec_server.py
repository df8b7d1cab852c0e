"""Plays recorded exec traffic: handshakes and frames as a real API server sent them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from aiohttp import WSMsgType, web

from tests.unit.kube.server import Handler

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
SUCCESS = b'\x03{"metadata":{},"status":"Success"}'


def exited(code: int) -> bytes:
    """The status frame of a command that ended with this code (exec_websocket.json, v5_exit3)."""
    text = f"command terminated with exit code {code}"
    cause = {"reason": "ExitCode", "message": str(code)}
    body = {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {text}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [cause]},
    }
    return b"\x03" + json.dumps(body).encode()


def failed(message: str, **extra: object) -> bytes:
    """The status frame of a command that could not be started."""
    body = {"metadata": {}, "status": "Failure", "message": message, "code": 500, **extra}
    return b"\x03" + json.dumps(body).encode()


def plays(
    frames: Sequence[bytes], *, protocols: Sequence[str] = (V5, V4), cut: bool = False
) -> Handler:
    """Send the frames and close with 1000, or cut the connection."""

    async def handler(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=protocols)
        await socket.prepare(request)
        await socket.send_bytes(b"\x01")
        for frame in frames:
            await socket.send_bytes(frame)
        if cut and request.transport is not None:
            request.transport.abort()
        else:
            await socket.close()
        return socket

    return handler


class Cat:
    """Echoes stdin until it is half-closed (v5), as `cat` does; remembers what came."""

    def __init__(self) -> None:
        self.came = b""
        self.gone = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=(V5,), max_msg_size=0)
        await socket.prepare(request)
        await socket.send_bytes(b"\x01")
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                break
            if message.data == b"\xff\x00":
                await socket.send_bytes(SUCCESS)
                await socket.close()
                break
            self.came += message.data[1:]
            await socket.send_bytes(b"\x01" + message.data[1:])
        self.gone.set()
        return socket
