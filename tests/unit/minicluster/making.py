"""Short ways to make pods, Jobs and MiniClusters."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from fluxstate_tui.kube.objects import parse_event, parse_job, parse_minicluster, parse_pod
from fluxstate_tui.minicluster.minicluster import ClusterRef, Derived, MiniCluster
from fluxstate_tui.minicluster.objects import ContainerState, KubeEvent, KubeJob, Pod
from fluxstate_tui.minicluster.phase import derive

NOW = 1_795_300_000.0
RECORDED = Path(__file__).parents[2] / "data" / "kubernetes" / "variants.json"


def manifest(**spec: Any) -> dict[str, Any]:
    """A good manifest, with these fields of its spec changed (None takes one away)."""
    volumes = {"data": {"path": "/state", "claimName": "data"}}
    whole = {
        "size": 2,
        "interactive": True,
        "archive": {"path": "/state/archive.tar.gz"},
        "containers": [{"image": "rockylinux:9", "volumes": volumes}],
        **spec,
    }
    return {
        "apiVersion": "flux-framework.org/v1alpha2",
        "kind": "MiniCluster",
        "metadata": {"name": "flux-sample", "namespace": "ns", "uid": "mc"},
        "spec": {key: value for key, value in whole.items() if value is not None},
    }


def minicluster(age: float = 60.0, **spec: Any) -> MiniCluster:
    """A MiniCluster of this age."""
    return replace(parse_minicluster(manifest(**spec)), created=NOW - age)


def job(**fields: Any) -> KubeJob:
    """Its Job."""
    base = KubeJob("job", "ns", "flux-sample", "mc", 2, 2, 0, 0)
    return replace(base, **fields)


def pod(index: int | None, **fields: Any) -> Pod:
    """A running pod of it."""
    name = f"flux-sample-{index}-abcde"
    container = ContainerState("flux-sample", "running", ready=True)
    base = Pod(
        uid=name,
        namespace="ns",
        name=name,
        owner_uid="job",
        owner_name="flux-sample",
        index=index,
        phase="Running",
        node="node-1",
        created=NOW - 30,
        containers=(container,),
    )
    return replace(base, **fields)


def waiting(reason: str, message: str = "", name: str = "flux-sample") -> ContainerState:
    """A container that waits."""
    return ContainerState(name, "waiting", reason=reason, message=message)


def about(uid: str, reason: str, message: str) -> KubeEvent:
    """A warning about an object."""
    return KubeEvent("e", "ns", "Pod", "x", uid, "Warning", reason, message, 1, NOW)


@cache
def recorded() -> dict[str, Any]:
    """What a real cluster with the real operator showed (ARCHITECTURE.md#F57)."""
    found: dict[str, Any] = json.loads(RECORDED.read_text())
    return found


def recorded_phase(name: str, broker: str | None = None) -> Derived:
    """The phase of one recorded MiniCluster."""
    clusters = [parse_minicluster(raw) for raw in recorded()["miniclusters"]]
    cluster = next(c for c in clusters if c.ref.name.startswith(name))
    jobs = [parse_job(raw) for raw in recorded()["jobs"]]
    its = next((job for job in jobs if job.owner_uid == cluster.ref.uid), None)
    pods = [parse_pod(raw) for raw in recorded()["pods"]]
    its_pods = [p for p in pods if its is not None and p.owner_uid == its.uid]
    events = [parse_event(raw) for raw in recorded()["events"]]
    now = cluster.created + 60
    return derive(cluster, its, its_pods, broker, (), now, events=events)


def ref() -> ClusterRef:
    """How it is called."""
    return ClusterRef("ns", "flux-sample", "mc")
