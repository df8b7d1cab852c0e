"""PersistentVolumes that an earlier life of a MiniCluster left, and that its new claims never get.

In v1alpha1 the operator makes a PersistentVolume and a claim of each of `spec.volumes`. The claim
goes with the MiniCluster. A volume that keeps its files then stays `Failed` or `Released` with the
old claim in it; the operator takes it for its own ("found existing"), and the new claim waits for
good, or gets a new and empty volume of its StorageClass (seen on Kubernetes 1.35).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.retry import retry
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import Forbidden, NotFound
from fluxstate_tui.kube.objects import PVS
from fluxstate_tui.operations.steps import RefusedError


@dataclass(frozen=True, slots=True)
class OldVolume:
    """One that no new claim gets. `going` says that Kubernetes may still be removing it."""

    name: str
    phase: str
    claim: str
    path: str
    going: bool

    @property
    def says(self) -> str:
        """What is in the way."""
        whose = "" if self.bound else " of an earlier MiniCluster"
        return (
            f"PersistentVolume {self.name} is {self.phase} and still belongs to the claim "
            f"{self.claim}{whose}"
        )

    @property
    def bound(self) -> bool:
        """Another claim, that is there, has it."""
        return self.phase == "Bound"

    @property
    def mends(self) -> str:
        """How it gets out of the way without its files."""
        if self.bound:
            return f"Give the volume {self.name} another name in spec.volumes (--file MANIFEST)"
        if self.path:
            return f"Run: kubectl delete pv {self.name} (the files in {self.path} stay)"
        return (
            f"Set the reclaim policy of pv/{self.name} to Retain, so that its data stays; then "
            f"remove its claimRef: kubectl patch pv {self.name} -p "
            '\'{"spec":{"claimRef":null}}\''
        )


async def old_volumes(context: OperationContext, manifest: dict[str, Any]) -> tuple[OldVolume, ...]:
    """Those in the way of this MiniCluster. Raises Forbidden where they may not be read."""
    namespace = str(manifest["metadata"]["namespace"])
    found = [await _read(context, namespace, name) for name in _own_volumes(manifest)]
    return tuple(old for old in found if old is not None)


async def _read(context: OperationContext, namespace: str, name: str) -> OldVolume | None:
    try:
        raw = await retry(context.clock, lambda: context.cluster.get(PVS, name), seconds=10.0)
    except NotFound:
        return None
    return _in_the_way(raw, f"{namespace}/{name}-claim")


def _own_volumes(manifest: dict[str, Any]) -> list[str]:
    volumes = manifest["spec"].get("volumes")
    return [str(name) for name in volumes] if isinstance(volumes, dict) else []


def _in_the_way(raw: dict[str, Any], wanted: str) -> OldVolume | None:
    spec, phase = raw.get("spec") or {}, str((raw.get("status") or {}).get("phase") or "")
    holder = spec.get("claimRef")
    if not isinstance(holder, dict):
        return None
    claim = f"{holder.get('namespace', '')}/{holder.get('name', '')}"
    if phase not in ("Released", "Failed") and (phase != "Bound" or claim == wanted):
        return None
    deletes = spec.get("persistentVolumeReclaimPolicy") == "Delete"
    path = str((spec.get("hostPath") or {}).get("path") or "")
    return OldVolume(raw["metadata"]["name"], phase, claim, path, deletes and phase == "Released")


def in_the_way(old: OldVolume) -> FluxstateError:
    """Nothing that is created now would come up with its archives."""
    return RefusedError(
        f"{old.says}: the new one would wait for its volume for good, or get an empty one",
        safe="Nothing was created.",
        advice=f"{old.mends}; then restore again.",
    )


async def require_free_volumes(context: OperationContext, manifest: dict[str, Any]) -> None:
    """Raise RefusedError for one that stays in the way; those that are going are waited for."""
    try:
        found = await old_volumes(context, manifest)
    except Forbidden:
        return
    for old in found:
        if not old.going:
            raise in_the_way(old)


async def volume_lines(context: OperationContext, manifest: dict[str, Any]) -> tuple[str, ...]:
    """For the plan: what is waited for, or could not be looked at."""
    names = ", ".join(_own_volumes(manifest))
    try:
        found = await old_volumes(context, manifest)
    except Forbidden:
        unseen = f"no right to read PersistentVolumes ({names})"
        return (f"Not looked at: whether an earlier MiniCluster's is in the way, {unseen}.",)
    return tuple(f"{old.says}: it is waited for until it is gone." for old in found)
