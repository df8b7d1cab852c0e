"""Connections through a SOCKS5 proxy (RFC 1928, passwords RFC 1929), as kubectl makes them.

aiohttp speaks to HTTP proxies only. The proxy looks the names up, and TLS is aiohttp's own.
"""

from __future__ import annotations

import asyncio
import os
import socket
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_exceptions import cert_errors, ssl_errors
from yarl import URL

_PORT = 1080
_NO_PASSWORD, _PASSWORD = 0, 2
_REPLIES = {
    1: "general failure",
    2: "its rules do not allow it",
    3: "the network cannot be reached",
    4: "the host cannot be reached",
    5: "the connection was refused",
    6: "the time is over",
    7: "it cannot connect",
    8: "it does not know this kind of address",
}


class SocksConnector(aiohttp.TCPConnector):
    """Each connection goes through `proxy` (socks5://[USER:PASSWORD@]HOST[:PORT])."""

    def __init__(self, proxy: URL, **options: Any) -> None:
        super().__init__(resolver=_AsItIs(), **options)
        self._proxy = proxy

    async def _wrap_create_connection(
        self,
        *args: Any,
        addr_infos: list[Any],
        req: aiohttp.ClientRequest,
        timeout: aiohttp.ClientTimeout,
        client_error: type[Exception] = aiohttp.ClientConnectorError,
        **options: Any,
    ) -> Any:
        """See aiohttp: with a socket that the proxy has connected, not with one of its own."""
        key = req.connection_key
        async with asyncio.timeout(timeout.sock_connect):
            try:
                connected = await connect(self._proxy, str(req.url.raw_host), int(req.port or 0))
            except OSError as error:
                if isinstance(error, TimeoutError) and error.errno is None:
                    raise
                raise aiohttp.ClientProxyConnectionError(key, error) from error
            try:
                return await self._loop.create_connection(*args, sock=connected, **options)
            except cert_errors as error:
                raise aiohttp.ClientConnectorCertificateError(key, error) from error
            except ssl_errors as error:
                raise aiohttp.ClientConnectorSSLError(key, error) from error
            except OSError as error:
                raise client_error(key, error) from error


class _AsItIs(AbstractResolver):
    """Looks nothing up: that is done behind the proxy."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = ResolveResult(hostname=host, host=host, port=port, family=family, proto=0, flags=0)
        return [found]

    async def close(self) -> None:
        """Nothing is open."""


async def connect(proxy: URL, host: str, port: int) -> socket.socket:
    """A socket that is connected to host and port. Raises OSError with the proxy's reason."""
    stream = await _reach(str(proxy.host), proxy.port or _PORT)
    try:
        await _log_in(stream, proxy.user or "", proxy.password or "")
        await _ask_for(stream, host, port)
    except BaseException:
        stream.close()
        raise
    return stream


async def _reach(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        stream = socket.socket(family, kind, protocol)
        stream.setblocking(False)
        try:
            await loop.sock_connect(stream, address)
            return stream
        except OSError as error:
            stream.close()
            number = error.errno or 0  # asyncio's own text has the whole address
            failure = OSError(number, os.strerror(number)) if number else error
        except BaseException:
            stream.close()
            raise
    raise failure


async def _log_in(stream: socket.socket, user: str, password: str) -> None:
    methods = bytes([_NO_PASSWORD, _PASSWORD] if user else [_NO_PASSWORD])
    await _send(stream, bytes([5, len(methods)]) + methods)
    version, method = await _read(stream, 2)
    if version != 5:
        raise OSError("it does not speak SOCKS5")
    if method == _PASSWORD and user:
        name, secret = user.encode()[:255], password.encode()[:255]
        await _send(stream, bytes([1, len(name)]) + name + bytes([len(secret)]) + secret)
        if (await _read(stream, 2))[1] != 0:
            raise OSError("it does not accept this user and password")
    elif method != _NO_PASSWORD:
        raise OSError("it wants a user and a password")


async def _ask_for(stream: socket.socket, host: str, port: int) -> None:
    await _send(stream, b"\x05\x01\x00" + _address(host) + port.to_bytes(2, "big"))
    _, reply, _, kind = await _read(stream, 4)
    if reply != 0:
        raise OSError(_REPLIES.get(reply, f"reply {reply}"))
    # Where it is connected from, which nobody needs.
    length = {1: 4, 4: 16}.get(kind) or (await _read(stream, 1))[0]
    await _read(stream, length + 2)


def _address(host: str) -> bytes:
    try:
        address = ip_address(host)
    except ValueError:
        name = host.encode("idna") if not host.isascii() else host.encode()
        if len(name) > 255:
            raise OSError("the name is too long for SOCKS5") from None
        return bytes([3, len(name)]) + name
    return bytes([1 if address.version == 4 else 4]) + address.packed


async def _send(stream: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(stream, data)


async def _read(stream: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = await asyncio.get_running_loop().sock_recv(stream, length - len(data))
        if not more:
            raise OSError("it closed the connection")
        data += more
    return data
