"""Which volume of a pod a path lies on, as the pod's own object says it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_SOURCES = {
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    "hostPath": ("hostPath", "path"),
}
_OF_THE_POD = {"emptyDir", "ephemeral", "configMap", "secret", "downwardAPI", "projected"}


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume in a container. `source` is what holds it, in Kubernetes' words.

    One that is not `lasting` dies with the pod.
    """

    point: str
    source: str
    lasting: bool = True

    def __str__(self) -> str:
        return f"{self.source} at {self.point}"


def mounts_of(pod: dict[str, Any], container: str) -> tuple[Mount, ...]:
    """The mounts of a container, from its pod as the API gives it."""
    spec = pod.get("spec") or {}
    volumes = {volume.get("name"): volume for volume in spec.get("volumes") or []}
    for one in spec.get("containers") or []:
        if one.get("name") == container:
            return tuple(
                Mount(
                    posixpath.normpath("/" + str(mount["mountPath"]).strip("/")),
                    _source(volumes.get(mount.get("name")) or {}),
                    not _OF_THE_POD & (volumes.get(mount.get("name")) or {}).keys(),
                )
                for mount in one.get("volumeMounts") or []
                if mount.get("mountPath")
            )
    return ()


def mount_above(mounts: Iterable[Mount], path: str) -> Mount | None:
    """The innermost mount that `path` lies on or is; None when it lies on no volume."""
    path = posixpath.normpath(path)
    above = [one for one in mounts if (path + "/").startswith(one.point.rstrip("/") + "/")]
    return max(above, key=lambda one: len(one.point), default=None)


def _source(volume: dict[str, Any]) -> str:
    for kind, (shown, key) in _SOURCES.items():
        if isinstance(volume.get(kind), dict):
            return f"{shown} {volume[kind].get(key) or ''}".rstrip()
    name = str(volume.get("name") or "")
    kinds = [key for key in volume if key != "name"]
    return f"{kinds[0]} {name}".rstrip() if kinds else f"volume {name}".rstrip()
