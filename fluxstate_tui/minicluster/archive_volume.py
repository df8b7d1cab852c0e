"""Where a MiniCluster's archives lie, and whether a restore from there can work. Pure rules."""

from __future__ import annotations

import posixpath
from typing import Any

_OWNED = "owned by the MiniCluster"


def container_of(spec: dict[str, Any]) -> dict[str, Any] | None:
    """The container that runs Flux: the one with runFlux, or the only one."""
    containers = [item for item in spec.get("containers") or [] if isinstance(item, dict)]
    flux = [container for container in containers if container.get("runFlux")]
    if flux:
        return flux[0]
    return containers[0] if len(containers) == 1 else None


def archive_volume(spec: dict[str, Any]) -> dict[str, Any] | None:
    """The container volume on which `spec.archive.path` lies, the longest mount path first."""
    path = str((spec.get("archive") or {}).get("path") or "")
    fitting = [one for one in volumes_of(spec) if _inside(path, str(one.get("path") or ""))]
    return max(fitting, key=lambda volume: len(str(volume["path"])), default=None)


def volumes_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """What the container that runs Flux mounts, each with what its volume is made of.

    `existingVolumes` of v1alpha1 say it as v1alpha2 does, and belong to nobody.
    """
    container = container_of(spec) or {}
    existing = container.get("existingVolumes")
    made = spec.get("volumes") or {}
    found = [
        _with_source(volume, made.get(name))
        for name, volume in (container.get("volumes") or {}).items()
        if isinstance(volume, dict)
    ]
    others = existing.values() if isinstance(existing, dict) else ()
    return [*found, *(volume for volume in others if isinstance(volume, dict))]


def dies_with_it(spec: dict[str, Any]) -> bool:
    """Whether a delete of the MiniCluster takes the volume of its archives along.

    In v1alpha1 the operator makes the volumes of `spec.volumes` and removes them with the
    MiniCluster, unless `delete` is false (ARCHITECTURE.md#F74).
    """
    volume = archive_volume(spec)
    return volume is not None and bool(volume.get(_OWNED))


def _with_source(volume: dict[str, Any], made: object) -> dict[str, Any]:
    """A mount of v1alpha1 with what `spec.volumes` says about its volume."""
    if not isinstance(made, dict):
        return volume
    found = {**volume, _OWNED: made.get("delete", True)}
    if made.get("storageClass", "hostpath") == "hostpath":
        found["hostPath"] = made.get("path")
    return found


def no_place(spec: dict[str, Any], version: str = "") -> str:
    """Why nothing could be restored with this spec of that apiVersion, '' when it could.

    The operator is silent about it (ARCHITECTURE.md#F70): the queue would come up empty.
    """
    path = str((spec.get("archive") or {}).get("path") or "")
    if not path:
        return "spec.archive.path is missing: nothing would be restored"
    volume = archive_volume(_as_stored(spec, version))
    if volume is None:
        return f"spec.archive.path {path} lies on no volume of the container that runs Flux"
    if volume.get("emptyDir"):
        return f"spec.archive.path {path} lies on an emptyDir, which dies with the pod"
    if volume.get("readOnly"):
        return f"the volume of spec.archive.path {path} is read-only"
    return ""


def _as_stored(spec: dict[str, Any], version: str) -> dict[str, Any]:
    """In v1alpha2 the API server drops `existingVolumes` without a word."""
    if not version.endswith("/v1alpha2"):
        return spec
    containers = [
        {key: value for key, value in container.items() if key != "existingVolumes"}
        for container in spec.get("containers") or []
        if isinstance(container, dict)
    ]
    return {**spec, "containers": containers}


def _inside(path: str, folder: str) -> bool:
    if not path or not folder:
        return False
    folder = posixpath.normpath(folder)
    return posixpath.normpath(path).startswith(folder.rstrip("/") + "/")
