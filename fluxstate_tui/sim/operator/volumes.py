"""Where bytes live: node directories (hostPath, PVs) outlast pods, emptyDirs do not."""

from __future__ import annotations

from collections.abc import Callable

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import CONFIGMAPS, PVCS, PVS
from fluxstate_tui.sim.api.store import ObjectStore
from fluxstate_tui.sim.files import Files, Volume


class Volumes:
    """Volumes of the simulated node. A hostPath and a PV with that hostPath are the same bytes."""

    def __init__(self, store: ObjectStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._host: dict[str, Volume] = {}
        self._pod: dict[tuple[str, str], Volume] = {}

    def host_path(self, path: str) -> Volume:
        """The directory of the node; made on first use."""
        key = "/" + path.strip("/")
        if key not in self._host:
            self._host[key] = Volume(key, now=self._now)
        return self._host[key]

    def has_host_path(self, path: str) -> bool:
        """Whether the node has that directory; each has its root."""
        return not path.strip("/") or "/" + path.strip("/") in self._host

    def empty_dir(self, pod_uid: str, name: str) -> Volume:
        """A pod's own volume."""
        key = (pod_uid, name)
        if key not in self._pod:
            self._pod[key] = Volume(name, now=self._now)
        return self._pod[key]

    def forget_pod(self, pod_uid: str) -> None:
        """The pod is gone, and its emptyDirs with it."""
        for key in [key for key in self._pod if key[0] == pod_uid]:
            del self._pod[key]

    def files_of(self, pod: JsonObject, container: JsonObject, root: Volume) -> Files:
        """The file system that a container sees."""
        mounts = {"/": root}
        by_name = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        for mount in container.get("volumeMounts", []):
            volume = self._resolve(pod, by_name.get(mount["name"], {}))
            mounts["/" + mount["mountPath"].strip("/")] = volume
        return Files(mounts)

    def _resolve(self, pod: JsonObject, volume: JsonObject) -> Volume:
        metadata = pod["metadata"]
        if "hostPath" in volume:
            return self.host_path(volume["hostPath"]["path"])
        if "persistentVolumeClaim" in volume:
            claim_name = volume["persistentVolumeClaim"]["claimName"]
            claim = self._store.get(PVCS, metadata["namespace"], claim_name) or {}
            bound = self._store.get(PVS, "", claim.get("spec", {}).get("volumeName", ""))
            if bound is not None:
                path = bound["spec"].get("hostPath", {}).get("path")
                return self.host_path(path or f"/volumes/{bound['metadata']['name']}")
        empty = self.empty_dir(metadata["uid"], volume.get("name", ""))
        if "configMap" in volume:
            self._fill(empty, metadata["namespace"], volume["configMap"])
        return empty

    def _fill(self, volume: Volume, namespace: str, source: JsonObject) -> None:
        """Put a ConfigMap's keys into the volume as files."""
        config = self._store.get(CONFIGMAPS, namespace, source.get("name", "")) or {}
        data = config.get("data") or {}
        items = source.get("items") or [{"key": key, "path": key} for key in data]
        files = Files({"/": volume})
        for item in items:
            if item["key"] in data:
                files.write(f"/{item['path']}", data[item["key"]].encode(), mode=0o755)
