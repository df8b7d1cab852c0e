"""A checkbox whose mark is there or not: Textual's own tells on from off by colour alone."""

from __future__ import annotations

from textual.widgets import Checkbox


class Tick(Checkbox):
    """`[✓] label` or `[ ] label`. Space ticks it."""

    BUTTON_LEFT = "["
    BUTTON_RIGHT = "]"

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]  # noqa: N802 (as the base has it)
        """What stands in the brackets."""
        return "✓" if self.value else " "
