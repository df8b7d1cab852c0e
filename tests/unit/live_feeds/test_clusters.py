"""What happens in a cluster is told to the store: everything, once, and how fresh it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from fluxstate_tui.live import events
from fluxstate_tui.live.cluster_feed import ClusterFeed
from tests.unit.kube.clock import QuickClock
from tests.unit.kube.server import fake_api, open_cluster
from tests.unit.live_feeds.api import FeedApi, owned

MINICLUSTERS = "/apis/flux-framework.org/v1alpha2/namespaces/ns/miniclusters"
PODS = "/api/v1/namespaces/ns/pods"
JOBS = "/apis/batch/v1/namespaces/ns/jobs"
EVENTS = "/api/v1/namespaces/ns/events"
ALL = (MINICLUSTERS, PODS, JOBS, EVENTS)
Told = TypeVar("Told")


class Heard(list[events.StoreEvent]):
    """What the store was told."""

    def of(self, kind: type[Told]) -> list[Told]:
        """All events of one kind."""
        return [event for event in self if isinstance(event, kind)]

    def freshness(self, source: str) -> list[str]:
        """What was said about one source, in order."""
        return [e.freshness.value for e in self.of(events.SourceChanged) if e.source == source]

    def now(self, source: str) -> str:
        """What was said last about one source."""
        return (self.freshness(source) or [""])[-1]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait for it."""
        async with asyncio.timeout(10):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.001)


@asynccontextmanager
async def feeding(folder: Path, api: FeedApi, **options: Any) -> AsyncIterator[Heard]:
    """Run a feed of namespace `ns` against this server."""
    heard = Heard()
    clock = QuickClock()
    options.setdefault("namespace", "ns")
    async with (
        fake_api(api) as server,
        await open_cluster(folder, server.url, clock, **options) as cluster,
    ):
        running = asyncio.create_task(ClusterFeed(cluster, heard.append, clock).run())
        try:
            yield heard
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            api.end()


def served(*paths: str) -> FeedApi:
    api = FeedApi()
    for path in paths:
        api.at(path)
    return api


async def test_each_source_says_when_it_is_live(tmp_path: Path) -> None:
    async with feeding(tmp_path, served(*ALL)) as heard:
        names = ("miniclusters", "pods", "jobs", "events")
        await heard.until(lambda: all(heard.now(name) == "live" for name in names))
    assert all(heard.freshness(name) == ["connecting", "live"] for name in names)
    assert heard.of(events.MiniClustersListed)[0].items == ()


async def test_a_minicluster_is_told_from_its_create_to_its_end(tmp_path: Path) -> None:
    api = served(*ALL)
    api.at(MINICLUSTERS).items = [owned("one", "u1", spec={"size": 3})]
    async with feeding(tmp_path, api) as heard:
        await heard.until(lambda: api.at(MINICLUSTERS).watchers)
        assert [item.size for item in heard.of(events.MiniClustersListed)[0].items] == [3]
        api.tell(MINICLUSTERS, "ADDED", owned("two", "u2", spec={"archive": {"path": "/s/a.tgz"}}))
        api.tell(MINICLUSTERS, "DELETED", owned("one", "u1"))
        await heard.until(lambda: heard.of(events.MiniClusterGone))
    assert heard.of(events.MiniClusterChanged)[0].item.archive_path == "/s/a.tgz"
    assert heard.of(events.MiniClusterGone)[0].uid == "u1"


async def test_a_pod_is_tied_to_its_cluster_when_the_job_arrives_later(tmp_path: Path) -> None:
    api = served(*ALL)
    async with feeding(tmp_path, api) as heard:
        await heard.until(lambda: api.at(PODS).watchers and api.at(JOBS).watchers)
        api.tell(PODS, "ADDED", owned("p", "p1", ("Job", "j1")))
        await heard.until(lambda: heard.of(events.PodChanged))
        assert heard.of(events.PodChanged)[0].item.cluster_uid == ""
        api.tell(JOBS, "ADDED", owned("flux-sample", "j1", ("MiniCluster", "u1")))
        await heard.until(lambda: len(heard.of(events.PodChanged)) == 2)
        assert heard.of(events.PodChanged)[1].item.cluster_uid == "u1"
        # The Job is gone at once, its pods linger: they still belong to the old MiniCluster.
        api.tell(JOBS, "DELETED", owned("flux-sample", "j1", ("MiniCluster", "u1")))
        await heard.until(lambda: heard.of(events.KubeJobGone))
        api.tell(PODS, "MODIFIED", owned("p", "p1", ("Job", "j1"), status={"phase": "Failed"}))
        await heard.until(lambda: len(heard.of(events.PodChanged)) == 3)
        assert heard.of(events.PodChanged)[2].item.cluster_uid == "u1"
        api.tell(PODS, "DELETED", owned("p", "p1"))
        await heard.until(lambda: heard.of(events.PodGone))


async def test_two_clusters_of_the_same_name_are_two(tmp_path: Path) -> None:
    api = served(*ALL)
    api.at(JOBS).items = [owned("flux-sample", "j2", ("MiniCluster", "new"))]
    api.at(PODS).items = [
        owned("flux-sample-0-old", "p1", ("Job", "j1")),
        owned("flux-sample-0-new", "p2", ("Job", "j2")),
    ]
    async with feeding(tmp_path, api) as heard:
        await heard.until(lambda: heard.of(events.PodsListed) and heard.of(events.KubeJobsListed))
    pods = {pod.uid: pod for pod in heard.of(events.PodsListed)[0].items}
    pods |= {event.item.uid: event.item for event in heard.of(events.PodChanged)}
    assert (pods["p1"].cluster_uid, pods["p2"].cluster_uid) == ("", "new")


async def test_an_event_is_told_once_until_it_is_counted_again(tmp_path: Path) -> None:
    def event(count: int) -> dict[str, Any]:
        more: dict[str, Any] = {
            "reason": "BackOff",
            "count": count,
            "lastTimestamp": "2026-11-21T21:00:00Z",
        }
        return owned("e", "e1", involvedObject={"kind": "Pod", "uid": "p1"}, **more)

    api = served(*ALL)
    api.at(EVENTS).items = [event(1)]
    async with feeding(tmp_path, api) as heard:
        await heard.until(lambda: api.at(EVENTS).watchers)
        api.tell(EVENTS, "MODIFIED", event(1))
        api.tell(EVENTS, "MODIFIED", event(2))
        await heard.until(lambda: heard.of(events.KubeEventSeen)[-1].item.count == 2)
    assert [seen.item.count for seen in heard.of(events.KubeEventSeen)] == [1, 2]
    assert heard.of(events.KubeEventSeen)[0].item.object_uid == "p1"


async def test_v1alpha1_is_found_where_nothing_newer_is_served(tmp_path: Path) -> None:
    old = MINICLUSTERS.replace("v1alpha2", "v1alpha1")
    api = served(old, PODS, JOBS, EVENTS)
    api.versions = ["v1alpha1"]
    api.at(old).items = [owned("one", "u1", apiVersion="flux-framework.org/v1alpha1")]
    async with feeding(tmp_path, api) as heard:
        await heard.until(lambda: heard.of(events.MiniClustersListed))
    listed = heard.of(events.MiniClustersListed)[0].items
    assert listed[0].api_version == "flux-framework.org/v1alpha1"


async def test_without_the_operator_it_says_so_and_notices_when_it_comes(tmp_path: Path) -> None:
    api = served(PODS, JOBS, EVENTS)
    api.versions = []
    async with feeding(tmp_path, api) as heard:
        await heard.until(lambda: heard.now("miniclusters") == "absent")
        said = [e.detail for e in heard.of(events.SourceChanged) if e.source == "miniclusters"]
        assert "Flux Operator is not installed" in said[-1]
        api.versions = ["v1alpha2"]
        api.at(MINICLUSTERS).items = [owned("one", "u1")]
        await heard.until(lambda: heard.of(events.MiniClustersListed)[-1].items)
        await heard.until(lambda: heard.now("miniclusters") == "live")


async def test_all_namespaces_fall_back_to_one_when_they_are_forbidden(tmp_path: Path) -> None:
    api = served(*ALL)
    everywhere = [path.replace("/namespaces/ns", "") for path in ALL]
    for path in everywhere:
        api.at(path).refuse = 403
    api.at(MINICLUSTERS).items = [owned("one", "u1")]
    async with feeding(tmp_path, api, all_namespaces=True) as heard:
        await heard.until(lambda: heard.now("miniclusters") == "live")
        await heard.until(lambda: heard.now("pods") == "live")
    notes = [e.detail for e in heard.of(events.SourceChanged) if e.freshness.value == "live"]
    assert all(note.startswith("Only namespace 'ns'") for note in notes)
    assert heard.of(events.MiniClustersListed)[-1].items[0].ref.name == "one"


async def test_one_forbidden_source_does_not_stop_the_others(tmp_path: Path) -> None:
    api = served(*ALL)
    api.at(EVENTS).refuse = 403
    async with feeding(tmp_path, api) as heard:
        await heard.until(lambda: heard.now("events") == "forbidden")
        await heard.until(lambda: heard.now("pods") == "live")
    said = [e.detail for e in heard.of(events.SourceChanged) if e.source == "events"]
    assert 'resources: ["events"]' in said[-1]


async def test_a_server_that_goes_away_leaves_the_last_picture(tmp_path: Path) -> None:
    heard = Heard()
    clock = QuickClock()
    api = served(*ALL)
    api.at(MINICLUSTERS).items = [owned("one", "u1")]
    async with fake_api(api) as server:
        cluster = await open_cluster(tmp_path, server.url, clock, namespace="ns")
        running = asyncio.create_task(ClusterFeed(cluster, heard.append, clock).run())
        await heard.until(lambda: all(api.at(path).watchers for path in ALL))
        api.end()
    await heard.until(lambda: heard.now("miniclusters") == "stale")
    assert not running.done()
    assert heard.of(events.MiniClusterGone) == []
    assert len(heard.of(events.MiniClustersListed)) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await cluster.close()
