"""The Flux Operator's reconcile loop (pkg controllers/flux of the named flavour)."""

from __future__ import annotations

import copy
from collections.abc import Callable

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import CONFIGMAPS, JOBS, PODS, PVCS, PVS, SERVICES, Kind
from fluxstate_tui.sim.api.runtime import LogFile
from fluxstate_tui.sim.api.store import Change
from fluxstate_tui.sim.operator import manifests
from fluxstate_tui.sim.operator.cluster_view import MiniClusterView
from fluxstate_tui.sim.operator.flavour import Flavour
from fluxstate_tui.sim.operator.manager import Manager
from fluxstate_tui.sim.operator.manifests import COMPLETION_INDEX
from fluxstate_tui.sim.operator.timings import Timings

CONDITIONS = ("JobRequested", "JobWaitingForResources", "JobRunning", "JobMiniClusterReady",
              "JobFinished")  # fmt: skip


class FluxOperator:
    """ConfigMap, Service, Job; sizes; the pods' job-index labels; a Ready that means little."""

    def __init__(self, manager: Manager, flavour: Flavour, timings: Timings) -> None:
        self._manager = manager
        self._store = manager.store
        self._flavour = flavour
        self._timings = timings
        # What the entrypoints were rendered from, by the ConfigMap's uid: later edits of the
        # MiniCluster do not reach them.
        self.rendered: dict[str, MiniClusterView] = {}
        # What the operator's own pod logs: the only place where it tells what it rejects.
        self.log = LogFile()
        self._said: set[tuple[str, int, str]] = set()
        manager.watch(self._changed)

    def _changed(self, change: Change) -> None:
        metadata = change.object["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        delay = self._timings.reconcile
        if change.kind == self._flavour.kind:
            if change.type != "DELETED":
                self._manager.enqueue(self._reconcile, namespace, name, delay)
        elif change.kind in (JOBS, CONFIGMAPS, SERVICES) or (
            change.kind == PODS and change.type == "ADDED"
        ):
            for owner in self._store.objects(self._flavour.kind, namespace):
                self._manager.enqueue(
                    self._reconcile, namespace, owner["metadata"]["name"], self._timings.label_pods
                )

    async def _reconcile(self, namespace: str, name: str) -> None:
        found = self._store.get(self._flavour.kind, namespace, name)
        if found is None:
            return
        cluster = MiniClusterView(found, self._flavour)
        if self._deny_size(cluster):
            return
        if problem := cluster.problem():
            self._say(cluster, f"Your MiniCluster config did not validate! {problem}")
            return
        self._ensure_config_map(cluster)
        self._ensure(SERVICES, cluster, manifests.service(cluster))
        if not self._flavour.has_view:
            self._ensure_v1alpha1_volumes(cluster)
        if rejection := manifests.job_rejection(cluster):
            self._say(cluster, f"Failed to create new MiniCluster Batch Job: {rejection}")
            return
        self._ensure(JOBS, cluster, manifests.job(cluster))
        self._requested(cluster)
        self._resize(cluster)
        if self._label_pods(cluster):
            self._ready(cluster)
        self._clean_up(cluster)

    def _say(self, cluster: MiniClusterView, text: str) -> None:
        """Log an error, once for each generation."""
        metadata = cluster.obj["metadata"]
        key = (metadata["uid"], metadata["generation"], text)
        if key not in self._said:
            self._said.add(key)
            place = f'{{"namespace": "{cluster.namespace}", "name": "{cluster.name}"}}'
            line = f"{self._store.timestamp()}\tERROR\tminicluster-reconciler\t{text}\t{place}"
            self.log.write(self._store.now(), line)

    def _deny_size(self, cluster: MiniClusterView) -> bool:
        """Above the maximumSize of the first reconcile the size is patched back."""
        maximum = cluster.obj.get("status", {}).get("maximumSize")
        if not maximum or cluster.spec.get("maxSize") or cluster.size <= maximum:
            return False

        def change(draft: JsonObject) -> None:
            draft["spec"]["size"] = maximum

        self._modify(cluster, change)
        return True

    def _modify(self, cluster: MiniClusterView, change: Callable[[JsonObject], None]) -> None:
        self._store.modify(self._flavour.kind, cluster.namespace, cluster.name, change)

    def _ensure_config_map(self, cluster: MiniClusterView) -> None:
        created = self._ensure(CONFIGMAPS, cluster, manifests.config_map(cluster))
        if created is not None:
            frozen = MiniClusterView(copy.deepcopy(cluster.obj), self._flavour)
            self.rendered[created["metadata"]["uid"]] = frozen

    def _ensure(self, kind: Kind, cluster: MiniClusterView, body: JsonObject) -> JsonObject | None:
        """Create it unless something of that name is there (also of an older owner)."""
        name = body["metadata"]["name"]
        if self._store.get(kind, cluster.namespace, name) is not None:
            return None
        return self._store.create(kind, body)

    def _ensure_v1alpha1_volumes(self, cluster: MiniClusterView) -> None:
        """spec.volumes: one PV and one claim each."""
        for name, volume in (cluster.spec.get("volumes") or {}).items():
            capacity = {"storage": volume.get("capacity", "5Gi")}
            path = volume.get("path", f"/tmp/{name}")
            pv = {
                "metadata": {"name": name},
                "spec": {
                    "capacity": capacity,
                    "accessModes": ["ReadWriteMany"],
                    "hostPath": {"path": path},
                    "persistentVolumeReclaimPolicy": "Delete",
                    "storageClassName": volume.get("storageClass", "hostpath"),
                },
            }
            if self._store.get(PVS, "", name) is None:
                self._store.create(PVS, pv)
            claim = {
                "metadata": {"name": f"{name}-claim", "namespace": cluster.namespace},
                "spec": {
                    "accessModes": ["ReadWriteMany"],
                    "resources": {"requests": capacity},
                    "storageClassName": volume.get("storageClass", "hostpath"),
                },
            }
            self._ensure(PVCS, cluster, claim)

    def _requested(self, cluster: MiniClusterView) -> None:
        """First status: conditions and maximumSize. size stays 0 until a resize."""

        def change(draft: JsonObject) -> None:
            if draft.get("status"):
                return
            now = self._store.timestamp()
            draft["status"] = {
                "conditions": [
                    {"lastTransitionTime": now, "message": name, "reason": name,
                     "status": "True" if name == "JobRequested" else "False", "type": name}
                    for name in CONDITIONS
                ],
                "jobid": "",
                "maximumSize": cluster.max_size,
                "selector": f"hpa-selector={cluster.name}",
                "size": 0,
            }  # fmt: skip

        self._modify(cluster, change)

    def _resize(self, cluster: MiniClusterView) -> None:
        job = self._store.get(JOBS, cluster.namespace, cluster.name)
        if job is None or job["spec"]["parallelism"] == cluster.size:
            return

        def patch_job(draft: JsonObject) -> None:
            draft["spec"]["parallelism"] = cluster.size
            draft["spec"]["completions"] = cluster.size

        def patch_status(draft: JsonObject) -> None:
            draft["status"]["size"] = cluster.size

        self._store.modify(JOBS, cluster.namespace, cluster.name, patch_job)
        self._modify(cluster, patch_status)

    def _label_pods(self, cluster: MiniClusterView) -> bool:
        """Put `job-index` on every pod of the namespace without one, also on foreign pods.

        A pod without any label makes the patch fail: False, and Ready never comes.
        """
        for pod in self._store.objects(PODS, cluster.namespace):
            metadata = pod["metadata"]
            if "labels" not in metadata or not metadata["labels"]:
                return False
            if "job-index" in metadata["labels"]:
                continue
            rest = metadata["name"].replace(f"{cluster.name}-", "", 1)
            index = rest.partition("-")[0]
            own = metadata["labels"].get(COMPLETION_INDEX)

            def change(draft: JsonObject, index: str = index) -> None:
                draft["metadata"]["labels"]["job-index"] = index

            if own is not None or index:
                self._store.modify(PODS, cluster.namespace, metadata["name"], change)
        return True

    def _ready(self, cluster: MiniClusterView) -> None:
        def change(draft: JsonObject) -> None:
            for condition in draft["status"]["conditions"]:
                ready = condition["type"] == "JobMiniClusterReady"
                condition["status"] = "True" if ready else "False"

        pods = self._store.objects(PODS, cluster.namespace)
        if any(pod["metadata"]["labels"].get("job-name") == cluster.name for pod in pods):
            self._modify(cluster, change)

    def _clean_up(self, cluster: MiniClusterView) -> None:
        """spec.cleanup: the MiniCluster goes when its index-0 pod has ended."""
        if not cluster.spec.get("cleanup"):
            return
        for pod in self._store.objects(PODS, cluster.namespace):
            labels = pod["metadata"].get("labels", {})
            if labels.get("job-name") != cluster.name or labels.get(COMPLETION_INDEX) != "0":
                continue
            if pod["status"].get("phase") in {"Succeeded", "Failed"}:
                self._store.remove(self._flavour.kind, cluster.namespace, cluster.name)
                return
