"""An API server that lies, or somebody on the way to it."""

from __future__ import annotations

import gzip
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from fluxstate_tui.kube import transport
from fluxstate_tui.kube.errors import BadAnswer, BadConfig, KubeError
from tests.unit.kube.server import answers, fake_api, ok, open_cluster

BEARER = {"token": "sesame"}


def elsewhere(url: str) -> web.Response:
    return web.Response(status=302, headers={"Location": f"{url}/stolen"}, text="go there")


async def test_no_handshake_follows_a_redirect_with_the_name_to_act_as(tmp_path: Path) -> None:
    async with (
        fake_api(answers(ok())) as thief,
        fake_api(answers(lambda: elsewhere(thief.url))) as api,
    ):
        user = {**BEARER, "as": "admin"}
        async with await open_cluster(tmp_path, api.url, user=user) as cluster:
            with pytest.raises(KubeError) as refused:
                await cluster.exec("ns", "pod", "container", ["true"])
        assert thief.asked == []
    assert "elsewhere" in refused.value.message
    assert "go there" not in refused.value.message


async def test_no_request_follows_a_redirect(tmp_path: Path) -> None:
    async with (
        fake_api(answers(ok())) as thief,
        fake_api(answers(lambda: elsewhere(thief.url))) as api,
    ):
        async with await open_cluster(tmp_path, api.url, user=BEARER) as cluster:
            for method in ("GET", "POST"):
                with pytest.raises(BadAnswer, match="elsewhere"):
                    await cluster.request(method, "/api/v1/pods")
        assert thief.asked == []


async def test_no_token_goes_over_plain_http_to_another_computer(tmp_path: Path) -> None:
    async with fake_api(answers(ok())) as proxy:
        far = {"proxy-url": proxy.url}
        async with await open_cluster(
            tmp_path, "http://cluster.example", user=BEARER, cluster=far
        ) as cluster:
            await cluster.request("GET", "/version")
        (asked,) = proxy.asked
        assert "Authorization" not in asked.headers


async def test_only_true_turns_the_checks_of_tls_off(tmp_path: Path) -> None:
    words = {"insecure-skip-tls-verify": "false"}
    async with await open_cluster(tmp_path, "https://localhost:1", cluster=words) as cluster:
        with pytest.raises(BadConfig, match="neither true nor false"):
            await cluster.request("GET", "/version")


async def test_a_bomb_in_an_answer_is_not_inflated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MOST_OF_AN_ANSWER", 1 << 20)
    bomb = gzip.compress(bytes(64 << 20))

    def answer() -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with (
        fake_api(answers(answer)) as api,
        await open_cluster(tmp_path, api.url) as cluster,
    ):
        with pytest.raises(BadAnswer, match="more than 1 MiB"):
            await cluster.request("GET", "/api/v1/pods")


async def test_what_is_nested_too_deeply_is_no_answer(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    bodies = (deep, '{"items":[' + deep + "]}")
    for body in bodies:
        async with (
            fake_api(answers(partial(web.Response, text=body))) as api,
            await open_cluster(tmp_path, api.url) as cluster,
        ):
            with pytest.raises(BadAnswer):
                await cluster.request("GET", "/api/v1/pods")


async def test_an_answer_that_cannot_be_read_does_not_show_the_token_of_its_path(
    tmp_path: Path,
) -> None:
    def long_header() -> web.Response:
        return web.Response(headers={"X-Long": "x" * 9000})

    async with (
        fake_api(answers(long_header)) as api,
        await open_cluster(tmp_path, f"{api.url}/token/open-sesame") as cluster,
    ):
        with pytest.raises(KubeError) as broken:
            await cluster.request("GET", "/version")
        assert "open-sesame" not in broken.value.message
        assert len(broken.value.message) < 300
