"""Nodes over time: a chart of any size, drawn by line, with a cursor on a node and a moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fluxstate_tui.archive.timeline import Interval, Lane, Node
from fluxstate_tui.tui.text import fit
from fluxstate_tui.tui.theme import VARIABLE, tone_style
from fluxstate_tui.tui.widgets.job_words import job_word

# Which stretch of time a Gantt chart shows, and its axis. Numbers only.

_NICE = (1, 2, 5, 10, 15, 30)
_STEPS = (
    *(value / 1000 for base in (1, 10, 100) for value in (base, 2 * base, 5 * base)),
    *_NICE,
    *(60 * value for value in _NICE),
    *(3600 * value for value in (1, 2, 3, 6, 12)),
    *(86400 * value for value in (1, 2, 7, 14, 30, 90, 365)),
)
FINEST = 1e-4
_LABEL_ROOM = 10


@dataclass(frozen=True, slots=True)
class View:
    """`width` cells of `step` seconds from `begin` on; all that there is lasts `whole` seconds."""

    whole: float
    width: int
    begin: float
    step: float

    @classmethod
    def of_all(cls, whole: float, width: int) -> View:
        """Everything, in the cells that there are."""
        width = max(1, width)
        return cls(whole, width, 0.0, max(whole / width, FINEST))

    def cell(self, x: int) -> tuple[float, float]:
        """From when to when one cell is."""
        return self.begin + x * self.step, self.begin + (x + 1) * self.step

    def column(self, t: float) -> int:
        """The cell that a moment is in; may be outside."""
        return int((t - self.begin) // self.step)

    @property
    def end(self) -> float:
        """Where it ends."""
        return self.begin + self.width * self.step

    @property
    def zoomed(self) -> bool:
        """It shows only a part."""
        return self.width * self.step < self.whole * 0.999

    def zoom(self, factor: float, around: float) -> View:
        """`factor` 0.5 shows half as much; that moment stays in its place."""
        step = min(max(self.step * factor, FINEST), max(self.whole / self.width, FINEST))
        begin = around - (around - self.begin) * step / self.step
        return replace(self, step=step)._from(begin)

    def pan(self, cells: int) -> View:
        """Later or earlier by so many cells."""
        return self._from(self.begin + cells * self.step)

    def showing(self, t: float) -> View:
        """Moved as little as possible, so that this moment is in it."""
        column = self.column(t)
        if column < 0:
            return self.pan(column)
        return self.pan(column - self.width + 1) if column >= self.width else self

    def resized(self, width: int) -> View:
        """In another number of cells: all stays all, a part begins where it began."""
        if not self.zoomed:
            return View.of_all(self.whole, width)
        widest = max(self.whole / max(1, width), FINEST)
        return replace(self, width=max(1, width), step=min(self.step, widest))._from(self.begin)

    def _from(self, begin: float) -> View:
        last = max(0.0, self.whole - self.width * self.step)
        return replace(self, begin=min(max(0.0, begin), last))


def axis(view: View) -> list[tuple[int, str]]:
    """Columns with their labels: round times since the beginning, as many as fit."""
    step = next((s for s in _STEPS if s / view.step >= _LABEL_ROOM), None)
    if step is None:
        step = _STEPS[-1] * max(1.0, round(view.step * _LABEL_ROOM / _STEPS[-1]))
    found = []
    number = int(view.begin // step)
    for _ in range(view.width // _LABEL_ROOM + 2):
        column = view.column(number * step + view.step * 1e-6)
        if 0 <= column < view.width:
            found.append((column, span_text(number * step)))
        number += 1
    return found


def span_text(seconds: float) -> str:
    """A moment since the beginning: 0s, 0.25s, 1m30s, 2h05m, 3d4h."""
    if seconds < 60:
        return f"{round(seconds, 4):g}s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s" if whole % 60 else f"{whole // 60}m"
    if whole < 86400:
        minutes = whole % 3600 // 60
        return f"{whole // 3600}h{minutes:02d}m" if minutes else f"{whole // 3600}h"
    hours = whole % 86400 // 3600
    return f"{whole // 86400}d{hours}h" if hours else f"{whole // 86400}d"


# One line of a Gantt chart as pieces of text with a tone; nothing here knows a terminal.

_HEIGHTS = "▁▂▃▄▅▆▇█"
_EMPTY = "·"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some cells of a line. `bar`: dark text on the tone, else the tone as text."""

    text: str
    tone: str
    bar: bool = False


def lane_line(lane: Lane, view: View) -> list[Piece]:
    """Jobs one after the other as bars with their names; `3` is three jobs in one cell."""
    pieces: list[Piece] = []
    x = 0
    while x < view.width:
        found = lane.between(*view.cell(x))
        if len(found) == 1:
            length = _length(lane, found.start, view, x)
            pieces.append(_bar(lane.intervals[found.start], length))
            x += length
            continue
        if found:
            pieces.append(_several(len(found), lane.bad(found)))
        else:
            pieces.append(Piece(_EMPTY, "rule"))
        x += 1
    return pieces


def load_line(node: Node, view: View) -> list[Piece]:
    """How full a node with several lanes was: a column for every cell."""
    lanes = max(1, len(node.lanes))
    pieces: list[Piece] = []
    for x in range(view.width):
        begin, end = view.cell(x)
        number = node.jobs.count(begin, end)
        if not number:
            pieces.append(Piece(_EMPTY, "rule"))
            continue
        share = node.jobs.seconds(begin, end) / (view.step * lanes)
        height = min(7, max(0, round(share * 8) - 1))
        pieces.append(Piece(_HEIGHTS[height], _tone(number, node.bad.count(begin, end))))
    return pieces


def _length(lane: Lane, at: int, view: View, x: int) -> int:
    """For how many cells this job is alone in its cell."""
    last = view.column(lane.ends[at])
    if view.cell(last)[0] >= lane.ends[at]:
        last -= 1
    if at + 1 < len(lane.begins):
        last = min(last, view.column(lane.begins[at + 1]) - 1)
    return max(1, min(last, view.width - 1) - x + 1)


def _bar(interval: Interval, length: int) -> Piece:
    word = job_word(interval.job)
    if length < 4:
        return Piece(word.glyph + " " * (length - 1), word.tone, bar=True)
    return Piece(fit(f"{word.glyph} {interval.job.name} ", length), word.tone, bar=True)


def _several(number: int, bad: int) -> Piece:
    return Piece(str(number) if number < 10 else "+", _tone(number, bad), bar=True)


def _tone(number: int, bad: int) -> str:
    """Most went wrong, some did, none did."""
    if not bad:
        return "ok"
    return "bad" if bad * 2 > number else "warn"


MOST_LISTED = 50
_LABEL_MOST = 24
Row = tuple[int, int | None]


class GanttChart(ScrollView, can_focus=True):
    """Rows are nodes, or their lanes where they are unfolded. Only what is visible is drawn."""

    DEFAULT_CSS = """
    GanttChart {
        background: $background; color: $foreground; height: 1fr; overflow-x: hidden;
        scrollbar-gutter: stable;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "zoom(0.5)", "zoom in", id="gantt.in", key_display="+"),
        Binding("minus", "zoom(2)", "zoom out", id="gantt.out", key_display="-"),
        Binding("0", "whole", "all", id="gantt.all"),
        Binding("n", "next(1)", "next job", id="gantt.next"),
        Binding("N", "next(-1)", "Job before", show=False, id="gantt.previous"),
        Binding("f", "fold", "fold", id="gantt.fold", tooltip="One line per node, or per lane"),
        Binding("left", "step(-1)", "Earlier", show=False, id="gantt.left"),
        Binding("right", "step(1)", "Later", show=False, id="gantt.right"),
        Binding("shift+left", "pan(-1)", "Half a screen earlier", show=False, id="gantt.pan_left"),
        Binding("shift+right", "pan(1)", "Half a screen later", show=False, id="gantt.pan_right"),
        Binding("up", "move(-1)", "Up", show=False, id="gantt.up"),
        Binding("down", "move(1)", "Down", show=False, id="gantt.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="gantt.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="gantt.page_down"),
        Binding("home", "move(-1000000000)", "First node", show=False, id="gantt.first"),
        Binding("end", "move(1000000000)", "Last node", show=False, id="gantt.last"),
    ]

    class Moved(Message):
        """The cursor is elsewhere, or another stretch of time is shown."""

    class Opened(Message):
        """The cell under the cursor was clicked twice."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.nodes: tuple[Node, ...] = ()
        self.view = View.of_all(1.0, 1)
        self.folded = True
        self.at = 0.0
        self._whole = 1.0
        self._rows: list[Row] = []
        self._row = 0
        self._strips: dict[int, Strip] = {}
        self._styles_known: dict[tuple[str, bool], Style] = {}

    # What the owner calls ------------------------------------------------------------------

    def show(self, nodes: Iterable[Node], whole: float) -> None:
        """Show these nodes over `whole` seconds; lanes are unfolded if all of them fit."""
        self.nodes = tuple(nodes)
        self._whole = max(whole, 1e-3)
        self.view = View.of_all(self._whole, self._room)
        self.folded = sum(len(node.lanes) for node in self.nodes) > max(8, self.size.height - 1)
        self._lay_out()

    @property
    def node(self) -> Node | None:
        """The node under the cursor."""
        return self.nodes[self._rows[self._row][0]] if self._rows else None

    def under_cursor(self) -> tuple[int, list[Interval]]:
        """How many jobs are in the cell under the cursor, and the first of them."""
        if not self._rows:
            return 0, []
        index, lane = self._rows[self._row]
        lanes = self.nodes[index].lanes
        begin, end = self.view.cell(self.view.column(self.at))
        number, found = 0, []
        for one in lanes if lane is None else lanes[lane : lane + 1]:
            positions = one.between(begin, end)
            number += len(positions)
            found += [one.intervals[at] for at in positions[:MOST_LISTED]]
        found.sort(key=lambda interval: (interval.begin, interval.job.id))
        return number, found[:MOST_LISTED]

    # Keys and mouse ------------------------------------------------------------------------

    def action_zoom(self, factor: float) -> None:
        """Show half or twice as much, around the cursor."""
        self._look(self.view.zoom(factor, self.at))

    def action_whole(self) -> None:
        """Show all of it."""
        self._look(View.of_all(self._whole, self._room))

    def action_pan(self, direction: int) -> None:
        """Half a screen earlier or later; the cursor goes along."""
        cells = direction * max(1, self.view.width // 2)
        self._look(self.view.pan(cells))
        self._go_to(self.at + cells * self.view.step)

    def action_step(self, cells: int) -> None:
        """The cursor one cell earlier or later; at the edge the chart moves."""
        column = self.view.column(self.at) + cells
        self._go_to(sum(self.view.cell(column)) / 2)

    def action_next(self, direction: int) -> None:
        """To the next beginning of a job in this row."""
        if not self._rows:
            return
        index, lane = self._rows[self._row]
        lanes = self.nodes[index].lanes
        begin, end = self.view.cell(self.view.column(self.at))
        begins = [one.neighbour(begin, end, direction) for one in lanes[_only(lane)]]
        known = [t for t in begins if t is not None]
        if known:
            self._go_to(min(known) if direction > 0 else max(known))

    def action_fold(self) -> None:
        """One line per node, or one per lane."""
        index = self._rows[self._row][0] if self._rows else 0
        self.folded = not self.folded
        self._lay_out()
        self._go_to_row(next((r for r, row in enumerate(self._rows) if row[0] == index), 0))

    def action_move(self, rows: int) -> None:
        """The cursor up or down."""
        self._go_to_row(self._row + rows)

    def action_page(self, pages: int) -> None:
        """The cursor by visible pages."""
        self.action_move(pages * max(1, self.size.height - 2))

    def on_click(self, event: events.Click) -> None:
        """The cursor to that cell."""
        row = self.scroll_offset.y + event.y - 1
        if event.y < 1 or row >= len(self._rows):
            return
        self._go_to_row(row)
        if event.x >= self._label:
            self._go_to(sum(self.view.cell(event.x - self._label)) / 2)
            if event.chain >= 2:
                self.post_message(self.Opened())

    def _go_to(self, t: float) -> None:
        self.at = min(max(0.0, t), self._whole)
        if self.view.column(self.at) not in range(self.view.width):
            self._look(self.view.showing(self.at))
        else:
            self.refresh()
            self.post_message(self.Moved())

    def _go_to_row(self, row: int) -> None:
        self._row = max(0, min(row, len(self._rows) - 1))
        height = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self._row < top:
            self.scroll_to(y=self._row, animate=False)
        elif self._row >= top + height:
            self.scroll_to(y=self._row - height + 1, animate=False)
        self.refresh()
        self.post_message(self.Moved())

    def _look(self, view: View) -> None:
        self.view = view
        self._strips.clear()
        self.refresh()
        self.post_message(self.Moved())

    # Layout and painting -------------------------------------------------------------------

    @property
    def _label(self) -> int:
        """How wide the names are, with the gap after them."""
        longest = max((len(node.host) for node in self.nodes), default=0)
        return 2 + min(max(4, longest), _LABEL_MOST, max(4, self.size.width // 4)) + 1

    @property
    def _room(self) -> int:
        return max(1, self.scrollable_content_region.width - self._label)

    def _lay_out(self) -> None:
        self._rows = [
            (index, lane)
            for index, node in enumerate(self.nodes)
            for lane in ((None,) if self.folded else range(max(1, len(node.lanes))))
        ]
        self._row = max(0, min(self._row, len(self._rows) - 1))
        self._strips.clear()
        self.virtual_size = Size(self.size.width, len(self._rows) + 1)
        self.view = self.view.resized(self._room)
        self.refresh()
        self.post_message(self.Moved())

    def on_resize(self) -> None:
        """More or fewer cells."""
        self._lay_out()

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._strips.clear()
        self._styles_known.clear()

    def on_focus(self) -> None:
        """The cursor shows where keys go."""
        self.refresh()

    def on_blur(self) -> None:
        """They go elsewhere."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The axis at 0, below it the rows from the scroll offset on."""
        width = self.size.width
        if y == 0:
            return self._axis().crop_extend(0, width, self.rich_style)
        row = self.scroll_offset.y + y - 1
        if row >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        strip = self._strips.get(row)
        if strip is None:
            if len(self._strips) > 500:
                self._strips.clear()
            strip = self._strips[row] = self._cells(row)
        if row == self._row:
            strip = self._with_cursor(strip)
        return Strip([*self._host(row), *strip]).crop_extend(0, width, self.rich_style)

    def _cells(self, row: int) -> Strip:
        index, lane = self._rows[row]
        node = self.nodes[index]
        if lane is None and len(node.lanes) != 1:
            pieces = load_line(node, self.view)
        elif node.lanes:
            pieces = lane_line(node.lanes[lane or 0], self.view)
        else:
            pieces = [Piece("·" * self.view.width, "rule")]
        return Strip([Segment(piece.text, self._style(piece.tone, piece.bar)) for piece in pieces])

    def _with_cursor(self, strip: Strip) -> Strip:
        """The same line with the cell under the cursor turned round."""
        x = self.view.column(self.at)
        if not 0 <= x < self.view.width:
            return strip
        before, cell, after = strip.divide([x, x + 1, self.view.width])
        return Strip([*before, *Segment.apply_style(cell, post_style=self._cursor_style), *after])

    def _host(self, row: int) -> list[Segment]:
        index, lane = self._rows[row]
        width = self._label - 3
        text = self.nodes[index].host if not lane else f"{'':>{max(0, width - 4)}}+{lane}"
        base = self.rich_style
        if row != self._row:
            return [Segment("  " + fit(text, width) + " ", base + self._style("off", False))]
        ground = tone_style("cursor" if self.has_focus else "cursor-blurred", self._variables)
        return [
            Segment("▌ ", base + ground + self._style("accent", False)),
            Segment(fit(text, width), base + ground),
            Segment(" ", base),
        ]

    def _axis(self) -> Strip:
        cells = [" "] * (self.view.width + 12)
        for column, label in axis(self.view):
            cells[column : column + len(label) + 1] = "╷" + label
        line = "".join(cells)[: self.view.width]
        x = min(max(0, self.view.column(self.at)), self.view.width - 1)
        style = self.rich_style + self._style("header", False)
        return Strip(
            [
                Segment(" " * self._label + line[:x], style),
                Segment("▼", self.rich_style + self._style("accent", False)),
                Segment(line[x + 1 :], style),
            ]
        )

    @property
    def _variables(self) -> dict[str, str]:
        return self.app.theme_variables

    @property
    def _cursor_style(self) -> Style:
        accent = Color.parse(self._variables["accent"]).rich_color
        ground = Color.parse(self._variables["background"]).rich_color
        return Style(color=ground, bgcolor=accent, bold=True)

    def _style(self, tone: str, bar: bool) -> Style:
        """The tone as text on the ground, or the ground's colour on the tone."""
        style = self._styles_known.get((tone, bar))
        if style is None:
            variables = self._variables
            if bar:
                ink = Color.parse(variables["background"]).rich_color
                ground = Color.parse(variables[VARIABLE[tone]]).rich_color
                style = Style(color=ink, bgcolor=ground)
            else:
                style = self.rich_style + tone_style(tone, variables)
            self._styles_known[(tone, bar)] = style
        return style


def _only(lane: int | None) -> slice:
    return slice(None) if lane is None else slice(lane, lane + 1)
