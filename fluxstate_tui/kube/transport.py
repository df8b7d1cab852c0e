"""The one door through which requests leave: authentication, TLS, proxy, read-only, errors.

Only imported once a cluster is opened: aiohttp costs a quarter of a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from fluxstate_tui.clock import Clock
from fluxstate_tui.kube.auth import (
    Credential,
    Credentials,
    ExecPluginSource,
    choose_source,
    impersonation_headers,
)
from fluxstate_tui.kube.connection_errors import (
    CONNECTION_ERRORS,
    BrokenAfterSending,
    ClosedHereError,
    explain,
)
from fluxstate_tui.kube.errors import (
    NOTHING_CHANGED,
    NOTHING_SENT,
    BadAnswer,
    CredentialError,
    ReadOnly,
    TooManyRequests,
    error_from_response,
)
from fluxstate_tui.kube.kubeconfig import KubeOptions, Target, resolve_target
from fluxstate_tui.kube.proxy import SOCKS, choose_proxy
from fluxstate_tui.kube.tls import build_ssl
from fluxstate_tui.version import __version__

# aiohttp's session, set up so that it neither repeats a change nor hides why it was refused.

CONNECT_SECONDS = 10.0
# A page of a list has at most 250 objects: 10 KiB each, and 1.5 MiB at the most (etcd's limit).
MOST_OF_AN_ANSWER = 256 << 20
MOST_OF_A_REFUSAL = 1 << 20
MOST_MESSAGE = 64 << 20  # of a web socket; a kubelet sends 32 KiB at a time
_PART = 256 << 10
_THIS_COMPUTER = frozenset({"localhost", "127.0.0.1", "::1"})


class HandshakeRefused(Exception):
    """A websocket was refused by an ordinary HTTP answer."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


async def read_body(response: aiohttp.ClientResponse, most: int | None = None) -> bytes:
    """A whole body, inflated. Raises BadAnswer when it has more than `most` bytes."""
    most = MOST_OF_AN_ANSWER if most is None else most
    parts, size = [], 0
    async for part in response.content.iter_chunked(_PART):
        size += len(part)
        if size > most:
            response.close()
            raise BadAnswer(
                f"an answer of more than {most >> 20} MiB was not read on.",
                safe=NOTHING_CHANGED,
                advice="Is this address really a Kubernetes API server? Check the context.",
                status=response.status,
            )
        parts.append(part)
    return b"".join(parts)


def open_session(*, force_close: bool, socks: str = "") -> aiohttp.ClientSession:
    """A session; with `force_close` one for changes: a fresh connection each, sent only once."""
    return aiohttp.ClientSession(
        connector=_connector(force_close, socks),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"fluxstate-tui/{__version__}"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        middlewares=(_never_twice,) if force_close else (),
        raise_for_status=_refuse_handshake if force_close else False,
    )


def _connector(force_close: bool, socks: str) -> aiohttp.TCPConnector:
    if not socks:
        return aiohttp.TCPConnector(limit=0, force_close=force_close)
    from fluxstate_tui.kube.socks import SocksConnector  # few have such a proxy

    return SocksConnector(URL(socks), limit=0, force_close=force_close)


async def _never_twice(
    request: aiohttp.ClientRequest,
    handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    try:
        response = await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise BrokenAfterSending from error
    if 300 <= response.status < 400:
        # aiohttp's ws_connect follows redirects, and says there whom we act as: none is followed.
        headers = response.headers
        response.close()
        raise HandshakeRefused(response.status, b"", headers)
    return response


async def _refuse_handshake(response: aiohttp.ClientResponse) -> None:
    """aiohttp drops the body of a refused handshake, and the reason stands in it."""
    asked: Any = response.request_info.headers.get("Upgrade", "")
    if asked.lower() == "websocket" and response.status != 101:
        async with response:
            body = await read_body(response, MOST_OF_A_REFUSAL)
            raise HandshakeRefused(response.status, body, response.headers)


# --read-only, enforced where requests leave (promise P16): nothing that changes anything goes out.
#
# An exec over websocket is a GET but may do anything, so it counts as a change unless the caller
# vouches that its program only reads.

TO_ALLOW = (
    "Start again without --read-only to allow changes (with --write, if your configuration"
    " protects this context)."
)

# Reviews are POSTs that change nothing (Kubernetes API: authorization, authentication).
_REVIEWS = frozenset(
    {
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    }
)
_READING = frozenset({"GET", "HEAD"})
# Subresources that reach into a pod, whatever the method.
_REACHING = frozenset({"exec", "attach", "portforward", "proxy"})


def changes_something(method: str, path: str) -> bool:
    """True unless this request is sure to change nothing."""
    if method == "POST" and path in _REVIEWS:
        return False
    if method not in _READING:
        return True
    return not _REACHING.isdisjoint(path.split("?")[0].split("/"))


def refuse_changes(method: str, path: str) -> None:
    """Raise ReadOnly if this request could change something."""
    if changes_something(method, path):
        raise ReadOnly(
            f"Refused, because of --read-only: {method} {path.split('?')[0]}.",
            safe=NOTHING_SENT,
            advice=TO_ALLOW,
        )


# The API server's clock, estimated from the `Date` header of its answers (RFC 9110, 6.6.1).


class ServerClock:
    """Its clock minus ours. Each answer narrows the range that the offset must lie in.

    The header has whole seconds: an answer sent at server time T says floor(T), and T lies between
    our sending and our receiving. So offset is in [date - received, date + 1 - sent].
    """

    def __init__(self) -> None:
        self._low = 0.0
        self._high = 0.0
        self._known = False

    @property
    def offset(self) -> float:
        """Seconds to add to our clock to get the server's; 0.0 as long as nothing is known."""
        return (self._low + self._high) / 2

    def update(self, date: str | None, sent: float, received: float) -> None:
        """Take in one answer. A header that is missing or no date is ignored."""
        try:
            seconds = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        low, high = seconds - received, seconds + 1 - sent
        if self._known and max(low, self._low) <= min(high, self._high):
            low, high = max(low, self._low), min(high, self._high)
        # Otherwise a clock was set, or one of them runs faster: the newest answer counts.
        self._low, self._high, self._known = low, high, True


_BUSY_TRIES = 4
_BUSY_SECONDS = 1.0
_BUSY_LONGEST = 30.0
_HEARTBEAT = 10.0
# Leaving a command must not hang on a server that does not say goodbye.
_CLOSING = aiohttp.ClientWSTimeout(ws_close=2.0)

Params = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Route:
    """How the target is reached and as whom: what does not change while a cluster is open."""

    target: Target
    proxy: str | None
    impersonation: tuple[tuple[str, str], ...]
    read_only: bool
    request_timeout: float | None

    @property
    def server_name(self) -> str | None:
        """`tls-server-name`: what the server's certificate must be made out for."""
        name = self.target.cluster.data.get("tls-server-name")
        return str(name) if name else None


class ByteStream:
    """The body of an answer that goes on and on (watch, log)."""

    def __init__(
        self, response: aiohttp.ClientResponse, server: str, heard: Callable[[], None]
    ) -> None:
        self._response = response
        self._server = server
        self._heard = heard

    async def read_some(self) -> bytes:
        """What has arrived, b'' at the end. Raises CannotConnect when the connection breaks."""
        try:
            some = await self._response.content.readany()
            self._heard()
            return some
        except CONNECTION_ERRORS as error:
            raise explain(error, self._server, changing=False) from error


class Transport:
    """Sends requests to one target. Create it, `async with` it, and it is closed again."""

    def __init__(self, route: Route, credentials: Credentials, clock: Clock) -> None:
        self.route = route
        self.server_clock = ServerClock()
        self.heard_at = float("-inf")
        """When a stream (watch, log, exec) brought something last, by our clock."""
        self._credentials = credentials
        self._clock = clock
        self._ssl: dict[tuple[str, str], SSLContext | None] = {}
        socks = route.proxy if route.proxy and route.proxy.startswith(SOCKS) else ""
        self._proxy = None if socks else route.proxy
        self._reading = open_session(force_close=False, socks=socks)
        # Changes never travel on a connection that may just have gone stale, and are never sent
        # a second time by aiohttp: a lost answer to a change is reported as "unknown".
        self._changing = open_session(force_close=True, socks=socks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def heard(self) -> None:
        """A stream brought something: the server lives."""
        self.heard_at = self._clock.now()

    async def close(self) -> None:
        """Close every connection."""
        await self._reading.close()
        await self._changing.close()

    async def request(
        self,
        method: str,
        path: str,
        params: Params = (),
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """One answer's body. 401 renews credentials once, 429 waits; else raises KubeError."""
        wait = _BUSY_SECONDS
        for tries_left in reversed(range(_BUSY_TRIES)):
            try:
                return await self._request_once(method, path, params, body, headers)
            except TooManyRequests as error:
                if not tries_left:
                    raise
                seconds = wait if error.retry_after is None else error.retry_after
            await self._clock.sleep(min(seconds, _BUSY_LONGEST))
            wait *= 2
        raise AssertionError("the last try returns or raises")

    async def _request_once(
        self,
        method: str,
        path: str,
        params: Params,
        body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> bytes:
        changing = changes_something(method, path)

        async def exchange(credential: Credential) -> tuple[aiohttp.ClientResponse, bytes]:
            try:
                async with asyncio.timeout(self.route.request_timeout):
                    response = await self._send_as(credential, method, path, params, body, headers)
                    async with response:
                        return response, await read_body(response)
            except HandshakeRefused as refusal:
                raise self._elsewhere(refusal.status, refusal.headers) from refusal
            except (*CONNECTION_ERRORS, BrokenAfterSending) as error:
                raise explain(error, self.route.target.shown, changing=changing) from error

        response, data = await self._authenticated(method, path, exchange)
        self._raise_for(method, path, params, response, data)
        return data

    @asynccontextmanager
    async def stream(
        self, path: str, params: Params = (), headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[ByteStream]:
        """GET an answer without an end. Only its beginning is bounded in time."""

        async def begin(credential: Credential) -> tuple[aiohttp.ClientResponse, bytes]:
            try:
                async with asyncio.timeout(self.route.request_timeout):
                    response = await self._send_as(credential, "GET", path, params, None, headers)
                    whole = response.status != 200
                    return response, await read_body(response) if whole else b""
            except CONNECTION_ERRORS as error:
                raise explain(error, self.route.target.shown, changing=False) from error

        response, data = await self._authenticated("GET", path, begin)
        try:
            self._raise_for("GET", path, params, response, data)
            yield ByteStream(response, self.route.target.shown, self.heard)
        finally:
            # Not released into the pool: there may be more to come on it.
            response.close()

    async def websocket(
        self, path: str, params: Params, protocols: tuple[str, ...], *, only_reads: bool
    ) -> aiohttp.ClientWebSocketResponse[bool]:
        """Open a websocket. Raises HandshakeRefused, or KubeError for connection trouble."""
        if self.route.read_only and not only_reads:
            refuse_changes("GET", path)
        credential = await self._credentials.current()
        try:
            return await self._handshake(path, params, protocols, credential, only_reads)
        except HandshakeRefused as refusal:
            if 300 <= refusal.status < 400:
                raise self._elsewhere(refusal.status, refusal.headers) from refusal
            renewed = await self._renewed(refusal.status, credential)
            if renewed is None:
                raise
        return await self._handshake(path, params, protocols, renewed, only_reads)

    async def _handshake(
        self,
        path: str,
        params: Params,
        protocols: tuple[str, ...],
        credential: Credential,
        only_reads: bool,
    ) -> aiohttp.ClientWebSocketResponse[bool]:
        try:
            self._require_open(self._changing)
            async with asyncio.timeout(self.route.request_timeout):
                return await self._changing.ws_connect(
                    self._url(path, params),
                    protocols=protocols,
                    heartbeat=_HEARTBEAT,
                    timeout=_CLOSING,
                    max_msg_size=MOST_MESSAGE,
                    headers=self._headers(credential, None),
                    proxy=self._proxy,
                    ssl=self._ssl_for(credential) or True,
                    server_hostname=self.route.server_name,
                )
        except (*CONNECTION_ERRORS, BrokenAfterSending) as error:
            server, changing = self.route.target.shown, not only_reads
            raise explain(error, server, changing=changing) from error

    async def authenticate(self) -> None:
        """Get a credential that is not about to expire. Raises CredentialError.

        It may take as long as a person needs to log in: no time limit of a request is over it.
        """
        await self._credentials.current()

    async def _authenticated(
        self,
        method: str,
        path: str,
        exchange: Callable[[Credential], Awaitable[tuple[aiohttp.ClientResponse, bytes]]],
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """The exchange under our credential; once more under another one after a 401."""
        if self.route.read_only:
            refuse_changes(method, path)
        credential = await self._credentials.current()
        response, data = await exchange(credential)
        renewed = await self._renewed(response.status, credential)
        return (response, data) if renewed is None else await exchange(renewed)

    async def _renewed(self, status: int, used: Credential) -> Credential | None:
        """Another credential to try after a 401, None if there is none."""
        if status != 401:
            return None
        renewed = await self._credentials.renew(used)
        return None if renewed == used else renewed

    async def _send_as(
        self,
        credential: Credential,
        method: str,
        path: str,
        params: Params,
        body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> aiohttp.ClientResponse:
        session = self._changing if changes_something(method, path) else self._reading
        self._require_open(session)
        sent = self._clock.now()
        response = await session.request(
            method,
            self._url(path, params),
            data=body,
            headers=self._headers(credential, headers),
            allow_redirects=False,
            proxy=self._proxy,
            ssl=self._ssl_for(credential) or True,
            server_hostname=self.route.server_name,
        )
        self.server_clock.update(response.headers.get("Date"), sent, self._clock.now())
        return response

    def _require_open(self, session: aiohttp.ClientSession) -> None:
        """aiohttp would call it a RuntimeError, as if it were a bug."""
        if session.closed:
            raise ClosedHereError

    def _ssl_for(self, credential: Credential) -> SSLContext | None:
        certificate = (credential.certificate, credential.key)
        if certificate not in self._ssl:
            self._ssl = {certificate: build_ssl(self.route.target, credential)}
        return self._ssl[certificate]

    def _url(self, path: str, params: Params) -> URL:
        query = "?" + urlencode(params, errors="surrogateescape", quote_via=quote) if params else ""
        return URL(self.route.target.server + path + query, encoded=True)

    def _headers(
        self, credential: Credential, headers: Mapping[str, str] | None
    ) -> CIMultiDict[str]:
        sent: CIMultiDict[str] = CIMultiDict({"Accept": "application/json", **(headers or {})})
        if credential.authorization and self._may_send_credentials():
            sent["Authorization"] = _header_value(credential.authorization, "The token")
        for name, value in self.route.impersonation:
            sent.add(name, _header_value(value, "The name to act as"))
        return sent

    def _may_send_credentials(self) -> bool:
        """Never over plain http to another computer: who is on the way would have them."""
        server = URL(self.route.target.server)
        return server.scheme != "http" or server.host in _THIS_COMPUTER

    def _elsewhere(self, status: int, headers: Mapping[str, str]) -> BadAnswer:
        return BadAnswer(
            f"{self.route.target.shown} sends us elsewhere: {headers.get('Location')}.",
            safe=NOTHING_CHANGED,
            advice="Is this address really a Kubernetes API server? Check the context.",
            status=status,
        )

    def _raise_for(
        self, method: str, path: str, params: Params, answer: aiohttp.ClientResponse, body: bytes
    ) -> None:
        if answer.status < 300:
            return
        if answer.status < 400:
            raise self._elsewhere(answer.status, answer.headers)
        raise error_from_response(
            method, path, answer.status, body, headers=answer.headers, params=dict(params)
        )


def _header_value(text: str, what: str) -> str:
    """Refuse what would break out of a header line."""
    if not text.isprintable():
        raise CredentialError(
            f"{what} of this user has characters that cannot be sent.",
            safe=NOTHING_SENT,
            advice="Check the kubeconfig for line breaks in it.",
        )
    return text


# From options to an open transport. Imports aiohttp and `kubernetes`, so it is imported late.


async def open_transport(options: KubeOptions, clock: Clock) -> Transport:
    """Resolve the kubeconfig in a thread (it imports `kubernetes`) and make a transport."""
    target = await asyncio.to_thread(resolve_target, options)
    route = Route(
        target=target,
        proxy=choose_proxy(target),
        impersonation=tuple(impersonation_headers(target, options)),
        read_only=options.read_only,
        request_timeout=options.request_timeout or None,
    )
    source = choose_source(
        target, clock, lambda target: ExecPluginSource(target, terminal=options.terminal)
    )
    return Transport(route, Credentials(source, clock), clock)
