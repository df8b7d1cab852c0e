"""What Kubernetes says happened to one MiniCluster, its Job and its pods."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from fluxstate_tui.formatting import age
from fluxstate_tui.live.filters import FilterField
from fluxstate_tui.live.store import Changes
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.minicluster.objects import KubeEvent
from fluxstate_tui.tui.screens.minicluster.view import View
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.widgets.grid import Column, Grid
from fluxstate_tui.tui.widgets.table import Table


def _tone(event: KubeEvent) -> str:
    return "warn" if event.type == "Warning" else "off"


EVENT_COLUMNS: tuple[Column[KubeEvent], ...] = (
    Column(
        "age",
        "AGE",
        4,
        lambda e, now: age(now - e.last_seen),
        "right",
        lambda _: "off",
        lambda e: e.last_seen,
        ticks=lambda _: True,
    ),
    Column(
        "type",
        "TYPE",
        9,
        lambda e, _: f"▲ {e.type}" if e.type == "Warning" else f"· {e.type}",
        tone=_tone,
        sort=lambda e: e.type,
        rank=3,
    ),
    Column("reason", "REASON", 14, lambda e, _: e.reason, sort=lambda e: e.reason, flex=1),
    Column("object", "OBJECT", 14, lambda e, _: f"{e.kind.lower()}/{e.name}", flex=1, rank=2),
    Column("count", "COUNT", 5, lambda e, _: str(e.count), "right", sort=lambda e: e.count, rank=4),
    Column("message", "MESSAGE", 30, lambda e, _: e.message, tone=lambda _: "off", flex=4),
)

EVENT_FIELDS: dict[str, FilterField[KubeEvent]] = {
    field.name: field
    for field in (
        FilterField[KubeEvent]("type", text=lambda e: e.type),
        FilterField[KubeEvent]("reason", text=lambda e: e.reason),
        FilterField[KubeEvent]("object", text=lambda e: f"{e.kind.lower()}/{e.name}"),
        FilterField[KubeEvent]("message", text=lambda e: e.message),
        FilterField[KubeEvent]("count", number=lambda e: e.count),
    )
}


class EventsView(View):
    """Events, newest first."""

    label = "Events"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "in full", id="events.open", key_display="↵"),
    ]

    def __init__(self, services: Services, ref: ClusterRef) -> None:
        super().__init__(services, ref)
        self.table: Table[str, KubeEvent] = Table(
            EVENT_COLUMNS,
            EVENT_FIELDS,
            now=services.server_now,
            order="age",
            reverse=True,
            remembered=services.memory.table("events"),
        )

    def compose(self) -> ComposeResult:
        """The table."""
        yield self.table

    def show_all(self) -> None:
        """All events that are kept."""
        events = self.services.store.events_of(self.ref.uid)
        self.table.show({event.uid: event for event in events})
        self.table.say_when_empty("No events. Kubernetes forgets them after an hour.")

    def show_changes(self, changes: Changes) -> None:
        """Events are few: show them anew."""
        if changes.events:
            self.show_all()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Enter or a click."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Read the whole event: messages are long."""
        self.table.action_ask("row")

    def tick(self) -> None:
        """Ages go on."""
        self.table.grid.tick()

    def take_focus(self) -> None:
        """Keys go to the events."""
        self.table.grid.focus()
