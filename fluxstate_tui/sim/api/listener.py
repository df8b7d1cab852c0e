"""The socket on which the simulated API server listens, on loopback."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

HOST = "127.0.0.1"


class Listener:
    """Accepts connections for `runner`. `port` is 0 until it is opened, if any will do."""

    def __init__(self, runner: web.AppRunner, port: int) -> None:
        self._runner = runner
        self._socket: socket.socket | None = None
        self._site: web.SockSite | None = None
        self.port = port

    async def open(self) -> None:
        """Listen, on the same port as before if it was closed."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, self.port))
        self.port = self._socket.getsockname()[1]
        self._site = web.SockSite(self._runner, self._socket)
        await self._site.start()

    async def close(self) -> None:
        """Listen no more; connections that are open stay so.

        First nothing is accepted any more, and what was just accepted is taken in: CPython 3.11
        leaks a connection that comes in the very moment in which asyncio's server is closed.
        """
        if self._site is None or self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        await asyncio.sleep(0)
        await self._site.stop()
        self._site = self._socket = None
