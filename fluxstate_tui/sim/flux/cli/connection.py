"""How a flux command reaches its broker, and what it says when it cannot."""

from __future__ import annotations

import errno
import os
import posixpath
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.shell.process import Process

DEFAULT_SOCKET = "/run/flux/local"


class CannotConnect(Exception):  # noqa: N818
    """No broker to talk to: the socket's path and the errno."""

    def __init__(self, path: str, number: int) -> None:
        super().__init__(path, number)
        self.path = path
        self.errno = number

    @property
    def python_text(self) -> str:
        """What commands written in Python say after their name."""
        if self.errno == errno.ENOENT:
            return f"Unable to connect to Flux: broker socket {self.path} was not found"
        return f"Unable to connect to Flux: {os.strerror(self.errno)}"

    @property
    def c_text(self) -> str:
        """What commands written in C say after their name."""
        return f"flux_open: {os.strerror(self.errno)}"


@dataclass(slots=True)
class Connection:
    """An open handle: who asks whom."""

    instance: FluxInstance
    userid: int
    rank: int

    async def rpc(self, topic: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer ({} for none). FluxError when it is refused or the broker dies."""
        if self.rank and self.rank not in self.instance.online:
            text = "Upstream Flux broker is offline. Try again later."
            raise FluxError(errno.EHOSTUNREACH, text)
        return await self.instance.services.call(topic, payload, self.userid) or {}


def socket_path(process: Process) -> str:
    """From FLUX_URI, else the system instance's socket."""
    uri = process.env.get("FLUX_URI", "")
    if not uri:
        return DEFAULT_SOCKET
    return uri.partition("://")[2]


def connect(process: Process) -> Connection:
    """Open a handle. CannotConnect when there is no socket or nobody behind it."""
    path = socket_path(process)
    machine = process.machine
    real = posixpath.normpath(path)
    if real.startswith("/var/run/"):
        real = real.removeprefix("/var")
    if real != machine.layout.socket or not machine.files.exists(path):
        raise CannotConnect(path, errno.ENOENT)
    instance = machine.broker()
    if instance is None or not instance.alive:
        raise CannotConnect(path, errno.ECONNREFUSED)
    return Connection(instance, process.uid, machine.rank)
