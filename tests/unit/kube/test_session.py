"""What leaves, and what an answer becomes."""

from __future__ import annotations

from pathlib import Path

from fluxstate_tui.kube.resources import MINICLUSTERS, PODS
from tests.unit.kube.server import answers, fake_api, ok, open_cluster


async def test_a_list_follows_every_page(tmp_path: Path) -> None:
    first = {"items": [{"n": 1}], "metadata": {"continue": "more", "resourceVersion": "5"}}
    second = {"items": [{"n": 2}], "metadata": {"resourceVersion": "5"}}
    async with (
        fake_api(answers(ok(first), ok(second))) as api,
        await open_cluster(tmp_path, api.url) as cluster,
    ):
        assert await cluster.list(PODS, "ns") == [{"n": 1}, {"n": 2}]
    assert [asked.path for asked in api.asked] == ["/api/v1/namespaces/ns/pods"] * 2
    assert [asked.query.get("continue") for asked in api.asked] == [None, "more"]
    assert api.asked[0].query["limit"] == "250"


async def test_the_token_goes_with_every_request(tmp_path: Path) -> None:
    async with fake_api(answers(ok())) as api, await open_cluster(tmp_path, api.url) as cluster:
        await cluster.get(MINICLUSTERS, "a", "ns")
    assert api.asked[0].headers["Authorization"] == ["Bearer t"]
