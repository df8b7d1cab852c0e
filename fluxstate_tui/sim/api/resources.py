"""Requests for resources: authorized, and handed to the one who can answer."""

from __future__ import annotations

import asyncio

from aiohttp import web

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.auth import ADMIN, User, authorize
from fluxstate_tui.sim.api.context import ApiContext
from fluxstate_tui.sim.api.deletion import delete
from fluxstate_tui.sim.api.exec_socket import serve_exec
from fluxstate_tui.sim.api.kinds import PODS
from fluxstate_tui.sim.api.lists import list_objects, matcher
from fluxstate_tui.sim.api.logs import serve_log
from fluxstate_tui.sim.api.objects import WriteOptions, apply_patch, create, read, update
from fluxstate_tui.sim.api.ownership import manager_named
from fluxstate_tui.sim.api.replies import reply
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


class ResourceHandlers:
    """Everything below /api/v1 and /apis/GROUP/VERSION."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context

    async def handle(self, request: web.Request, user: User) -> web.StreamResponse:
        """Answer it. Raises ApiError, PageNotFoundError."""
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
            manager_named(query.get("fieldManager", agent)), is_true(query.get("force", "")),
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


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
