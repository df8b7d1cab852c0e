"""The volume controller: binds claims to volumes, provisions, reclaims, protects what is in use."""

from __future__ import annotations

from fluxstate_tui.sim.api.deletion import PVC_PROTECTION
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import PODS, PVCS, PVS, STORAGECLASSES
from fluxstate_tui.sim.api.store import Change
from fluxstate_tui.sim.operator.manager import Manager
from fluxstate_tui.sim.operator.recorder import Recorder
from fluxstate_tui.sim.operator.timings import Timings

_PV_PROTECTION = "kubernetes.io/pv-protection"
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9,
          "T": 10**12}  # fmt: skip


def quantity(text: str) -> float:
    """A Kubernetes quantity (`10Gi`, `500m`, `2`) as a number."""
    for unit in sorted(_UNITS, key=len, reverse=True):
        if text.endswith(unit):
            return float(text[: -len(unit)]) * _UNITS[unit]
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text or 0)


class VolumeBinder:
    """PersistentVolumes and their claims."""

    def __init__(self, manager: Manager, timings: Timings) -> None:
        self._manager = manager
        self._store = manager.store
        self._timings = timings
        self._events = Recorder(manager.store, "persistentvolume-controller")
        manager.watch(self._changed)

    def _changed(self, change: Change) -> None:
        metadata = change.object["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if change.kind == PVCS:
            if change.type == "DELETED":
                self._manager.enqueue(self._released, namespace, name)
            else:
                self._manager.enqueue(self._bind, namespace, name, self._timings.bind_volume)
        elif change.kind == PVS and change.type != "DELETED":
            self._manager.enqueue(self._volume, "", name)
        elif change.kind == PODS and change.type == "DELETED":
            for claim in self._store.objects(PVCS, namespace):
                if claim["metadata"].get("deletionTimestamp"):
                    self._manager.enqueue(self._bind, namespace, claim["metadata"]["name"])

    async def _volume(self, _: str, name: str) -> None:
        volume = self._store.get(PVS, "", name)
        if volume is None:
            return
        if volume["metadata"].get("deletionTimestamp"):
            if volume.get("status", {}).get("phase") != "Bound":
                self._drop_finalizer(name)
            return
        if volume["status"]["phase"] == "Pending":
            self._store.modify(
                PVS, "", name, lambda draft: draft["status"].update(phase="Available")
            )
            for claim in self._store.objects(PVCS):
                if claim["status"]["phase"] == "Pending":
                    metadata = claim["metadata"]
                    self._manager.enqueue(self._bind, metadata["namespace"], metadata["name"])

    def _drop_finalizer(self, name: str) -> None:
        def change(draft: JsonObject) -> None:
            kept = [f for f in draft["metadata"].get("finalizers", []) if f != _PV_PROTECTION]
            draft["metadata"]["finalizers"] = kept

        self._store.modify(PVS, "", name, change)

    async def _bind(self, namespace: str, name: str) -> None:
        claim = self._store.get(PVCS, namespace, name)
        if claim is None:
            return
        if claim["metadata"].get("deletionTimestamp"):
            self._unprotect(claim)
            return
        if claim["status"]["phase"] == "Bound":
            return
        volume = self._matching(claim) or self._provision(claim)
        if volume is None:
            self._explain(claim)
            return
        self._bind_pair(claim, volume)

    def _matching(self, claim: JsonObject) -> JsonObject | None:
        spec = claim["spec"]
        wanted = quantity(spec.get("resources", {}).get("requests", {}).get("storage", "0"))
        for volume in self._store.objects(PVS):
            found = volume["spec"]
            if volume["status"]["phase"] != "Available":
                continue
            if spec.get("volumeName") and spec["volumeName"] != volume["metadata"]["name"]:
                continue
            if found.get("storageClassName", "") != (spec.get("storageClassName") or ""):
                continue
            if not set(spec.get("accessModes", [])) <= set(found.get("accessModes", [])):
                continue
            if quantity(found.get("capacity", {}).get("storage", "0")) >= wanted:
                return volume
        return None

    def _provision(self, claim: JsonObject) -> JsonObject | None:
        """Dynamic provisioning, as a minikube's or kind's default class does it."""
        class_name = claim["spec"].get("storageClassName")
        storage = self._store.get(STORAGECLASSES, "", class_name) if class_name else None
        if storage is None or storage.get("provisioner", "").startswith("kubernetes.io/no-"):
            return None
        name = f"pvc-{claim['metadata']['uid']}"
        body: JsonObject = {
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "accessModes": claim["spec"].get("accessModes", []),
                "hostPath": {"path": f"/var/lib/sim-volumes/{name}", "type": "DirectoryOrCreate"},
                "persistentVolumeReclaimPolicy": storage.get("reclaimPolicy", "Delete"),
                "storageClassName": class_name,
            },
        }
        return self._store.create(PVS, body)

    def _bind_pair(self, claim: JsonObject, volume: JsonObject) -> None:
        metadata = claim["metadata"]
        reference = {
            "kind": "PersistentVolumeClaim", "namespace": metadata["namespace"],
            "name": metadata["name"], "uid": metadata["uid"], "apiVersion": "v1",
            "resourceVersion": metadata["resourceVersion"],
        }  # fmt: skip

        def bind_volume(draft: JsonObject) -> None:
            draft["spec"]["claimRef"] = reference
            draft["status"]["phase"] = "Bound"

        def bind_claim(draft: JsonObject) -> None:
            draft["spec"]["volumeName"] = volume["metadata"]["name"]
            draft["status"] = {
                "phase": "Bound",
                "accessModes": volume["spec"].get("accessModes", []),
                "capacity": volume["spec"].get("capacity", {}),
            }

        self._store.modify(PVS, "", volume["metadata"]["name"], bind_volume)
        self._store.modify(PVCS, metadata["namespace"], metadata["name"], bind_claim)

    def _explain(self, claim: JsonObject) -> None:
        class_name = claim["spec"].get("storageClassName")
        if not class_name:
            text = "no persistent volumes available for this claim and no storage class is set"
            self._events.event(claim, "FailedBinding", text)
        elif self._store.get(STORAGECLASSES, "", class_name) is None:
            text = f'storageclass.storage.k8s.io "{class_name}" not found'
            self._events.event(claim, "ProvisioningFailed", text, warning=True)

    def _unprotect(self, claim: JsonObject) -> None:
        """A claim in use stays (Terminating) until no pod uses it."""
        metadata = claim["metadata"]
        for pod in self._store.objects(PODS, metadata["namespace"]):
            for volume in pod["spec"].get("volumes", []):
                used = volume.get("persistentVolumeClaim", {}).get("claimName")
                if used == metadata["name"]:
                    return

        def change(draft: JsonObject) -> None:
            kept = [f for f in draft["metadata"].get("finalizers", []) if f != PVC_PROTECTION]
            draft["metadata"]["finalizers"] = kept

        self._store.modify(PVCS, metadata["namespace"], metadata["name"], change)

    async def _released(self, namespace: str, name: str) -> None:
        for volume in self._store.objects(PVS):
            claim = volume["spec"].get("claimRef") or {}
            if (claim.get("namespace"), claim.get("name")) != (namespace, name):
                continue
            if self._store.get(PVCS, namespace, name) is not None:
                continue
            if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
                self._store.remove(PVS, "", volume["metadata"]["name"])
            else:
                self._store.modify(
                    PVS, "", volume["metadata"]["name"],
                    lambda draft: draft["status"].update(phase="Released"),
                )  # fmt: skip
