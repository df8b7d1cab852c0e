"""One line of styled text with a left and a right part: headers, summaries, hints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.style import Style
from textual.widget import Widget

from fluxstate_tui.tui.text import fit, hang, hang_at_most, visible

Part = tuple[str, str]

RIGHT_AT_LEAST = 14


class Line(Widget, can_focus=False):
    """`say` shows parts of (text, style). Where both do not fit, the right part is cut first.

    It keeps a few cells, enough for a glyph and a word; then the left part is cut.

    With `most_lines` a left part that is too long, and has nothing at its right, goes on in as
    many lines. Styles are theme variables such as `$state-ok`. Text is plain, never markup.
    """

    DEFAULT_CSS = """
    Line { height: 1; padding: 0 1; color: $foreground; }
    Line.-may-grow { height: auto; }
    """

    def __init__(
        self, *, id: str | None = None, classes: str | None = None, most_lines: int = 1
    ) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self.most_lines = most_lines
        self.set_class(most_lines > 1, "-may-grow")
        self._left: tuple[Part, ...] = ()
        self._right: tuple[Part, ...] = ()

    def say(self, left: Iterable[Part], right: Iterable[Part] = ()) -> None:
        """Show this, and paint only if it is different."""
        new_left = tuple((visible(text[:2000]), style) for text, style in left)
        new_right = tuple((visible(text[:2000]), style) for text, style in right)
        if (new_left, new_right) != (self._left, self._right):
            self._left, self._right = new_left, new_right
            self.refresh(layout=self.most_lines > 1 and self._grown != self.size.height)

    @property
    def text(self) -> str:
        """What it says, without styles."""
        return "".join(text for text, _ in (*self._left, *self._right))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """More than one line only where that is allowed and needed."""
        return len(self._in_lines(width))

    @property
    def _grown(self) -> int:
        return len(self._in_lines(self.content_size.width))

    def _in_lines(self, width: int) -> list[Content]:
        if self.most_lines == 1 or self._right or _cells(self._left) <= width:
            return [Content()]
        return hang_at_most(self._left, width, self.most_lines)

    def render(self) -> Content:
        """The line, exactly as wide as there is room; or the lines that it needs."""
        width = self.content_size.width
        if len(lines := self._in_lines(width)) > 1:
            return Content("\n").join(lines)
        needed = _cells(self._left) + 1
        right = _cut(self._right, max(width - needed, min(width, RIGHT_AT_LEAST)))
        room = max(0, width - _cells(right))
        left = _cut(self._left, room - 1 if right and room else room)
        gap = " " * max(0, room - _cells(left))
        return Content.assemble(*left, gap, *right)


def _cells(parts: Iterable[Part]) -> int:
    return sum(cell_len(text) for text, _ in parts)


def _cut(parts: Iterable[Part], width: int) -> list[Part]:
    kept: list[Part] = []
    for text, style in parts:
        cells = cell_len(text)
        if cells > width:
            if width > 0:
                kept.append((fit(text, width), style))
            break
        kept.append((text, style))
        width -= cells
    return kept


# A titled block of plain text lines: reasons, evidence, previews, details.

Row = tuple[Part, ...]


class Panel(Widget, can_focus=False):
    """Lines of (text, style) parts under a quiet title. Text is never markup.

    A long line goes on under its own text, not under its glyph or label.
    """

    DEFAULT_CSS = """
    Panel { height: auto; padding: 0 1; color: $foreground; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._rows: tuple[Row, ...] = ()
        self._laid_out: tuple[int, list[Content]] | None = None

    def say(self, rows: Iterable[Iterable[Part]], title: str = "") -> None:
        """Show these lines, and paint only if they are different."""
        new = tuple(tuple((visible(t[:4000]), style) for t, style in row) for row in rows)
        if title:
            new = (((title, "$muted bold"),), *new)
        if new != self._rows:
            self._rows, self._laid_out = new, None
            self.refresh(layout=True)

    def render(self) -> Content:
        """All lines, for the width that there is."""
        return Content("\n").join(self._lines(self.content_size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as that width makes of them."""
        return len(self._lines(width)) if width else 0

    def _lines(self, width: int) -> list[Content]:
        if self._laid_out is None or self._laid_out[0] != width:
            whole = 0 if self.styles.text_wrap == "nowrap" else width
            self._laid_out = width, [line for row in self._rows for line in hang(row, whole)]
        return self._laid_out[1]

    @property
    def text(self) -> str:
        """What it says, without styles."""
        return "\n".join("".join(text for text, _ in row) for row in self._rows)


def pairs(items: Iterable[tuple[str, str]], width: int = 10, limit: int = 400) -> list[Row]:
    """`key value` lines with the values in one column; empty ones are left out, long ones cut."""
    return [
        ((f"{key:<{width}} ", "$muted"), (value[:limit] + "…" * (len(value) > limit), ""))
        for key, value in items
        if value
    ]


# The keys of the moment, in one line, cut so that the way to help is always in sight.

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


# The tabs of a screen in one line: a number to press, a name, and which one is shown.


class TabBar(Widget, can_focus=False):
    """`1 Queue  2 Pods …`: the chosen one stands out by weight, colour and brackets."""

    DEFAULT_CSS = """
    TabBar { height: 1; padding: 0 1; background: $surface; color: $muted; }
    """

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.index = 0

    def choose(self, index: int) -> None:
        """Show that tab as chosen."""
        self.index = index
        self.refresh()

    def render(self) -> Content:
        """One line."""
        parts: list[tuple[str, str]] = []
        for index, label in enumerate(self.labels):
            if index == self.index:
                parts.append((f"[{index + 1} {label}]", "$accent bold"))
            else:
                parts.append((f" {index + 1} {label} ", "$muted"))
            parts.append((" ", ""))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the mouse."""
        left = self.styles.padding.left
        for index, label in enumerate(self.labels):
            right = left + len(label) + 4
            if left <= event.x < right:
                self.post_message(self.Chosen(index))
            left = right + 1
