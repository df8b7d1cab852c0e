"""aiohttp's session, set up so that it neither repeats a change nor hides why it was refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from fluxstate_tui import __version__
from fluxstate_tui.kube.connection_errors import BrokenAfterSending

CONNECT_SECONDS = 10.0


class HandshakeRefused(Exception):
    """A websocket was refused by an ordinary HTTP answer."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


def open_session(*, force_close: bool) -> aiohttp.ClientSession:
    """A session; with `force_close` one for changes: a fresh connection each, sent only once."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=force_close),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"fluxstate-tui/{__version__}"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        middlewares=(_never_twice,) if force_close else (),
        raise_for_status=_refuse_handshake if force_close else False,
    )


async def _never_twice(
    request: aiohttp.ClientRequest,
    handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise BrokenAfterSending from error


async def _refuse_handshake(response: aiohttp.ClientResponse) -> None:
    """aiohttp drops the body of a refused handshake, and the reason stands in it."""
    asked: Any = response.request_info.headers.get("Upgrade", "")
    if asked.lower() == "websocket" and response.status != 101:
        async with response:
            raise HandshakeRefused(response.status, await response.read(), response.headers)
