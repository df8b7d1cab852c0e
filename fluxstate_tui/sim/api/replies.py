"""HTTP responses in the API server's manner."""

from __future__ import annotations

import json
import uuid

from aiohttp import web

from fluxstate_tui.sim.api.json_types import JsonObject


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
