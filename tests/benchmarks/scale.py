"""500 MiniClusters with 10,000 pods: what it costs to see them all, beside kubectl and one list.

The server is the simulated one in a process of its own, with objects that were copied from one
MiniCluster that ran there: its brokers do not answer for the copies, so this is what Kubernetes
knows of them. FLUXSTATE_BENCH_CLUSTERS changes their number.
"""

from __future__ import annotations

import asyncio
import copy
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fluxstate_tui.clock import SystemClock
from fluxstate_tui.kube.client import Cluster, ListQuery, list_all
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import PODS as PODS_RESOURCE
from fluxstate_tui.kube.objects import parse_pod
from fluxstate_tui.live.connection import Connection
from fluxstate_tui.live.store import Notices, Store
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.sim.api.kinds import JOBS, NAMESPACES, PODS
from fluxstate_tui.sim.api.store import ObjectStore
from fluxstate_tui.sim.server import SimulatedCluster
from fluxstate_tui.sim.worlds.manifests import minicluster

CLUSTERS = int(os.environ.get("FLUXSTATE_BENCH_CLUSTERS", "500"))
PODS_EACH = 20
IDLE_SECONDS = 20.0
NAMESPACE_COUNT = 10


async def serve(folder: Path) -> None:
    """Make the objects, then answer; `count` has the number of requests, written all the time."""
    asked = 0
    async with SimulatedCluster(speed=50, world="empty") as sim:

        async def gate(method: str, _path: str) -> None:
            nonlocal asked
            asked += method != "STDIN"
            partial = folder / "count.new"
            partial.write_text(str(asked))
            partial.replace(folder / "count")

        store, kind = sim.state.store, sim.state.flavour.kind
        store.create(kind, minicluster("model", PODS_EACH))
        while sum(pod["status"].get("phase") == "Running" for pod in pods_of(store)) < PODS_EACH:
            await sim.clock.sleep(5)
        await sim.state.manager.stop()
        for number in range(NAMESPACE_COUNT):
            store.create(NAMESPACES, {"metadata": {"name": f"team-{number}"}})
        model = [(one, store.objects(one)[0]) for one in (kind, JOBS)]
        model += [(PODS, pod) for pod in pods_of(store)]
        for number in range(CLUSTERS):
            owner: dict[str, str] = {}
            for one, found in model:
                made = store.create(one, copied(found, f"mc-{number:03}", number, owner))
                owner[found["metadata"]["uid"]] = made["metadata"]["uid"]
        sim.faults.gate = gate
        sim.write_kubeconfig(folder / "config")
        await asyncio.Event().wait()


def pods_of(store: ObjectStore) -> list[Any]:
    """Those of the model."""
    found = store.objects(PODS)
    return [pod for pod in found if "job-name" in (pod["metadata"].get("labels") or {})]


def copied(found: Any, name: str, number: int, owner: dict[str, str]) -> Any:
    """Another object like it: of that name, in one of the namespaces, owned as the model is."""
    body = copy.deepcopy(found)
    metadata = body["metadata"]
    metadata["name"] = metadata["name"].replace("model", name)
    metadata["namespace"] = f"team-{number % NAMESPACE_COUNT}"
    metadata.pop("uid")
    metadata.pop("resourceVersion", None)
    if "job-name" in (metadata.get("labels") or {}):
        metadata["labels"]["job-name"] = name
    for one in metadata.get("ownerReferences") or ():
        one["uid"] = owner[one["uid"]]
        one["name"] = name
    return body


def requests(folder: Path) -> int:
    try:
        return int((folder / "count").read_text() or 0)
    except FileNotFoundError:
        return 0


def all_known(store: Store) -> bool:
    rows = store.summaries.values()
    return len(rows) > CLUSTERS and all(row.phase is not Phase.READING for row in rows)


async def dashboard(folder: Path) -> None:
    """Start without a screen until every row is known, then do nothing for a while."""
    options = KubeOptions(str(folder / "config"), all_namespaces=True)
    store, begun, spent = Store(), time.perf_counter(), time.process_time()
    notices = Notices(store)
    notices.subscribe(lambda changes: None)
    before = requests(folder)
    connection = Connection(options, store, SystemClock())
    running = asyncio.create_task(connection.run())
    while not all_known(store):  # noqa: ASYNC110 (the store has no awaitable)
        await asyncio.sleep(0.02)
    took, cpu = time.perf_counter() - begun, time.process_time() - spent
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"   all rows true after {took:.2f} s, {cpu:.2f} s CPU, {memory:.0f} MB at most, "
        f"{requests(folder) - before} requests, {connection.connected} connected"
    )
    await asyncio.sleep(IDLE_SECONDS)  # what cannot be connected backs off
    spent, before = time.process_time(), requests(folder)
    await asyncio.sleep(IDLE_SECONDS)
    cpu = time.process_time() - spent
    asked = requests(folder) - before
    print(f"   then: {100 * cpu / IDLE_SECONDS:.1f} % CPU, {3 * asked} requests a minute")
    running.cancel()
    await asyncio.wait([running])


async def one_list(folder: Path) -> None:
    """The reference: all pods listed and parsed once, nothing else."""
    begun, spent = time.perf_counter(), time.process_time()
    async with await Cluster.open(KubeOptions(str(folder / "config"))) as cluster:
        found = await list_all(cluster, ListQuery(PODS_RESOURCE), parse_pod)
    took, cpu = time.perf_counter() - begun, time.process_time() - spent
    print(f"   one list of {len(found.items)} pods: {took:.2f} s, {cpu:.2f} s CPU")


def command(folder: Path, title: str, *argv: str) -> None:
    begun = time.perf_counter()
    environment = {**os.environ, "KUBECONFIG": str(folder / "config")}
    done = subprocess.run(argv, capture_output=True, env=environment, check=False)
    lines = done.stdout.count(b"\n")
    print(f"   {title}: {time.perf_counter() - begun:.2f} s, {lines} lines, exit {done.returncode}")


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = subprocess.Popen([sys.executable, "-m", __spec__.name, str(folder)])
        try:
            while not (folder / "config").exists():
                assert server.poll() is None
                time.sleep(0.2)
            asyncio.run(one_list(folder))
            asyncio.run(dashboard(folder))
            program = [sys.executable, "-m", "fluxstate_tui", "get"]
            command(folder, "get miniclusters -A --no-queues", *program, "mc", "-A", "--no-queues")
            command(folder, "get pods -A", *program, "pods", "-A")
            if kubectl := shutil.which("kubectl"):
                command(folder, "kubectl get pods -A", kubectl, "get", "pods", "-A")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
