"""Where a MiniCluster's archives lie, and whether a restore from there can work. Pure rules."""

from __future__ import annotations

import posixpath
from typing import Any


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
    volumes = (container_of(spec) or {}).get("volumes") or {}
    fitting = [
        volume
        for volume in volumes.values()
        if isinstance(volume, dict) and _inside(path, str(volume.get("path") or ""))
    ]
    return max(fitting, key=lambda volume: len(str(volume["path"])), default=None)


def no_place(spec: dict[str, Any]) -> str:
    """Why nothing could be restored with this spec, '' when it could.

    The operator is silent about it (facts/operator.md, 3): the queue would come up empty.
    """
    path = str((spec.get("archive") or {}).get("path") or "")
    if not path:
        return "spec.archive.path is missing: nothing would be restored"
    volume = archive_volume(spec)
    if volume is None:
        return f"spec.archive.path {path} lies on no volume of the container that runs Flux"
    if volume.get("emptyDir"):
        return f"spec.archive.path {path} lies on an emptyDir, which dies with the pod"
    if volume.get("readOnly"):
        return f"the volume of spec.archive.path {path} is read-only"
    return ""


def _inside(path: str, folder: str) -> bool:
    if not path or not folder:
        return False
    folder = posixpath.normpath(folder)
    return posixpath.normpath(path).startswith(folder.rstrip("/") + "/")
