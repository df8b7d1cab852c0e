"""What every tab of a MiniCluster has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical

from fluxstate_tui.live.picture import ClusterPicture
from fluxstate_tui.live.store import Changes

if TYPE_CHECKING:
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.tui.screens.services import Services


class View(Vertical):
    """A tab. Only the tab that is seen is asked to show anything."""

    label = ""

    def __init__(self, services: Services, ref: ClusterRef) -> None:
        super().__init__(id=f"view-{self.label.lower()}", classes="view")
        self.services = services
        self.ref = ref

    @property
    def picture(self) -> ClusterPicture | None:
        """The MiniCluster as it is known now."""
        return self.services.store.clusters.get(self.ref.uid)

    def show_all(self) -> None:
        """Show everything anew."""

    def show_changes(self, changes: Changes) -> None:
        """Show what changed."""

    def tick(self) -> None:
        """A second passed."""

    def take_focus(self) -> None:
        """Keys go here now."""
