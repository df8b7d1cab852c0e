"""A simulated cluster under a clock that only the tests move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from fluxstate_tui.sim.api.kinds import EVENTS, JOBS, MINICLUSTERS, PODS
from fluxstate_tui.sim.clock import VirtualClock
from fluxstate_tui.sim.server import SimulatedCluster
from fluxstate_tui.sim.worlds.manifests import minicluster, with_defaults

NAMESPACE = "default"


class MiniClusterClient:
    """Short words for what tests do and look at."""

    def __init__(self, cluster: SimulatedCluster, clock: VirtualClock) -> None:
        self.cluster = cluster
        self.clock = clock
        self.store = cluster.state.store

    def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a MiniCluster as the API server would."""
        return self.store.create(MINICLUSTERS, with_defaults(self.cluster.state.flavour, body))

    def minicluster(self, name: str = "mc", size: int = 2, **spec: Any) -> dict[str, Any]:
        """Create the tutorial's MiniCluster with changes of its spec."""
        body = minicluster(name, size)
        body["spec"] |= spec
        return self.apply(body)

    def get(self, name: str = "mc") -> dict[str, Any]:
        """The MiniCluster."""
        found = self.store.get(MINICLUSTERS, NAMESPACE, name)
        assert found is not None
        return found

    def job(self, name: str = "mc") -> dict[str, Any]:
        """Its Job."""
        found = self.store.get(JOBS, NAMESPACE, name)
        assert found is not None
        return found

    def job_is(self, condition: str, name: str = "mc") -> bool:
        """Whether the Job is there and has that condition."""
        job = self.store.get(JOBS, NAMESPACE, name) or {"status": {}}
        return any(c["type"] == condition for c in job["status"].get("conditions", []))

    def pods(self, name: str = "mc") -> list[dict[str, Any]]:
        """Its pods, also those that go."""
        pods = self.store.objects(PODS, NAMESPACE)
        return [pod for pod in pods if pod["metadata"]["labels"].get("job-name") == name]

    def reasons(self, about: str = "") -> list[str]:
        """Reasons of all events whose object's name begins so."""
        events = self.store.objects(EVENTS, NAMESPACE)
        return [e["reason"] for e in events if e["involvedObject"]["name"].startswith(about)]

    async def until(self, condition: Callable[[], bool], limit: float = 120.0) -> float:
        """Let time pass until the condition holds; the seconds that took."""
        began = self.clock.now()
        while not condition():
            assert self.clock.now() - began < limit, "it did not happen in time"
            await self.clock.advance(0.25)
        return self.clock.now() - began

    def broker_runs(self, name: str = "mc") -> bool:
        """Whether `flux uptime` would say run."""
        instance = self.cluster.state.instance(NAMESPACE, name)
        return instance is not None and instance.state == "run"

    def log(self, index: int = 0, name: str = "mc") -> str:
        """The log of a pod's Flux container."""
        pod = next(p for p in self.pods(name) if _index(p) == index)
        log = self.cluster.state.kubelet.log(
            NAMESPACE, pod["metadata"]["name"], name, previous=False
        )
        return "\n".join(line for _, line in log.lines) if log else ""


def _index(pod: dict[str, Any]) -> int:
    return int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])


@pytest.fixture
async def world() -> AsyncIterator[MiniClusterClient]:
    """An empty cluster."""
    clock = VirtualClock()
    async with SimulatedCluster(clock=clock) as cluster:
        await clock.advance(1)
        yield MiniClusterClient(cluster, clock)
