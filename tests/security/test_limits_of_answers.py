"""A command in a pod that answers without an end."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from fluxstate_tui.kube import exec as execs
from fluxstate_tui.kube.errors import ExecUnknown
from tests.unit.kube.exec_server import SUCCESS, V4, V5, plays
from tests.unit.kube.server import fake_api, open_cluster

PIECE = b"\x01" + b"x" * 1_000


async def endless(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=(V5, V4))
    await socket.prepare(request)
    while not socket.closed:
        await socket.send_bytes(PIECE)
    return socket


async def test_what_answers_without_an_end_is_cut_off_and_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execs, "MOST_OUTPUT", 100_000)
    async with fake_api(endless) as api, await open_cluster(tmp_path, api.url) as cluster:
        with pytest.raises(ExecUnknown, match="more than 100,000 bytes"):
            await cluster.exec("ns", "pod", "box", ["cat"], timeout=20)


async def test_as_much_as_may_be_answered_comes_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execs, "MOST_OUTPUT", 100_000)
    whole = plays([PIECE] * 100 + [SUCCESS])
    async with fake_api(whole) as api, await open_cluster(tmp_path, api.url) as cluster:
        assert len((await cluster.exec("ns", "pod", "box", ["cat"])).stdout) == 100_000


async def test_no_message_of_a_socket_is_endless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fluxstate_tui.kube.transport.MOST_MESSAGE", 500)
    async with (
        fake_api(plays([PIECE, SUCCESS])) as api,
        await open_cluster(tmp_path, api.url) as cluster,
    ):
        with pytest.raises(ExecUnknown, match="500"):
            await cluster.exec("ns", "pod", "box", ["cat"], timeout=20)
