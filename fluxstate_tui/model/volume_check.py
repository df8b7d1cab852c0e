"""Rules for `containers[].volumes` of a MiniCluster (controllers/flux/volumes.go, 2026-06)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fluxstate_tui.model.loose import as_map, as_maps

# What may stand behind a volume of v1alpha2, in the operator's order of precedence.
_SOURCES = ("csiDriver", "secretName", "emptyDir", "hostPath", "configMapName", "claimName")

Found = tuple[str, str, str, str]
"""Path, name of the Effect, message, fix."""


def check_volumes(spec: Mapping[str, Any], version: str) -> Iterator[Found]:
    """The problems of all containers' volumes."""
    for index, container in enumerate(as_maps(spec.get("containers"))):
        for name, volume in as_map(container.get("volumes")).items():
            path = f"spec.containers[{index}].volumes.{name}"
            if not isinstance(volume, Mapping):
                yield path, "API_REFUSES", f"Volume {name} is empty.", "Give path and claimName."
            elif version.endswith("/v1alpha1"):
                yield from _v1alpha1(spec, path, str(name))
            else:
                yield from _v1alpha2(volume, path, str(name))


def _v1alpha1(spec: Mapping[str, Any], path: str, name: str) -> Iterator[Found]:
    if name not in as_map(spec.get("volumes")):
        yield (
            path,
            "JOB_REFUSED",
            f"Volume {name} is mounted, but spec.volumes has none of that name.",
            f"Add spec.volumes.{name}.",
        )


def _v1alpha2(volume: Mapping[str, Any], path: str, name: str) -> Iterator[Found]:
    sources = [source for source in _SOURCES if volume.get(source)]
    if not sources:
        yield (
            path,
            "JOB_REFUSED",
            f"Volume {name} has only a path, so it becomes a claim without a name.",
            "Add claimName (a PersistentVolumeClaim) or hostPath.",
        )
        return
    source = sources[0]
    if source in ("claimName", "hostPath") and not volume.get("path"):
        yield (
            path,
            "IGNORED",
            f"Volume {name} has a {source} but no path to mount it at.",
            "Add path.",
        )
    if source == "configMapName" and volume["configMapName"] != name:
        yield (
            path,
            "JOB_REFUSED",
            f"Volume {name} is of the ConfigMap {volume['configMapName']}; both names must be one.",
            f"Call the volume {volume['configMapName']}.",
        )
    if source == "emptyDir" and volume.get("path") not in (None, "", "/dev/shm"):
        yield (
            path,
            "SURPRISE",
            f"Volume {name} is an emptyDir: it is mounted at /dev/shm, not at {volume['path']}.",
            "Use another kind of volume, or /dev/shm.",
        )
    if len(sources) > 1:
        others = ", ".join(sources[1:])
        yield path, "SURPRISE", f"Volume {name}: {source} is used, {others} not.", "Keep only one."
