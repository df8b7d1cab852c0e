"""Rules for a MiniCluster's manifest that nobody else tells: the operator fails silently.

Validation errors of the operator go to its own stdout only; the API server drops fields that it
does not know without a word (ARCHITECTURE.md#F54, ARCHITECTURE.md#F56).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fluxstate_tui.minicluster.objects import as_map, as_maps, as_whole

# Rules for `containers[].volumes` of a MiniCluster (controllers/flux/volumes.go, 2026-06).

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


GROUP = "flux-framework.org"
VERSIONS = (f"{GROUP}/v1alpha2", f"{GROUP}/v1alpha1")
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL = 63
_ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".cpio")


class Effect(Enum):
    """What happens to a manifest with this problem."""

    API_REFUSES = "the API server refuses it"
    IGNORED = "the operator ignores it and says so nowhere but in its own log"
    JOB_REFUSED = "its Job is refused, and only the operator's log says so"
    NO_PODS = "its Job cannot make pods"
    DROPPED = "the API server drops this without a word"
    SURPRISE = "it does not do what it seems to say"


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """One problem: where, what happens, and how to correct it (a sentence each)."""

    path: str
    effect: Effect
    message: str
    fix: str

    @property
    def fatal(self) -> bool:
        """True if no working MiniCluster comes out of it."""
        return self.effect not in (Effect.DROPPED, Effect.SURPRISE)


def check_spec(raw: Mapping[str, Any]) -> tuple[SpecProblem, ...]:
    """All problems of a manifest, the fatal ones first."""
    spec = raw.get("spec")
    found = [*_identity(raw)]
    if not isinstance(spec, Mapping):
        found.append(_refused("spec", "There is no spec.", "Give at least spec.containers."))
        return tuple(found)
    version = str(raw.get("apiVersion") or "")
    name = str(as_map(raw.get("metadata")).get("name") or "")
    found += _name(name, spec)
    found += _sizes(spec)
    found += _containers(spec)
    found += _pod(spec)
    if version.endswith("/v1alpha2"):
        found += _old_fields(spec)
    for path, problem, message, fix in check_volumes(spec, version):
        found.append(SpecProblem(path, Effect[problem], message, fix))
    found += _archive(spec, version)
    return tuple(sorted(found, key=lambda problem: not problem.fatal))


def _refused(path: str, message: str, fix: str) -> SpecProblem:
    return SpecProblem(path, Effect.API_REFUSES, message, fix)


def _ignored(path: str, message: str, fix: str) -> SpecProblem:
    return SpecProblem(path, Effect.IGNORED, message, fix)


def _identity(raw: Mapping[str, Any]) -> Iterator[SpecProblem]:
    if raw.get("kind") != "MiniCluster":
        kind = raw.get("kind") or "nothing"
        yield _refused("kind", f"This is a {kind}, not a MiniCluster.", "Set kind: MiniCluster.")
    if raw.get("apiVersion") not in VERSIONS:
        yield _refused(
            "apiVersion",
            f"The apiVersion {raw.get('apiVersion')!r} is not one of the Flux Operator's.",
            f"Set apiVersion: {VERSIONS[0]}.",
        )


def _name(name: str, spec: Mapping[str, Any]) -> Iterator[SpecProblem]:
    """The name becomes a Service, a label and `<name>-<index>` host names."""
    if not name:
        yield _refused("metadata.name", "It has no name.", "Give metadata.name.")
        return
    most = max(as_whole(spec.get("maxSize")) or 0, as_whole(spec.get("size")) or 1, 1)
    longest = _LABEL - len(f"-{most - 1}")
    if len(name) > longest:
        yield _ignored(
            "metadata.name",
            f"The name has {len(name)} characters; host names are made of it.",
            f"Use at most {longest}.",
        )
    elif not _NAME.fullmatch(name):
        yield SpecProblem(
            "metadata.name",
            Effect.IGNORED,
            f"The name {name!r} cannot be a host name.",
            "Use lower-case letters, digits and '-', beginning with a letter.",
        )


def _sizes(spec: Mapping[str, Any]) -> Iterator[SpecProblem]:
    for field in ("size", "maxSize", "minSize", "tasks", "backoffLimit"):
        value = spec.get(field)
        if value is not None and as_whole(value) is None:
            yield _refused(f"spec.{field}", f"{field} is {value!r}.", "Give a whole number.")
    size = as_whole(spec.get("size", 1))
    most, least = as_whole(spec.get("maxSize")), as_whole(spec.get("minSize"))
    if size is not None and size <= 0:
        yield _ignored("spec.size", f"size is {size}.", "Give a size of 1 or more.")
    if size is not None and most and size > most:
        yield _ignored(
            "spec.size", f"size {size} is larger than maxSize {most}.", "Raise maxSize, or drop it."
        )
    if size is not None and least and least > size:
        yield _ignored(
            "spec.minSize", f"minSize {least} is larger than size {size}.", "Lower minSize."
        )
    if least and most and least > most:
        yield _ignored(
            "spec.minSize", f"minSize {least} is larger than maxSize {most}.", "Lower minSize."
        )
    if (as_whole(spec.get("backoffLimit")) or 0) < 0:
        yield _ignored("spec.backoffLimit", "backoffLimit is negative.", "Give 0 or more.")


def _containers(spec: Mapping[str, Any]) -> Iterator[SpecProblem]:
    containers = as_maps(spec.get("containers"))
    if not containers:
        yield _refused("spec.containers", "There are no containers.", "Give at least one.")
        return
    runners = [c for c in containers if c.get("runFlux")]
    if len(containers) > 1 and len(runners) != 1:
        yield _ignored(
            "spec.containers",
            f"{len(runners)} of {len(containers)} containers have runFlux.",
            "Set runFlux: true on exactly one.",
        )
    for index, container in enumerate(containers):
        runs_flux = bool(container.get("runFlux")) or len(containers) == 1
        yield from _container(f"spec.containers[{index}]", container, runs_flux, spec)
    for index, service in enumerate(as_maps(spec.get("services"))):
        yield from _service(f"spec.services[{index}]", service)


def _container(
    path: str, container: Mapping[str, Any], runs_flux: bool, spec: Mapping[str, Any]
) -> Iterator[SpecProblem]:
    if not runs_flux and not container.get("name"):
        yield _ignored(f"{path}.name", "A sidecar has no name.", "Give it one.")
    if container.get("launcher") and container.get("batch"):
        yield _ignored(path, "It has both launcher and batch.", "Choose one of them.")
    script = as_map(container.get("commands")).get("script")
    if runs_flux and container.get("command") and script:
        yield _ignored(path, "It has both command and commands.script.", "Choose one of them.")
    if runs_flux and container.get("command") and spec.get("interactive"):
        yield SpecProblem(
            f"{path}.command",
            Effect.SURPRISE,
            "With interactive: true the command is not run.",
            "Drop one of them.",
        )


def _service(path: str, service: Mapping[str, Any]) -> Iterator[SpecProblem]:
    if not service.get("name"):
        yield _ignored(f"{path}.name", "A service has no name.", "Give it one.")
    refused = {"pre", "brokerPre", "workerPre"} & set(as_map(service.get("commands")))
    if refused:
        words = ", ".join(sorted(refused))
        yield _ignored(f"{path}.commands", f"A service may not have {words}.", "Use servicePre.")


def _pod(spec: Mapping[str, Any]) -> Iterator[SpecProblem]:
    pod = as_map(spec.get("pod"))
    if pod.get("resources") and not pod.get("runtimeClassName"):
        yield SpecProblem(
            "spec.pod.resources",
            Effect.NO_PODS,
            "pod.resources becomes the pod's overhead, which needs a RuntimeClass.",
            "Put resources on the containers instead.",
        )


def _old_fields(spec: Mapping[str, Any]) -> Iterator[SpecProblem]:
    """v1alpha1 fields under v1alpha2."""
    if spec.get("volumes"):
        yield SpecProblem(
            "spec.volumes",
            Effect.DROPPED,
            "spec.volumes is of v1alpha1; v1alpha2 makes no volumes.",
            "Create the PVC yourself and name it in containers[].volumes.<name>.claimName.",
        )
    for field in ("users", "fluxRestful"):
        if spec.get(field):
            message = f"spec.{field} is of v1alpha1."
            yield SpecProblem(f"spec.{field}", Effect.DROPPED, message, "Remove it.")
    for index, container in enumerate(as_maps(spec.get("containers"))):
        if container.get("existingVolumes"):
            yield SpecProblem(
                f"spec.containers[{index}].existingVolumes",
                Effect.DROPPED,
                "existingVolumes is of v1alpha1.",
                "Move them to volumes.<name>.claimName.",
            )


def _archive(spec: Mapping[str, Any], version: str) -> Iterator[SpecProblem]:
    path = str(as_map(spec.get("archive")).get("path") or "")
    if not path:
        return
    if not path.startswith("/"):
        yield SpecProblem(
            "spec.archive.path", Effect.SURPRISE, f"{path} is relative.", "Give a full path."
        )
    if not path.endswith(_ARCHIVE_SUFFIXES):
        yield SpecProblem(
            "spec.archive.path",
            Effect.SURPRISE,
            f"flux dump makes no archives like {path}.",
            f"Let it end in one of {', '.join(_ARCHIVE_SUFFIXES)}.",
        )
    fields = ("volumes", "existingVolumes") if version.endswith("/v1alpha1") else ("volumes",)
    mounts = [
        str(volume.get("path") or "")
        for container in as_maps(spec.get("containers"))
        for field in fields
        for volume in map(as_map, as_map(container.get(field)).values())
        if not volume.get("emptyDir")
    ]
    if not any(path.startswith(mount.rstrip("/") + "/") for mount in mounts if mount):
        yield SpecProblem(
            "spec.archive.path",
            Effect.SURPRISE,
            f"{path} is on no volume, so an archive dies with its pod.",
            "Mount a volume there (containers[].volumes).",
        )


# What the API server would leave out of an object without a word. Pure.


def dropped(sent: Any, stored: Any, path: str = "spec") -> list[str]:
    """Fields that were sent and that the API server silently left out, as paths."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        found = []
        for key, value in sent.items():
            if value in ({}, [], None):
                continue
            where = f"{path}.{key}"
            found += dropped(value, stored[key], where) if key in stored else [where]
        return found
    if isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        return [
            place
            for index, (mine, theirs) in enumerate(zip(sent, stored, strict=True))
            for place in dropped(mine, theirs, f"{path}[{index}]")
        ]
    return []
