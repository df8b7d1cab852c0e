"""A cluster with one MiniCluster, whose lead container is this computer."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.kube.objects import Resource
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster
from tests.unit.broker.local import LocalExecutor
from tests.unit.broker.script import Script

REF = ClusterRef("flux-operator", "flux-sample", "mc-uid")


def minicluster(mount: str) -> MiniCluster:
    """Its view is mounted at `mount`."""
    return MiniCluster(
        ref=REF,
        api_version="flux-framework.org/v1alpha2",
        resource_version="1",
        size=2,
        max_size=None,
        min_size=None,
        interactive=True,
        archive_path="",
        created=0.0,
        deleting_since=None,
        raw={"spec": {"flux": {"container": {"mountPath": mount}}}},
    )


class OneLead(LocalExecutor):
    """The part of kube.session.Cluster that a QueueFeed uses."""

    def __init__(self, script: Script) -> None:
        other = script.executor()
        super().__init__(other.environment)
        self.job_owner = REF.uid
        self.has_job = True
        self.lead_runs = True
        self.refusal: Exception | None = None

    async def get(self, resource: Resource, name: str, namespace: str) -> dict[str, Any]:
        if self.refusal is not None:
            raise self.refusal
        if not self.has_job:
            raise NotFound("no such job")
        return {"metadata": {"uid": "job-uid", "ownerReferences": [{"uid": self.job_owner}]}}

    async def list(
        self, resource: Resource, namespace: str, *, label_selector: str
    ) -> list[dict[str, Any]]:
        state: dict[str, Any] = {"running": {}} if self.lead_runs else {"waiting": {}}
        return [
            {
                "metadata": {
                    "name": "flux-sample-0-abc",
                    "uid": "pod-uid",
                    "annotations": {"batch.kubernetes.io/job-completion-index": "0"},
                    "ownerReferences": [{"kind": "Job", "uid": "job-uid", "name": "flux-sample"}],
                },
                "spec": {"containers": [{"name": "flux-sample"}]},
                "status": {"containerStatuses": [{"name": "flux-sample", "state": state}]},
            }
        ]
