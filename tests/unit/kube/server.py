"""A purpose-made HTTP server that answers as a test wants, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Any

import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from fluxstate_tui.clock import Clock
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, list[str]]
    body: bytes


@dataclass
class FakeApi:
    """Answers come from `handler`, which a test may replace at any time."""

    handler: Handler
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    words: list[list[str]] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        headers: dict[str, list[str]] = {}
        for name, value in request.headers.items():
            headers.setdefault(name, []).append(value)
        body = await request.read()
        query = dict(request.query)
        self.asked.append(Asked(request.method, request.path, query, headers, body))
        if "command" in request.query:
            self.words.append(request.query.getall("command"))
        return await self.handler(request)


def answers(*responses: Callable[[], web.StreamResponse]) -> Handler:
    """One response after the other; the last one again and again."""
    waiting = list(responses)

    async def handler(request: web.Request) -> web.StreamResponse:
        make = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return make()

    return handler


def ok(body: Any = None, **headers: str) -> Callable[[], web.StreamResponse]:
    """200 with a JSON body."""
    return lambda: web.json_response(body if body is not None else {}, headers=headers)


def status(code: int, message: str = "", **extra: Any) -> Callable[[], web.StreamResponse]:
    """A Status answer as the API server gives it. `headers` sets headers."""
    headers = extra.pop("headers", {})
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    body |= {"message": message, **extra}
    return lambda: web.json_response(body, status=code, headers=headers)


@asynccontextmanager
async def fake_api(handler: Handler, ssl: SSLContext | None = None) -> AsyncIterator[FakeApi]:
    """The server, running on a loopback port."""
    api = FakeApi(handler)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{tail:.*}", api.serve)
    server = TestServer(app, scheme="https" if ssl else "http")
    # A kubeconfig names `localhost`, and a test's certificate is made out for it.
    await server.start_server(ssl=ssl)
    api.url = str(server.make_url("/")).rstrip("/")
    try:
        yield api
    finally:
        await server.close()


def write_kubeconfig(
    path: Path,
    server: str,
    user: dict[str, Any] | None = None,
    cluster: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
) -> str:
    """A kubeconfig with one context `here`; returns its path."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", **(context or {})}}],
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


async def open_cluster(
    folder: Path, server: str, clock: Clock | None = None, **options: Any
) -> Cluster:
    """A Cluster on that server, as user `u` with the token `t`."""
    user = options.pop("user", {"token": "t"})
    config = write_kubeconfig(
        folder / "config", server, user=user, cluster=options.pop("cluster", None)
    )
    return await Cluster.open(KubeOptions(kubeconfig=config, **options), clock)


def body_of(asked: Asked) -> Any:
    """The JSON body of a request."""
    return json.loads(asked.body)
