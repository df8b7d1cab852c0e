"""Faults do what they say, as often as they say, to the requests that they mean."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.sim_api.conftest import MINICLUSTERS, Client, minicluster
from tests.unit.sim_api.test_lists_and_watches import CONFIGMAPS, config, watching


async def test_a_status_fault_hits_its_path_and_count_only(
    cluster: SimulatedCluster, api: Client
) -> None:
    cluster.faults.add("status", path="/miniclusters", code=429, seconds=3, count=2, skip=1)
    codes = [(await api("GET", MINICLUSTERS))[0] for _ in range(4)]
    assert codes == [200, 429, 429, 200]
    assert (await api("GET", CONFIGMAPS))[0] == 200
    cluster.faults.add("status", path="/miniclusters", code=429, seconds=3)
    _, body = await api("GET", MINICLUSTERS)
    assert body["reason"] == "TooManyRequests"
    assert body["details"]["retryAfterSeconds"] == 3


async def test_a_dropped_request_has_no_effect_and_a_lost_answer_has_one(
    cluster: SimulatedCluster, api: Client
) -> None:
    for kind, name in (("drop", "a"), ("lost-answer", "b")):
        cluster.faults.add(kind, method="POST")
        with pytest.raises(aiohttp.ClientError):
            await api("POST", CONFIGMAPS, config(name))
    _, listed = await api("GET", CONFIGMAPS)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["b"]


async def test_a_silent_watch_stays_open_and_says_nothing(
    cluster: SimulatedCluster, api: Client
) -> None:
    cluster.faults.add("silent", path="watch=1")
    async with watching(api, CONFIGMAPS) as watch:
        await api("POST", CONFIGMAPS, config("a"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await watch.next()


async def test_a_cut_watch_dies_after_some_events(cluster: SimulatedCluster, api: Client) -> None:
    cluster.faults.add("cut", amount=1)
    async with watching(api, CONFIGMAPS) as watch:
        await api("POST", CONFIGMAPS, config("a"))
        assert (await watch.next())[0] == "ADDED"
        await api("POST", CONFIGMAPS, config("b"))
        with pytest.raises(aiohttp.ClientError):
            await watch.next()


async def test_an_expired_watch_gets_an_error_event(cluster: SimulatedCluster, api: Client) -> None:
    cluster.faults.add("expire")
    async with watching(api, CONFIGMAPS, resourceVersion="200") as watch:
        kind, status = await watch.next()
        assert (kind, status["code"]) == ("ERROR", 410)


async def test_a_restarting_api_server_refuses_and_comes_back_at_the_same_port(
    cluster: SimulatedCluster, api: Client, alice: str
) -> None:
    services = "/api/v1/namespaces/flux/services"
    assert (await api("GET", services, token=alice))[0] == 200
    await cluster.faults.do("restart-api", seconds=0.2)
    with pytest.raises(aiohttp.ClientError):
        await api("POST", services, {})  # A connection from before.
    async with aiohttp.ClientSession() as fresh:
        with pytest.raises(aiohttp.ClientConnectorError):
            await fresh.get(cluster.url + "/api")
        client = Client(fresh, cluster.url, cluster.token)
        async with asyncio.timeout(5):
            while True:
                try:
                    status, _ = await client("GET", services, token=alice)
                    break
                except aiohttp.ClientConnectorError:
                    await asyncio.sleep(0.05)
        # The caches of the authorizer fill: a 403 is final only when it lasts.
        assert status == 403
        assert (await client("GET", MINICLUSTERS))[0] == 200


async def test_faults_over_http_need_the_admins_token(api: Client, alice: str) -> None:
    fault = {"kind": "status", "code": 500, "path": "/miniclusters", "count": -1}
    assert (await api("POST", "/sim/faults", fault, token=alice))[0] == 403
    assert (await api("POST", "/sim/faults", fault))[0] == 200
    assert (await api("GET", MINICLUSTERS))[0] == 500
    _, listed = await api("GET", "/sim/faults")
    assert [entry["kind"] for entry in listed["faults"]] == ["status"]
    await api("DELETE", "/sim/faults")
    assert (await api("GET", MINICLUSTERS))[0] == 200


@pytest.mark.parametrize(
    "body", [{"kind": "nonsense"}, {"kind": "drop", "colour": 1}, {"kind": "kill-lead"}]
)
async def test_an_unknown_fault_is_refused_with_its_name(
    body: dict[str, object], api: Client
) -> None:
    status, answer = await api("POST", "/sim/faults", body)
    assert (status, answer["reason"]) == (400, "BadRequest")


async def test_a_full_disk_takes_what_fits_and_no_more(cluster: SimulatedCluster) -> None:
    cluster.put_file("/data", "old", b"x" * 5000)
    await cluster.faults.do("fill-disk", path="/data", free=0)
    with pytest.raises(OSError, match="No space left"):
        cluster.put_file("/data", "new", b"y")


async def test_dry_run_changes_nothing(api: Client) -> None:
    await api("POST", MINICLUSTERS, minicluster())
    merge = {"Content-Type": "application/merge-patch+json"}
    for method, path, body, headers in (
        ("POST", f"{MINICLUSTERS}?dryRun=All", minicluster("mc-b"), None),
        ("PATCH", f"{MINICLUSTERS}/mc-a?dryRun=All", {"spec": {"size": 9}}, merge),
        ("DELETE", f"{MINICLUSTERS}/mc-a?dryRun=All", None, None),
    ):
        status, _ = await api(method, path, body, headers)
        assert status in {200, 201}
    _, listed = await api("GET", MINICLUSTERS)
    assert [(o["metadata"]["name"], o["spec"]["size"]) for o in listed["items"]] == [("mc-a", 2)]
