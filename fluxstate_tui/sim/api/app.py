"""The HTTP application: authentication, faults, discovery, and the way to the right handler."""

from __future__ import annotations

import asyncio
import json
import uuid
from email.utils import formatdate
from typing import Any

from aiohttp import web
from yarl import URL

from fluxstate_tui.sim.api import errors, protobuf
from fluxstate_tui.sim.api.auth import ADMIN, User, authorize, review
from fluxstate_tui.sim.api.context import ApiContext
from fluxstate_tui.sim.api.deletion import delete
from fluxstate_tui.sim.api.discovery import discover
from fluxstate_tui.sim.api.exec_socket import serve_exec
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import PODS
from fluxstate_tui.sim.api.lists import list_objects, matcher
from fluxstate_tui.sim.api.logs import serve_log
from fluxstate_tui.sim.api.objects import WriteOptions, apply_patch, create, read, update
from fluxstate_tui.sim.api.openapi import openapi
from fluxstate_tui.sim.api.representation import Representation, negotiate
from fluxstate_tui.sim.api.request import (
    Target,
    decode_body,
    is_dry_run,
    is_true,
    parse_path,
    verb_of,
)
from fluxstate_tui.sim.api.watching import WatchStream, parse_watch
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


def reply(
    body: JsonObject, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """A JSON response with the headers of an API server."""
    common = {"Audit-Id": str(uuid.uuid4()), "Cache-Control": "no-cache, private"}
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False) + "\n"
    return web.Response(
        status=status,
        body=text.encode(),
        content_type="application/json",
        headers={**common, **(headers or {})},
    )


def page_not_found() -> web.Response:
    """The text (no Status) that unknown groups and resources get."""
    return web.Response(
        status=404,
        body=b"404 page not found\n",
        headers={
            "Content-Type": "text/plain; charset=utf-8",
            "X-Content-Type-Options": "nosniff",
        },
    )


class ApiApplication:
    """One entry for all paths."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; every refusal is a Status."""
        if self._context.down:
            return self._broken_connection(request)
        request = _without_prefix(request)
        fault = None
        if request.path != FAULTS_PATH:
            fault = self._context.faults.take(REQUEST_FAULTS, request.method, request.path_qs)
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
        return await self._resource(request, user)

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

    async def _resource(self, request: web.Request, user: User) -> web.StreamResponse:
        context, query = self._context, request.query
        target = parse_path(context.registry, request.path)
        verb = verb_of(request.method, target, query)
        if user is not ADMIN and asyncio.get_running_loop().time() < context.warming_until:
            user = User(user.name, user.groups)
        authorize(user, verb, target)
        if target.subresource == "exec":
            return await serve_exec(context, request, target)
        if target.subresource == "log":
            return await serve_log(context, request, target)
        if target.subresource == "eviction":
            return await self._evict(request, target)
        shape = negotiate(request.headers.get("Accept", ""), query.get("includeObject", ""))
        match request.method:
            case "GET" | "HEAD":
                return await self._read(request, target, shape)
            case "DELETE":
                return await self._delete(request, target)
        return await self._write(request, target, shape)

    async def _read(
        self, request: web.Request, target: Target, shape: Representation
    ) -> web.StreamResponse:
        context, query = self._context, request.query
        watching = is_true(query.get("watch", ""))
        if target.name and not watching:
            found = read(context, target)
            return reply(shape.one(target.kind, found, context.store.now()))
        matches = matcher(target, query)
        if watching:
            return await WatchStream(
                context, request, parse_watch(target, matches, shape, query)
            ).serve()
        return reply(list_objects(context, target, matches, shape, query))

    async def _write(
        self, request: web.Request, target: Target, shape: Representation
    ) -> web.Response:
        context, query = self._context, request.query
        raw, content_type = await request.read(), request.headers.get("Content-Type", "")
        agent = request.headers.get("User-Agent", "unknown").partition("/")[0]
        options = WriteOptions(
            is_dry_run(query), query.get("fieldValidation", ""),
            query.get("fieldManager", agent), is_true(query.get("force", "")),
        )  # fmt: skip
        if request.method == "PATCH":
            written = apply_patch(context, target, raw, content_type, options)
        elif request.method == "PUT":
            body = decode_body(raw, content_type, target.kind.kind)
            written = update(context, target, body, options)
        elif target.name:
            raise errors.already_exists(target.kind, target.name)
        else:
            body = decode_body(raw, content_type, target.kind.kind)
            written = create(context, target, body, options)
        headers = {"Warning": ", ".join(f'299 - "{_quote(text)}"' for text in written.warnings)}
        shown = shape.one(target.kind, written.object, context.store.now())
        return reply(shown, written.code, headers if written.warnings else None)

    async def _delete(self, request: web.Request, target: Target) -> web.Response:
        context, query = self._context, request.query
        raw = await request.read()
        options = (
            decode_body(raw, request.headers.get("Content-Type", ""), "DeleteOptions")
            if raw
            else {}
        )
        for name in ("propagationPolicy", "gracePeriodSeconds"):
            if name in query:
                options.setdefault(name, query[name])
        dry_run = is_dry_run(query) or options.get("dryRun") == ["All"]
        if target.name:
            found = read(context, target)
            return reply(delete(context.store, target.kind, found, options, dry_run=dry_run))
        listed = [
            obj for obj in context.store.objects(target.kind, target.scope)
            if matcher(target, query)(obj)
        ]  # fmt: skip
        for obj in listed:
            delete(context.store, target.kind, obj, options, dry_run=dry_run)
        version = {"resourceVersion": str(context.store.version)}
        return reply(Representation().many(target.kind, listed, version, context.store.now()))

    async def _evict(self, request: web.Request, target: Target) -> web.Response:
        pod = read(self._context, Target(PODS, target.namespace, target.name))
        body = decode_body(
            await request.read(), request.headers.get("Content-Type", ""), "Eviction"
        )
        delete(self._context.store, PODS, pod, body.get("deleteOptions") or {})
        return reply(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201
        )


def _without_prefix(request: web.Request) -> web.Request:
    """`/sim/token/TOKEN/api/...` is `/api/...` with that bearer token."""
    if not request.path.startswith(TOKEN_PATH):
        return request
    token, _, rest = request.rel_url.raw_path.removeprefix(TOKEN_PATH).partition("/")
    url = URL.build(path=f"/{rest}", query_string=request.rel_url.raw_query_string, encoded=True)
    headers = request.headers.copy()
    headers["Authorization"] = f"Bearer {token}"
    return request.clone(rel_url=url, headers=headers)


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
