"""Plain values for tests of plans."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.flux.job import Job, JobResult, JobState
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster
from fluxstate_tui.operations.snapshot import Snapshot

REF = ClusterRef("default", "flux-sample", "uid-1")
NOW = 1_795_000_000.0


def manifest(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "flux-framework.org/v1alpha2",
        "kind": "MiniCluster",
        "metadata": {"name": REF.name, "namespace": REF.namespace},
        "spec": {
            "size": 2,
            "interactive": True,
            "archive": {"path": "/state/archive.tar.gz"},
            "containers": [
                {
                    "image": "rockylinux:9",
                    "volumes": {"data": {"path": "/state", "hostPath": "/data"}},
                }
            ],
            **spec,
        },
    }


def minicluster(archive_path: str = "/state/archive.tar.gz") -> MiniCluster:
    return MiniCluster(
        ref=REF,
        api_version="flux-framework.org/v1alpha2",
        resource_version="7",
        size=2,
        max_size=None,
        min_size=None,
        interactive=True,
        archive_path=archive_path,
        created=NOW - 600,
        deleting_since=None,
        raw=manifest(),
    )


def job(number: int, state: JobState = JobState.SCHED, **fields: Any) -> Job:
    if state is JobState.INACTIVE:
        fields.setdefault("result", JobResult.COMPLETED)
    return Job(id=number << 24, userid=0, state=state, name=f"job{number}", **fields)


def observation(*jobs: Job, **fields: Any) -> Snapshot:
    fields.setdefault("queues", (Queue("", enabled=True, started=True),))
    return Snapshot(fields.pop("minicluster", minicluster()), NOW, jobs=jobs, **fields)
