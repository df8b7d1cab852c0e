"""What leaves, and how a cluster is talked to."""

from __future__ import annotations

import math
import subprocess
import sys
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.kube.errors import CannotConnect, RequestInfo
from fluxstate_tui.kube.objects import JOBS, MINICLUSTERS, NAMESPACES, PODS, PVS
from fluxstate_tui.kube.transport import ServerClock
from tests.unit.kube.clock import QuickClock
from tests.unit.kube.server import answers, body_of, fake_api, ok, open_cluster


async def test_a_list_follows_every_page(tmp_path: Path) -> None:
    first = {"items": [{"n": 1}], "metadata": {"continue": "more", "resourceVersion": "5"}}
    second = {"items": [{"n": 2}], "metadata": {"resourceVersion": "5"}}
    async with (
        fake_api(answers(ok(first), ok(second))) as api,
        await open_cluster(tmp_path, api.url) as cluster,
    ):
        assert await cluster.list(PODS, "ns", label_selector="a=b") == [{"n": 1}, {"n": 2}]
    assert [asked.path for asked in api.asked] == ["/api/v1/namespaces/ns/pods"] * 2
    assert [asked.query.get("continue") for asked in api.asked] == [None, "more"]
    assert all(asked.query["labelSelector"] == "a=b" for asked in api.asked)
    assert api.asked[0].query["limit"] == "250"


async def test_every_verb_has_its_method_and_content_type(tmp_path: Path) -> None:
    async with fake_api(answers(ok())) as api, await open_cluster(tmp_path, api.url) as cluster:
        await cluster.get(JOBS, "a", "ns")
        await cluster.create(MINICLUSTERS, {"spec": {}}, "ns", dry_run=True)
        await cluster.replace(PODS, "a", {"x": 1}, "ns")
        await cluster.delete(PVS, "a")
    path = "/apis/flux-framework.org/v1alpha2/namespaces/ns/miniclusters"
    sent = [(a.method, a.path, a.headers.get("Content-Type", [""])[0]) for a in api.asked]
    assert sent == [
        ("GET", "/apis/batch/v1/namespaces/ns/jobs/a", ""),
        ("POST", path, "application/json"),
        ("PUT", "/api/v1/namespaces/ns/pods/a", "application/json"),
        ("DELETE", "/api/v1/persistentvolumes/a", "application/json"),
    ]
    assert api.asked[1].query == {"dryRun": "All"}
    assert body_of(api.asked[2]) == {"x": 1}


async def test_a_delete_means_this_very_object_and_never_the_foreground(tmp_path: Path) -> None:
    async with fake_api(answers(ok())) as api, await open_cluster(tmp_path, api.url) as cluster:
        await cluster.delete(MINICLUSTERS, "a", "ns", uid="u1", resource_version="7")
        await cluster.delete(MINICLUSTERS, "a", "ns")
    first, second = map(body_of, api.asked)
    assert first["preconditions"] == {"uid": "u1", "resourceVersion": "7"}
    assert first["propagationPolicy"] == second["propagationPolicy"] == "Background"
    assert "preconditions" not in second


async def test_where_and_as_whom_we_are_can_be_asked(tmp_path: Path) -> None:
    async with await open_cluster(tmp_path, "http://localhost:1", namespace="ns") as cluster:
        assert (cluster.namespace, cluster.scope) == ("ns", "ns")
        assert (cluster.context, cluster.user) == ("here", "u")
        assert cluster.server == "http://localhost:1"
        assert not cluster.read_only
    async with await open_cluster(tmp_path, "http://x", all_namespaces=True) as cluster:
        assert (cluster.namespace, cluster.scope) == ("default", None)


async def test_the_served_version_of_miniclusters_is_asked_once(tmp_path: Path) -> None:
    group = {"versions": [{"version": "v1alpha1"}, {"version": "v1alpha2"}]}
    async with (
        fake_api(answers(ok(group))) as api,
        await open_cluster(tmp_path, api.url) as cluster,
    ):
        assert (await cluster.minicluster_resource()).version == "v1alpha2"
        assert (await cluster.minicluster_resource()).version == "v1alpha2"
    assert [asked.path for asked in api.asked] == ["/apis/flux-framework.org"]


async def test_rights_are_asked_for_and_remembered_for_a_minute(tmp_path: Path) -> None:
    clock = QuickClock()
    async with (
        fake_api(answers(ok({"status": {"allowed": True}}), ok({"status": {}}))) as api,
        await open_cluster(tmp_path, api.url, clock) as cluster,
    ):
        for _time in range(3):
            assert await cluster.access.can("delete", MINICLUSTERS, "ns")
        assert not await cluster.access.can("delete", MINICLUSTERS)
        clock.time += 61
        assert not await cluster.access.can("delete", MINICLUSTERS, "ns")
    assert len(api.asked) == 3
    spec = body_of(api.asked[0])["spec"]["resourceAttributes"]
    assert spec == {
        "verb": "delete",
        "group": "flux-framework.org",
        "version": "v1alpha2",
        "resource": "miniclusters",
        "namespace": "ns",
    }
    assert body_of(api.asked[1])["spec"]["resourceAttributes"]["namespace"] == ""


async def test_exec_needs_two_rights(tmp_path: Path) -> None:
    """`get` before Kubernetes 1.35, `create` as well since."""

    async def only_get(request: web.Request) -> web.StreamResponse:
        attributes = (await request.json())["spec"]["resourceAttributes"]
        assert (attributes["resource"], attributes["subresource"]) == ("pods", "exec")
        return web.json_response({"status": {"allowed": attributes["verb"] == "get"}})

    async with fake_api(only_get) as api, await open_cluster(tmp_path, api.url) as cluster:
        assert not await cluster.access.can_exec("ns")
    assert len(api.asked) == 2


async def test_the_servers_clock_is_learned_from_its_answers(tmp_path: Path) -> None:
    clock = QuickClock(1_795_300_000.0)
    dated = ok({}, Date="Sat, 21 Nov 2026 22:30:00 GMT")
    async with (
        fake_api(answers(dated)) as api,
        await open_cluster(tmp_path, api.url, clock) as cluster,
    ):
        assert cluster.clock_offset == 0.0
        await cluster.get(PODS, "a", "ns")
        assert abs(cluster.clock_offset - 200.5) < 0.001


@given(
    offset=st.floats(-1e6, 1e6),
    answers_=st.lists(st.tuples(st.floats(0, 3), st.floats(0.001, 2)), min_size=1, max_size=20),
)
def test_the_servers_clock_is_known_to_half_of_a_second_and_of_the_shortest_answer(
    offset: float, answers_: list[tuple[float, float]]
) -> None:
    clock, now, shortest = ServerClock(), 1_795_300_000.0, math.inf
    for pause, takes in answers_:
        sent = now + pause
        now = sent + takes
        clock.update(formatdate(int(sent + takes / 2 + offset), usegmt=True), sent, now)
        shortest = min(shortest, takes)
        assert abs(clock.offset - offset) <= (1 + shortest) / 2 + 1e-3
    clock.update("rubbish", now, now)
    clock.update(None, now, now)


def test_a_clock_that_was_set_is_followed() -> None:
    clock = ServerClock()
    clock.update("Sat, 21 Nov 2026 22:30:00 GMT", 1_795_300_200.0, 1_795_300_200.5)
    clock.update("Sat, 21 Nov 2026 23:30:00 GMT", 1_795_300_201.0, 1_795_300_201.5)
    assert abs(clock.offset - 3599.25) < 0.5


def test_requests_are_taken_apart_as_rbac_does() -> None:
    def told(method: str, path: str, **params: str) -> tuple[str, ...]:
        info = RequestInfo.of(method, path, params)
        return info.verb, info.group, info.resource, info.namespace, info.name

    assert told("GET", PODS.path("ns")) == ("list", "", "pods", "ns", "")
    assert told("GET", PODS.path(None), watch="true") == ("watch", "", "pods", "", "")
    assert told("GET", PODS.path("ns", "a", "exec")) == ("get", "", "pods/exec", "ns", "a")
    assert told("DELETE", NAMESPACES.path(None, "x")) == ("delete", "", "namespaces", "", "x")
    path = MINICLUSTERS.path("ns", "a", "scale")
    assert told("PATCH", path)[:3] == ("patch", "flux-framework.org", "miniclusters/scale")
    assert told("DELETE", PODS.path("ns"))[0] == "deletecollection"
    assert told("GET", "/version")[2] == "/version"


def test_names_cannot_leave_their_place_in_a_path() -> None:
    assert PODS.path("ns", "../../secrets?x") == (
        "/api/v1/namespaces/ns/pods/..%2F..%2Fsecrets%3Fx"
    )


def test_importing_the_client_costs_neither_aiohttp_nor_kubernetes() -> None:
    """They are imported when a cluster is opened, after the first paint."""
    modules = "client watch manifest objects logs errors kubeconfig"
    program = (
        "import importlib, sys\n"
        f"for name in {modules.split()!r}:\n"
        "    importlib.import_module('fluxstate_tui.kube.' + name)\n"
        "import fluxstate_tui.live.cluster_feed\n"
        "print([m for m in ('aiohttp', 'kubernetes', 'yaml', 'textual') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_connection_that_we_closed_ourselves_is_no_bug(tmp_path: Path, method: str) -> None:
    async with fake_api(answers(ok())) as api:
        async with await open_cluster(tmp_path, api.url) as cluster:
            pass
        with pytest.raises(CannotConnect, match="closed here"):
            await cluster.request(method, "/api/v1/pods")
        with pytest.raises(CannotConnect, match="closed here"):
            await cluster.exec("ns", "pod", "container", ["true"])
    assert api.asked == []
