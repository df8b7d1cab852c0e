"""The keys of the moment, in one line, cut so that the way to help is always in sight."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from textual.binding import Binding
from textual.content import Content
from textual.style import Style
from textual.widget import Widget

ALWAYS = ("help",)


class KeyFooter(Widget, can_focus=False):
    """Shows the active bindings; what is not possible now is grey. A click presses the key."""

    DEFAULT_CSS = """
    KeyFooter {
        dock: bottom; height: 1; padding: 0 1; background: $surface; color: $foreground;
        link-style: none; link-color: $foreground; link-background: transparent;
        link-style-hover: bold; link-color-hover: $foreground; link-background-hover: $cursor;
    }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._shown: list[tuple[str, str, bool]] = []

    def on_mount(self) -> None:
        """Follow the bindings of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._updated)

    def _updated(self, _screen: Any) -> None:
        """Bindings are looked at with every notice; paint only when a key looks different."""
        now = [(key, b.description, enabled) for b, key, enabled in self._entries()]
        if now != self._shown:
            self._shown = now
            self.refresh()

    def render(self) -> Content:
        """As many keys as fit, in the order of the screen, help last."""
        entries = self._entries()
        last = [entry for entry in entries if entry[0].action in ALWAYS]
        others = [entry for entry in entries if entry[0].action not in ALWAYS]
        others.sort(key=lambda entry: _rank(entry[0].action))
        room = self.content_size.width - sum(_width(key, b) for b, key, _ in last)
        shown: list[tuple[Binding, str, bool]] = []
        for binding, key, enabled in others:
            room -= _width(key, binding)
            if room < 0:
                break
            shown.append((binding, key, enabled))
        return Content.assemble(*(part for e in [*shown, *last] for part in _parts(*e)))

    def _entries(self) -> list[tuple[Binding, str, bool]]:
        found: dict[str, tuple[Binding, str, bool]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.action not in found:
                key = self.app.get_key_display(binding)
                found[binding.action] = (binding, key, active.enabled)
        return list(found.values())


def _rank(action: str) -> int:
    """The way in first, then the way back, the screen's own keys, the table's keys, quit."""
    name = action.split("(")[0].split(".")[-1]
    first = {"open": 0, "choose": 0, "plan": 0, "pop_screen": 1, "dismiss": 1, "leave": 1}
    last = {"hold": 3, "group": 3, "filter": 4, "sort": 5, "quit": 6}
    return first.get(name, last.get(name, 2))


def _width(key: str, binding: Binding) -> int:
    return cell_len(key) + 1 + cell_len(binding.description) + 2


def _parts(binding: Binding, key: str, enabled: bool) -> list[tuple[str, str | Style]]:
    if not enabled:
        return [(f"{key} {binding.description}  ", "$muted 60%")]
    click = Style.from_meta({"@click": f"app.simulate_key('{binding.key}')"})
    return [(key, "$accent bold"), (f" {binding.description}  ", click)]
