"""Lines to write in whose up and down keys go through what there is to choose."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class KnownInput(Input):
    """`known` are the values that up and down go through; anything else may be written too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "turn(-1)", "The one before", show=False, id="known.previous"),
        Binding("down", "turn(1)", "The next one", show=False, id="known.next"),
    ]

    def __init__(self, *, id: str, known: tuple[str, ...] = (), placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True)
        self.known = known

    def action_turn(self, step: int) -> None:
        """The next known value, from the one that is written or would be meant without one."""
        if not self.known:
            return
        now = self.value or self.placeholder
        before = self.known.index(now) if now in self.known else min(0, -step)
        self.value = self.known[(before + step) % len(self.known)]


class SizeInput(Input):
    """A number of nodes: up and `+` one more, down and `-` one less, never none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,plus", "resize(1)", "one node more", id="size.more", priority=True,
                key_display="+"),
        Binding("down,minus", "resize(-1)", "one less", id="size.less", priority=True,
                key_display="-"),
    ]  # fmt: skip

    def __init__(self, size: int, *, id: str = "size") -> None:
        super().__init__(str(size), id=id, type="integer", compact=True)
        self._before = size

    @property
    def wanted(self) -> int | None:
        """The number that is written, None if it is none from 1 on."""
        text = self.value.strip()
        return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None

    def action_resize(self, step: int) -> None:
        """One node more or less."""
        self.value = str(max(1, (self.wanted or self._before) + step))
