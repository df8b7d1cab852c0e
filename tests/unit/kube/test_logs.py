"""Logs are followed over cut connections: no line is lost, none comes twice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from fluxstate_tui.kube.errors import BadRequest, NotFound
from fluxstate_tui.kube.logs import LogOf, follow_log, read_log
from tests.unit.kube.clock import QuickClock
from tests.unit.kube.server import answers, fake_api, open_cluster, status

OF = LogOf("ns", "pod", "box")


def line(second: float, text: str) -> bytes:
    """A line as the kubelet sends it with timestamps=true."""
    return f"2026-11-21T21:15:{second:012.9f}Z {text}\n".encode()


@dataclass
class LogServer:
    """Plays log streams; a stream is pieces and how it ends (close or abort)."""

    streams: list[tuple[Sequence[bytes], str]]
    running: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/log"):
            state = "running" if self.running else "terminated"
            box = {"name": "box", "state": {state: {}}}
            metadata = {"name": "pod", "namespace": "ns", "uid": "u"}
            return web.json_response({"metadata": metadata, "status": {"containerStatuses": [box]}})
        self.asked.append(dict(request.query))
        pieces, end = self.streams.pop(0)
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if end == "abort" and request.transport is not None:
            request.transport.abort()
        self.running = bool(self.streams)
        return response


async def followed(folder: Path, server: LogServer) -> list[str]:
    clock = QuickClock()
    async with (
        fake_api(server) as api,
        await open_cluster(folder, api.url, clock) as cluster,
        aclosing(follow_log(cluster, OF, clock, tail=100)) as lines,
    ):
        return [found.text async for found in lines]


async def test_lines_are_given_with_their_times(tmp_path: Path) -> None:
    server = LogServer([([line(1, "one"), b"no time here\n", line(2, "twoƒ")[:-1]], "close")])
    async with fake_api(server) as api, await open_cluster(tmp_path, api.url) as cluster:
        lines = await read_log(cluster, OF, tail=3)
    assert [found.text for found in lines] == ["one", "no time here", "twoƒ"]
    assert lines[0].at == 1795295701.0
    assert lines[1].at is None
    assert server.asked == [{"container": "box", "timestamps": "true", "tailLines": "3"}]


async def test_following_ends_when_the_container_has_ended(tmp_path: Path) -> None:
    server = LogServer([([line(1, "one"), line(2, "last words")[:-1]], "close")])
    assert await followed(tmp_path, server) == ["one", "last words"]
    assert server.asked[0]["follow"] == "true"


async def test_a_cut_log_goes_on_without_losing_or_repeating_a_line(tmp_path: Path) -> None:
    first = [line(1, "a"), line(2.5, "b"), line(2.5, "b"), line(2.7, "half a line")[:20]]
    # sinceTime has whole seconds, so all of second 2 comes again.
    second = [line(2.5, "b"), line(2.5, "b"), line(2.5, "c"), line(2.7, "half a line")]
    third = [line(2.7, "half a line"), line(2.7, "half a line"), line(3, "d")]
    server = LogServer([(first, "abort"), (second, "close"), (third, "close")], running=True)
    found = await followed(tmp_path, server)
    assert found == ["a", "b", "b", "c", "half a line", "half a line", "d"]
    assert [asked.get("tailLines") for asked in server.asked] == ["100", None, None]
    assert server.asked[1]["sinceTime"] == "2026-11-21T21:15:02.500000000Z"


async def test_a_container_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    waits = 'container "box" in pod "pod" is waiting to start: ContainerCreating'
    server = LogServer([([line(1, "up")], "close")])
    refused = [True, True]

    async def handler(request: web.Request) -> web.StreamResponse:
        if refused and request.path.endswith("/log"):
            refused.pop()
            return status(400, waits, reason="BadRequest")()
        return await server(request)

    clock = QuickClock()
    async with (
        fake_api(handler) as api,
        await open_cluster(tmp_path, api.url, clock) as cluster,
        aclosing(follow_log(cluster, OF, clock)) as lines,
    ):
        assert [found.text async for found in lines] == ["up"]
    assert len(clock.pauses) == 2


async def test_a_missing_pod_or_container_is_an_error(tmp_path: Path) -> None:
    missing = status(404, 'pods "pod" not found', reason="NotFound", details={"name": "pod"})
    wrong = status(400, "container box is not valid for pod pod", reason="BadRequest")
    async with fake_api(answers(missing)) as api, await open_cluster(tmp_path, api.url) as cluster:
        with pytest.raises(NotFound):
            await read_log(cluster, OF)
        api.handler = answers(wrong)
        with pytest.raises(BadRequest):
            await anext(follow_log(cluster, OF, QuickClock()))
