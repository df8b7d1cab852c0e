"""--read-only is kept where requests leave: nothing that could change anything goes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.errors import ReadOnly
from fluxstate_tui.kube.objects import JOBS, LEASES, MINICLUSTERS, PODS, PVCS, Resource
from fluxstate_tui.kube.transport import changes_something
from tests.unit.kube.server import answers, body_of, fake_api, ok, open_cluster

KINDS = (PODS, MINICLUSTERS, JOBS, PVCS, LEASES)


@asynccontextmanager
async def watched_cluster(folder: Path) -> AsyncIterator[tuple[Cluster, list[str]]]:
    """A read-only cluster whose server counts connections, not only requests."""
    connections: list[str] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(str(writer.get_extra_info("peername")))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        url = f"http://127.0.0.1:{port}"
        async with await open_cluster(folder, url, read_only=True) as cluster:
            yield cluster, connections


@pytest.mark.parametrize("resource", KINDS, ids=lambda kind: kind.plural)
async def test_every_change_is_refused_before_a_socket_is_opened(
    tmp_path: Path, resource: Resource
) -> None:
    async with watched_cluster(tmp_path) as (cluster, connections):
        changes = [
            cluster.create(resource, {}, "ns"),
            cluster.create(resource, {}, "ns", dry_run=True),
            cluster.replace(resource, "a", {}, "ns"),
            cluster.request("PATCH", resource.path("ns", "a", "scale"), body={}),
            cluster.delete(resource, "a", "ns"),
            cluster.request("POST", resource.path("ns", "a", "eviction"), body={}),
            cluster.request("OPTIONS", resource.path("ns")),
            cluster.request("get", resource.path("ns")),
            cluster.exec("ns", "a", "box", ["ls"]),
        ]
        for change in changes:
            with pytest.raises(ReadOnly) as caught:
                await change
            assert caught.value.exit_code == 5
        assert connections == []


async def test_reading_and_asking_for_rights_still_work(tmp_path: Path) -> None:
    allowed = {"status": {"allowed": True}, "items": []}
    async with (
        fake_api(answers(ok(allowed))) as api,
        await open_cluster(tmp_path, api.url, read_only=True) as cluster,
    ):
        assert cluster.read_only
        await cluster.list(PODS)
        assert await cluster.access.can_exec("ns")
    verbs = [body_of(asked)["spec"]["resourceAttributes"]["verb"] for asked in api.asked[1:]]
    assert verbs == ["get", "create"]


SEGMENTS = st.lists(
    st.sampled_from(["api", "v1", "pods", "exec", "proxy", "a", "selfsubjectaccessreviews", ".."]),
    max_size=6,
)


@given(method=st.text(max_size=8), segments=SEGMENTS)
def test_only_plain_reading_is_called_harmless(method: str, segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    harmless = not changes_something(method, path)
    reaching = {"exec", "attach", "portforward", "proxy"} & set(segments)
    assert harmless == (method in ("GET", "HEAD") and not reaching)


@given(query=st.text(max_size=10))
def test_no_query_hides_an_exec(query: str) -> None:
    assert changes_something("GET", f"/api/v1/namespaces/ns/pods/p/exec?{query}")
