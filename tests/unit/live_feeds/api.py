"""A small API server whose lists and watches a test fills by hand."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Object = dict[str, Any]
GROUP = "/apis/flux-framework.org"


@dataclass
class Collection:
    """One list and its open watches; `refuse` answers instead of it."""

    items: list[Object] = field(default_factory=list)
    watchers: list[asyncio.Queue[bytes | None]] = field(default_factory=list)
    refuse: int = 0


@dataclass
class FeedApi:
    """Answers for paths that were added; everything else is 404 as of a missing group."""

    versions: list[str] = field(default_factory=lambda: ["v1alpha2"])
    collections: dict[str, Collection] = field(default_factory=dict)

    def at(self, path: str) -> Collection:
        """The collection at a path, made when first used."""
        return self.collections.setdefault(path, Collection())

    def tell(self, path: str, kind: str, item: Object) -> None:
        """Send an event to everybody who watches this path."""
        line = json.dumps({"type": kind, "object": item}).encode() + b"\n"
        for watcher in self.at(path).watchers:
            watcher.put_nowait(line)

    def end(self) -> None:
        """Close all watches."""
        for collection in self.collections.values():
            for watcher in collection.watchers:
                watcher.put_nowait(None)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Serve one request."""
        if request.path == GROUP and self.versions:
            return web.json_response({"versions": [{"version": v} for v in self.versions]})
        if request.path not in self.collections:
            return web.Response(status=404, text="404 page not found\n")
        collection = self.collections[request.path]
        if collection.refuse:
            body = {"kind": "Status", "message": "no", "code": collection.refuse}
            return web.json_response(body, status=collection.refuse)
        if request.query.get("watch"):
            return await self._watch(request, collection)
        return web.json_response({"items": collection.items, "metadata": {"resourceVersion": "1"}})

    async def _watch(self, request: web.Request, collection: Collection) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        collection.watchers.append(queue)
        try:
            while (line := await queue.get()) is not None:
                await response.write(line)
        finally:
            collection.watchers.remove(queue)
        return response


def owned(name: str, uid: str, owner: tuple[str, str] | None = None, **more: Any) -> Object:
    """An object, perhaps with a controller (kind, uid)."""
    metadata: Object = {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": "2"}
    if owner:
        kind, owner_uid = owner
        reference = {"kind": kind, "name": "flux-sample", "uid": owner_uid, "controller": True}
        metadata["ownerReferences"] = [reference]
    return {"metadata": metadata, **more}
