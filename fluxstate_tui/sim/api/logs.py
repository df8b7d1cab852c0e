"""pods/log: `kubectl logs`, with -f, --tail, --since, --timestamps and --previous."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from aiohttp import web

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.context import ApiContext
from fluxstate_tui.sim.api.exec_socket import pick_container
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import PODS
from fluxstate_tui.sim.api.request import Target, is_true
from fluxstate_tui.sim.api.runtime import LogFile
from fluxstate_tui.sim.api.store import from_rfc3339


async def serve_log(
    context: ApiContext, request: web.Request, target: Target
) -> web.StreamResponse:
    """GET pods/NAME/log. Raises ApiError 400, 404."""
    query = request.query
    pod = context.store.get(PODS, target.namespace, target.name)
    if pod is None:
        raise errors.not_found(PODS, target.name)
    container = pick_container(pod, query.get("container", ""))
    if not pod["spec"].get("nodeName"):
        return web.Response(status=204)
    previous = is_true(query.get("previous", ""))
    log = context.runtime.log(target.namespace, target.name, container, previous=previous)
    if log is None:
        raise _no_log(pod, container, previous=previous)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        await _send(response, log, query, context.store.now())
        await response.write_eof()
    except ConnectionError:
        pass  # The reader has left.
    return response


def _no_log(pod: JsonObject, container: str, *, previous: bool) -> errors.ApiError:
    name = pod["metadata"]["name"]
    if previous:
        text = f'previous terminated container "{container}" in pod "{name}" not found'
        return errors.bad_request(text)
    status = pod.get("status", {})
    states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    reason = next(
        (s["state"].get("waiting", {}).get("reason") for s in states if s["name"] == container),
        "ContainerCreating",
    )
    words = {
        "ErrImagePull": "image can't be pulled",
        "ImagePullBackOff": "trying and failing to pull image",
    }
    why = words.get(str(reason), str(reason or "ContainerCreating"))
    return errors.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')


def _first_line(log: LogFile, query: Mapping[str, str], now: float) -> int:
    start = 0
    tail = query.get("tailLines", "")
    if tail.isdigit():
        start = max(0, len(log.lines) - int(tail))
    since = None
    if query.get("sinceSeconds", "").isdigit():
        since = now - int(query["sinceSeconds"])
    elif query.get("sinceTime"):
        since = from_rfc3339(query["sinceTime"])
    while since is not None and start < len(log.lines) and log.lines[start][0] < since:
        start += 1
    return start


def _stamp(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond:06d}000Z"


async def _send(
    response: web.StreamResponse, log: LogFile, query: Mapping[str, str], now: float
) -> None:
    position = _first_line(log, query, now)
    follow = is_true(query.get("follow", ""))
    stamped = is_true(query.get("timestamps", ""))
    limit = int(query["limitBytes"]) if query.get("limitBytes", "").isdigit() else None
    while True:
        chunk = "".join(
            f"{_stamp(at)} {line}\n" if stamped else f"{line}\n"
            for at, line in log.lines[position:]
        ).encode()
        position = len(log.lines)
        if limit is not None:
            chunk, limit = chunk[:limit], limit - len(chunk)
        if chunk:
            await response.write(chunk)
        if not follow or log.closed or (limit is not None and limit <= 0):
            return
        await log.changed()
