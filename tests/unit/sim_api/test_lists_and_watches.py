"""Lists in pages, selectors, and watch streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.sim_api.conftest import MINICLUSTERS, Client, minicluster

CONFIGMAPS = "/api/v1/namespaces/flux/configmaps"


def config(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


class Watch:
    """An open watch, read line by line."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> tuple[str, Any]:
        line = await asyncio.wait_for(self.response.content.readline(), 5)
        if not line:
            return "END", None
        event = json.loads(line)
        return event["type"], event["object"]


@asynccontextmanager
async def watching(api: Client, path: str, **query: str) -> AsyncIterator[Watch]:
    async with api.session.get(
        api.url + path,
        params={"watch": "1", **query},
        headers={"Authorization": f"Bearer {api.token}"},
    ) as response:
        assert response.status == 200
        yield Watch(response)


async def test_pages_add_up_and_stay_one_picture_while_others_write(api: Client) -> None:
    for name in "abcde":
        await api("POST", CONFIGMAPS, config(name))
    _, first = await api("GET", f"{CONFIGMAPS}?limit=2")
    assert first["metadata"]["remainingItemCount"] == 3
    await api("DELETE", f"{CONFIGMAPS}/d")
    token = first["metadata"]["continue"]
    _, second = await api("GET", f"{CONFIGMAPS}?limit=9&continue={token}")
    assert [item["metadata"]["name"] for item in first["items"] + second["items"]] == list("abcde")
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_an_expired_continue_token_gets_410_and_a_fresh_one_that_works(
    cluster: SimulatedCluster, api: Client
) -> None:
    for name in "abc":
        await api("POST", CONFIGMAPS, config(name))
    _, first = await api("GET", f"{CONFIGMAPS}?limit=1")
    await cluster.faults.do("compact")
    status, gone = await api("GET", f"{CONFIGMAPS}?continue={first['metadata']['continue']}")
    assert (status, gone["reason"], gone["code"]) == (410, "Expired", 410)
    _, rest = await api("GET", f"{CONFIGMAPS}?continue={gone['metadata']['continue']}")
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=x", "ac"), ("app!=x", "bd"), ("app in (x,y)", "abc"), ("app notin (x)", "bd"),
        ("app", "abc"), ("!app", "d"), ("app=x,tier=1", "a"),
    ],
)  # fmt: skip
async def test_label_selectors_select(selector: str, names: str, api: Client) -> None:
    await api("POST", CONFIGMAPS, config("a", app="x", tier="1"))
    await api("POST", CONFIGMAPS, config("b", app="y"))
    await api("POST", CONFIGMAPS, config("c", app="x"))
    await api("POST", CONFIGMAPS, config("d"))
    _, body = await api("GET", f"{CONFIGMAPS}?labelSelector={selector.replace(' ', '%20')}")
    assert "".join(item["metadata"]["name"] for item in body["items"]) == names


async def test_a_watch_without_a_version_begins_with_what_there_is(api: Client) -> None:
    await api("POST", CONFIGMAPS, config("old"))
    async with watching(api, CONFIGMAPS) as watch:
        assert (await watch.next())[1]["metadata"]["name"] == "old"
        await api("POST", CONFIGMAPS, config("new"))
        kind, new = await watch.next()
        assert (kind, new["metadata"]["name"]) == ("ADDED", "new")


async def test_a_watch_resumes_from_a_version_without_loss_or_repetition(api: Client) -> None:
    _, first = await api("POST", CONFIGMAPS, config("a"))
    await api("POST", CONFIGMAPS, config("b"))
    await api("DELETE", f"{CONFIGMAPS}/a")
    version = first["metadata"]["resourceVersion"]
    async with watching(api, CONFIGMAPS, resourceVersion=version) as watch:
        seen = [await watch.next(), await watch.next()]
    assert [(kind, o["metadata"]["name"]) for kind, o in seen] == [("ADDED", "b"), ("DELETED", "a")]


async def test_an_object_that_stops_matching_is_deleted_for_a_selective_watch(api: Client) -> None:
    _, made = await api("POST", CONFIGMAPS, config("a", app="x"))
    version = made["metadata"]["resourceVersion"]
    async with watching(api, CONFIGMAPS, labelSelector="app=x", resourceVersion=version) as watch:
        merge = {"Content-Type": "application/merge-patch+json"}
        patch = {"metadata": {"labels": {"app": "y"}}}
        await api("PATCH", f"{CONFIGMAPS}/a", patch, merge)
        assert (await watch.next())[0] == "DELETED"


async def test_a_watch_from_a_forgotten_version_gets_an_error_event(
    cluster: SimulatedCluster, api: Client
) -> None:
    await api("POST", CONFIGMAPS, config("a"))
    await cluster.faults.do("compact")
    async with watching(api, CONFIGMAPS, resourceVersion="1") as watch:
        kind, status = await watch.next()
        assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
        assert status["message"].startswith("too old resource version: 1 (")
        assert (await watch.next())[0] == "END"


async def test_bookmarks_carry_the_version_and_nothing_else(api: Client) -> None:
    _, listed = await api("GET", MINICLUSTERS)
    version = listed["metadata"]["resourceVersion"]
    async with watching(
        api, MINICLUSTERS, resourceVersion=version, allowWatchBookmarks="true"
    ) as watch:
        kind, mark = await watch.next()
    assert kind == "BOOKMARK"
    assert mark == {
        "apiVersion": "flux-framework.org/v1alpha2",
        "kind": "MiniCluster",
        "metadata": {"resourceVersion": version},
    }


async def test_a_watch_ends_after_its_timeout(api: Client) -> None:
    async with watching(api, CONFIGMAPS, timeoutSeconds="1") as watch:
        assert (await watch.next())[0] == "END"


async def test_send_initial_events_is_refused_as_1_33_does(api: Client) -> None:
    path = f"{MINICLUSTERS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true"
    status, body = await api("GET", path)
    assert status == 422
    assert body["details"]["causes"][0]["field"] == "sendInitialEvents"


async def test_a_future_version_is_silence_on_watch(api: Client) -> None:
    async with watching(api, CONFIGMAPS, resourceVersion="99999", timeoutSeconds="1") as watch:
        await api("POST", CONFIGMAPS, config("a"))
        assert (await watch.next())[0] == "END"


async def test_partial_metadata_leaves_spec_and_status_out(api: Client) -> None:
    await api("POST", MINICLUSTERS, minicluster())
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    _, body = await api("GET", MINICLUSTERS, headers=accept)
    assert body["kind"] == "PartialObjectMetadataList"
    assert set(body["items"][0]) == {"kind", "apiVersion", "metadata"}
