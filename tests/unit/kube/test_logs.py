"""The log of a container, with the kubelet's times."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from fluxstate_tui.kube.errors import BadRequest, NotFound
from fluxstate_tui.kube.logs import LogOf, read_log
from tests.unit.kube.server import answers, fake_api, open_cluster, status

OF = LogOf("ns", "pod", "box")


def line(second: float, text: str) -> bytes:
    """A line as the kubelet sends it with timestamps=true."""
    return f"2026-11-21T21:15:{second:012.9f}Z {text}\n".encode()


async def test_lines_are_given_with_their_times(tmp_path: Path) -> None:
    async def log(request: web.Request) -> web.StreamResponse:
        assert dict(request.query) == {"container": "box", "timestamps": "true", "tailLines": "3"}
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (line(1, "one"), b"no time here\n", line(2, "twoƒ")[:-1]):
            await response.write(piece)
        return response

    async with fake_api(log) as api, await open_cluster(tmp_path, api.url) as cluster:
        lines = await read_log(cluster, OF, tail=3)
    assert [found.text for found in lines] == ["one", "no time here", "twoƒ"]
    assert lines[0].at == 1795295701.0
    assert lines[1].at is None


async def test_a_missing_pod_or_container_is_an_error(tmp_path: Path) -> None:
    missing = status(404, 'pods "pod" not found', reason="NotFound", details={"name": "pod"})
    wrong = status(400, "container box is not valid for pod pod", reason="BadRequest")
    async with fake_api(answers(missing)) as api, await open_cluster(tmp_path, api.url) as cluster:
        with pytest.raises(NotFound):
            await read_log(cluster, OF)
        api.handler = answers(wrong)
        with pytest.raises(BadRequest):
            await read_log(cluster, OF)
