"""A MiniCluster as the operator reads it: its spec with the operator's own defaults."""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.operator.flavour import Flavour

_DEFAULT_VIEW = {
    "image": "ghcr.io/converged-computing/flux-view-ubuntu:tag-noble",
    "name": "flux-view",
    "mountPath": "/mnt/flux",
}


@dataclass(frozen=True, slots=True)
class MiniClusterView:
    """Read access to a MiniCluster's spec with the operator's own defaults."""

    obj: JsonObject
    flavour: Flavour

    @property
    def name(self) -> str:
        """The MiniCluster's name."""
        return str(self.obj["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.obj["metadata"]["namespace"])

    @property
    def spec(self) -> JsonObject:
        """Its spec."""
        spec: JsonObject = self.obj["spec"]
        return spec

    @property
    def size(self) -> int:
        """Wanted pods."""
        return int(self.spec.get("size", 1))

    @property
    def max_size(self) -> int:
        """Hosts in the broker configuration; at least `size`."""
        return max(self.size, int(self.spec.get("maxSize") or self.size))

    @property
    def service_name(self) -> str:
        """The headless service."""
        given = (self.spec.get("network") or {}).get("headlessName")
        return str(given or self.flavour.headless_service or self.name)

    @property
    def view(self) -> JsonObject:
        """The view container (v1alpha2)."""
        return {**_DEFAULT_VIEW, **((self.spec.get("flux") or {}).get("container") or {})}

    @property
    def flux_container(self) -> JsonObject:
        """The container that runs Flux."""
        containers = self.spec["containers"]
        found = [container for container in containers if container.get("runFlux")]
        container: JsonObject = (found or containers)[0]
        return container

    @property
    def flux_index(self) -> int:
        """Its place among the containers (wait-<i>.sh)."""
        return [c is self.flux_container for c in self.spec["containers"]].index(True)

    @property
    def archive_path(self) -> str:
        """spec.archive.path, or empty."""
        return str((self.spec.get("archive") or {}).get("path") or "")

    @property
    def mount_path(self) -> str:
        """Where the view is mounted."""
        return str(self.view["mountPath"])

    def problem(self) -> str:
        """What the operator's Validate() would say on its stdout, or empty."""
        spec, containers = self.spec, self.spec["containers"]
        if self.size <= 0:
            return "invisible ants"
        if spec.get("maxSize") and int(spec["maxSize"]) < self.size:
            return "maxSize must be greater than or equal to size"
        if spec.get("minSize") and int(spec["minSize"]) > self.size:
            return "minSize must be less than or equal to size"
        if len(self.name) > 63 - len("-00-xxxxx"):
            return "the name is too long for the host names"
        if len(containers) > 1 and sum(bool(c.get("runFlux")) for c in containers) != 1:
            return "exactly one container must have runFlux"
        for container in containers:
            for volume in (container.get("volumes") or {}).values():
                if (volume.get("claimName") or volume.get("hostPath")) and not volume.get("path"):
                    return "a volume with claimName or hostPath needs a path"
        return ""
