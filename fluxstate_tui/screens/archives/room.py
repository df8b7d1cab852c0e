"""What an archive would be restored onto: nodes, cores of each, and whose instance it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from fluxstate_tui.screens.dialog import Dialog
from fluxstate_tui.widgets.line import Line

MOST_NODES = 1 << 20


@dataclass(frozen=True, slots=True)
class Room:
    """`cores` None = as many as before; `uid` None = the same owner as before."""

    size: int
    cores: int | None = None
    uid: int | None = None

    def resized(self, step: int) -> Room:
        """With more or fewer nodes, at least one."""
        return replace(self, size=min(MOST_NODES, max(1, self.size + step)))


class RoomDialog(Dialog[Room]):
    """Three numbers; an empty one means: as it was."""

    CSS_PATH = "../inner.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "plan", "show", id="room.show", key_display="↵", priority=True),
    ]

    def __init__(self, room: Room) -> None:
        super().__init__("Restore onto")
        self._room = room

    def content(self) -> Iterable[Widget]:
        """Nodes, cores, uid."""
        room = self._room
        yield _row("nodes", "room-size", str(room.size), "pods of the new MiniCluster")
        yield _row("cores", "room-cores", _text(room.cores), "of each node; empty: as before")
        yield _row("uid", "room-uid", _text(room.uid), "of its owner; empty: the same")

    def on_mount(self) -> None:
        """Write at once."""
        self.query_one("#room-size").focus()

    def action_plan(self) -> None:
        """Give the numbers back."""
        size, cores, uid = (self._number(name) for name in ("size", "cores", "uid"))
        wanted = min(MOST_NODES, max(1, size if size is not None else self._room.size))
        self.dismiss(Room(wanted, cores or None, uid))

    def _number(self, name: str) -> int | None:
        text = self.query_one(f"#room-{name}", Input).value.strip()
        return int(text) if text.isdecimal() and text.isascii() else None


def _row(title: str, name: str, value: str, hint: str) -> Widget:
    label, about = Line(classes="dialog-label"), Line()
    label.say([(title, "$muted")])
    about.say([(hint, "$muted")])
    field = Input(value, id=name, type="integer", compact=True, max_length=10)
    field.styles.width = 12
    return Horizontal(label, field, about, classes="dialog-row")


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
