"""The HTTP application: authentication, faults, discovery, and the way to the right handler."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import Any

from aiohttp import web
from yarl import URL

from fluxstate_tui.sim.api import errors, protobuf
from fluxstate_tui.sim.api.auth import ADMIN, User, review
from fluxstate_tui.sim.api.context import ApiContext
from fluxstate_tui.sim.api.discovery import discover
from fluxstate_tui.sim.api.openapi import openapi
from fluxstate_tui.sim.api.replies import page_not_found, reply
from fluxstate_tui.sim.api.request import decode_body
from fluxstate_tui.sim.api.resources import ResourceHandlers
from fluxstate_tui.sim.faults import REQUEST_FAULTS, Fault

FAULTS_PATH = "/sim/faults"
# kubectl sends no bearer token over plain HTTP (client-go, clientcmd), so a kubeconfig for it
# carries the token in the server's path, as proxies like Rancher do it.
TOKEN_PATH = "/sim/token/"
_MAX_BODY = 3 * 1024 * 1024


def build_app(context: ApiContext) -> web.Application:
    """The application that serves `context`."""
    server = ApiApplication(context)
    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_route("*", "/{path:.*}", server.handle)
    return app


class ApiApplication:
    """One entry for all paths."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._resources = ResourceHandlers(context)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; every refusal is a Status."""
        if self._context.down:
            return self._broken_connection(request)
        request = _without_prefix(request)
        fault = None
        if request.path != FAULTS_PATH:
            faults = self._context.faults
            fault = await faults.meet(request.method, request.path_qs, REQUEST_FAULTS)
        response = await self._answer(request, fault)
        if fault is not None and fault.kind == "lost-answer":
            return self._broken_connection(request)
        if not response.prepared:
            # Clients that compare clocks shall see the cluster's, which may run faster.
            response.headers["Date"] = formatdate(self._context.store.now(), usegmt=True)
        return response

    async def _answer(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        try:
            if fault is not None:
                broken = await self._before(request, fault)
                if broken is not None:
                    return broken
            return await self._dispatch(request)
        except errors.PageNotFoundError:
            return page_not_found()
        except errors.ApiError as error:
            return reply(error.body(), error.code, error.headers)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:
            self._context.failures.append(error)
            text = f"Internal error occurred: {type(error).__name__}: {error}"
            return reply(errors.ApiError(500, "InternalError", text).body(), 500)

    async def _before(self, request: web.Request, fault: Fault) -> web.Response | None:
        """What a fault does before the handler; a response if it replaces it."""
        match fault.kind:
            case "drop":
                return self._broken_connection(request)
            case "slow":
                await asyncio.sleep(fault.seconds)
            case "hang":
                await asyncio.Event().wait()
            case "page":
                text = "<html><body>Refused by proxy</body></html>"
                return web.Response(status=fault.code, text=text, content_type="text/html")
            case "status":
                headers = {"Retry-After": str(int(fault.seconds))} if fault.seconds else {}
                reasons = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict",
                           410: "Expired", 429: "TooManyRequests", 500: "InternalError",
                           503: "ServiceUnavailable", 504: "Timeout"}  # fmt: skip
                message = fault.message or f"an injected fault: {fault.code}"
                reason = reasons.get(fault.code, "")
                details = {"retryAfterSeconds": int(fault.seconds)} if fault.seconds else None
                raise errors.ApiError(fault.code, reason, message, details, headers=headers)
        return None

    @staticmethod
    def _broken_connection(request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        context = self._context
        path = request.path
        if path in {"/healthz", "/livez", "/readyz"}:
            return web.Response(text="ok")
        user = context.users.authenticate(
            request.headers.get("Authorization", ""), request.headers.get("Impersonate-User", "")
        )
        if path == FAULTS_PATH:
            return await self._faults(request, user)
        address = f"{request.url.host}:{request.url.port}"
        found = (
            discover(context.registry, path.rstrip("/"), address)
            if request.method == "GET"
            else None
        )
        found = found or openapi(context.registry, context.schemas, path)
        if found is not None:
            if path == "/openapi/v2" and protobuf.OPENAPI_V2 in request.headers.get("Accept", ""):
                body = protobuf.encode_openapi_v2(found)
                return web.Response(body=body, content_type=protobuf.OPENAPI_V2_ANSWER)
            return reply(found)
        if request.method == "POST":
            posted = await self._review(request, user)
            if posted is not None:
                return posted
        return await self._resources.handle(request, user)

    async def _review(self, request: web.Request, user: User) -> web.Response | None:
        if not request.path.startswith(("/apis/authorization.k8s.io/", "/apis/authentication.")):
            return None
        body = decode_body(await request.read(), request.headers.get("Content-Type", ""), "Review")
        answer = review(user, request.path, body, self._context.store.timestamp())
        if answer is None:
            raise errors.PageNotFoundError(request.path)
        return reply(answer, 201)

    async def _faults(self, request: web.Request, user: User) -> web.Response:
        """GET lists, POST adds, DELETE clears; for the simulation's admin only."""
        if user is not ADMIN:
            raise errors.ApiError(403, "Forbidden", "faults are for the simulation's admin")
        faults = self._context.faults
        if request.method == "POST":
            body: Any = await request.json()
            try:
                await faults.request(body)
            except (ValueError, TypeError, KeyError) as error:
                raise errors.bad_request(str(error)) from None
        elif request.method == "DELETE":
            faults.clear()
        return reply({"faults": faults.listing()})


def _without_prefix(request: web.Request) -> web.Request:
    """`/sim/token/TOKEN/api/...` is `/api/...` with that bearer token."""
    if not request.path.startswith(TOKEN_PATH):
        return request
    token, _, rest = request.rel_url.raw_path.removeprefix(TOKEN_PATH).partition("/")
    url = URL.build(path=f"/{rest}", query_string=request.rel_url.raw_query_string, encoded=True)
    headers = request.headers.copy()
    headers["Authorization"] = f"Bearer {token}"
    return request.clone(rel_url=url, headers=headers)
