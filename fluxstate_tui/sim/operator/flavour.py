"""Operator flavours: which CRD version is served, and where Flux lies in the containers."""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.sim.api.kinds import MINICLUSTERS, MINICLUSTERS_V1ALPHA1, Kind
from fluxstate_tui.sim.api.minicluster_schema import v1alpha1, v1alpha2
from fluxstate_tui.sim.api.schema import Schema


@dataclass(frozen=True, slots=True)
class Flavour:
    """One operator version (facts: flux-operator at that date).

    `layout` names the paths (sim.layout); `headless_service` is empty where the service carries
    the MiniCluster's name.
    """

    name: str
    kind: Kind
    layout: str
    headless_service: str = ""

    @property
    def has_view(self) -> bool:
        """Whether Flux comes from an init container (v1alpha2) or the image (v1alpha1)."""
        return self.kind.version == "v1alpha2"

    def schema(self) -> Schema:
        """The CRD's schema."""
        return v1alpha2() if self.has_view else v1alpha1()


FLAVOURS = {
    flavour.name: flavour
    for flavour in (
        Flavour("2026-06", MINICLUSTERS, "v1alpha2"),
        Flavour("2025-09", MINICLUSTERS, "v1alpha2-old", "flux-service"),
        Flavour("v1alpha1", MINICLUSTERS_V1ALPHA1, "v1alpha1", "flux-service"),
    )
}
