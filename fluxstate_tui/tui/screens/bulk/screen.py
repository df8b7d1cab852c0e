"""All marked MiniClusters: what would be lost, one consent, a line for each, every outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.formatting import moment, plural
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Choices, OperationKind, OutcomeKind
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.bulk.columns import COLUMNS, LOCKED, NOT_POSSIBLE, part_word
from fluxstate_tui.tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.tui.screens.operation.screen import ConsentBar, OperationScreen, error_rows
from fluxstate_tui.tui.screens.services import BulkRun, PartRun, Services, run_of
from fluxstate_tui.tui.screens.words import OUTCOMES
from fluxstate_tui.tui.theme import INNER_CSS, color
from fluxstate_tui.tui.typed_ahead import NEVER, from_now_on
from fluxstate_tui.tui.widgets.grid import Grid
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.lines import Line, Panel
from fluxstate_tui.tui.widgets.lines import Part as LinePart
from fluxstate_tui.tui.widgets.lines import Part as Words

if TYPE_CHECKING:
    from fluxstate_tui.operations.bulk import Part


# What is said of all of them, and of one of them in full.


def outcomes(run: BulkRun) -> dict[str, int]:
    """How many ended how, the good ones first."""
    ended = [part for part in run.parts.values() if part.outcome is not None]
    found = Counter(part_word(part).word for part in ended)
    order = [*(kind.value for kind in OutcomeKind), NOT_POSSIBLE.word]
    return {word: found[word] for word in order if found[word]}


def whole_parts(run: BulkRun) -> tuple[list[Words], list[Words]]:
    """Left how many are possible, or ended how; right how many at the same time."""
    limit = run.bulk.limit
    way = "one after the other" if limit == 1 else f"{limit} at the same time"
    if not run.started:
        words = f"{len(run.bulk.ready)} of {plural(len(run.parts), 'MiniCluster')} possible"
        locked = sum(part_word(part) is LOCKED for part in run.parts.values())
        warning = (f"  {locked} locked by another operator", "$state-warn")
        return [(words, "$foreground bold"), *([warning] if locked else [])], [(way, "$accent")]
    glyphs = {word.word: word for word in (*OUTCOMES.values(), NOT_POSSIBLE)}
    parts: list[Words] = []
    for name, count in outcomes(run).items():
        word = glyphs[name]
        parts += [(f"{word.glyph} {count} {word.word}", color(word.tone)), ("  ", "")]
    left = sum(part.outcome is None for part in run.parts.values())
    if left:
        parts.append((f"▶ {left} to go", "$state-busy"))
    return parts, [(way, "$muted")]


def part_rows(part: Part) -> list[list[Words]]:
    """Its plan before it is agreed to, its outcome after: what its line has no room for."""
    outcome, run = part.outcome, run_of(part)
    if outcome is None:
        return _plan_rows(part, run) if run is not None and not run.started else []
    word = part_word(part)
    rows = [[(f"{word} ", color(word.tone)), (f"{part.ref.name}: {outcome.reason}", "")]]
    if outcome.safe:
        rows.append([("  safe  ", "$state-ok"), (outcome.safe, "")])
    if outcome.advice:
        rows.append([("  do    ", "$accent"), (outcome.advice, "")])
    return rows


def _plan_rows(part: Part, run: PartRun) -> list[list[Words]]:
    rows: list[list[Words]] = [[(line, "")] for line in run.plan.preview]
    holder = run.holder
    if holder is None:
        return rows
    lock = f"{part.ref.name}: {holder.who} works on it since {moment(holder.since)}: {holder.what}."
    meaning = "This one is refused if that is not done when its turn comes."
    return [[(f"{LOCKED} ", "$state-warn"), (lock, "")], [(f"  {meaning}", "")], *rows]


# Stopping an operation on several: what has not begun is held back, what runs is asked about.


class Stop(Enum):
    """What to do about those that run."""

    STAY = "stay"
    LEAVE = "leave"
    HOLD = "hold"
    STOP = "stop"


def stop_dialog(run: BulkRun) -> ChoiceDialog[Stop]:
    """Ask; the safe answer is the first one."""
    left = [one for part in run.parts.values() if (one := run_of(part)) and one.running]
    begun = [one for one in left if one.begun]
    waiting = len(left) - len(begun)
    lines: list[list[LinePart]] = [
        [(f"▶ {one.title}: {one.progress_text}", "$state-busy")] for one in begun[:8]
    ]
    if waiting:
        lines.append([(f"{plural(waiting, 'MiniCluster')} not begun.", "")])
    choices = [
        Choice(Stop.STAY, "Go on", "and look on"),
        Choice(Stop.LEAVE, "Go on, and leave this screen", "b shows it again"),
    ]
    if waiting:
        hint = "those that run go on to their end"
        choices.append(Choice(Stop.HOLD, "Begin no more", hint))
    choices.append(Choice(Stop.STOP, "Stop all", "those that run put back what they did"))
    title = f"{run.bulk.kind} of {plural(len(run.parts), 'MiniCluster')}"
    return ChoiceDialog(title, lines, choices)


class BulkScreen(LiveScreen):
    """`refs` are planned, unless a `run` that was started is looked at again."""

    CSS_PATH = INNER_CSS
    HELP_TEXT = (
        "One line per MiniCluster, with its own outcome: one that fails does not stop the others. "
        "+ and - choose how many are done at the same time; enter shows one of them in full."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", id="bulk.back", key_display="esc"),
        Binding("enter", "open", "details", id="bulk.open", key_display="↵"),
        Binding("plus", "beside(1)", "more at once", id="bulk.more", key_display="+"),
        Binding("minus", "beside(-1)", "fewer", id="bulk.fewer", key_display="-"),
        Binding("c", "leave", "stop", id="bulk.stop"),
        Binding("tab", "app.focus_next", "Lines or consent", show=False, id="bulk.next"),
        Binding("left", "app.focus_previous", "No or yes", show=False, id="bulk.left"),
        Binding("right", "app.focus_next", "No or yes", show=False, id="bulk.right"),
        Binding("up", "move(-1)", "The line above", show=False, id="bulk.up"),
        Binding("down", "move(1)", "The line below", show=False, id="bulk.down"),
    ]

    def __init__(
        self,
        services: Services,
        kind: OperationKind,
        refs: tuple[ClusterRef, ...],
        choices: Choices,
        run: BulkRun | None = None,
        when_started: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(services)
        self.kind = kind
        self.refs = refs
        self.choices = choices
        self.run = run
        self.grid: Grid[str, Part] = Grid(
            COLUMNS,
            now=services.clock.now,
            natural=lambda part: (part.ref.namespace, part.ref.name),
        )
        self.grid.order_by(None, False)
        self.when_started = when_started

    def body(self) -> Iterable[Widget]:
        """How many and how, the lines, the consent."""
        yield Line(id="bulk-line", classes="summary")
        yield self.grid
        yield Panel(id="bulk-said")
        yield ConsentBar()

    def crumbs(self) -> list[str]:
        """What is done to how many."""
        return [f"{self.kind} {plural(len(self.refs), 'MiniCluster')}"]

    def on_mount(self) -> None:
        """Plan, unless it runs already."""
        super().on_mount()
        self.grid.focus()
        if self.run is None:
            self.grid.say_when_empty(f"Reading the world of {len(self.refs)} MiniClusters …")
            in_background(self, self._prepare)
        else:
            self._follow(self.run)

    def on_unmount(self) -> None:
        """It goes on, seen by nobody."""
        super().on_unmount()
        if self.run is not None:
            self.run.changed = lambda uid: None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """How many at once is chosen before it starts; only what runs can be stopped."""
        if action == "beside":
            return self.run is not None and not self.run.started
        if action == "open":
            part = self._chosen
            return True if part is not None and run_of(part) is not None else None
        return True

    def why_grey(self, action: str) -> str:
        """One that waits has nothing to show yet."""
        return "It has not begun." if action == "open" else ""

    def tick(self) -> None:
        """Ages of the picture."""
        super().tick()
        self._say()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """A double click on a line."""
        event.stop()
        self.action_open()

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """What can be said of that one in full."""
        event.stop()
        self._say()
        self.refresh_bindings()

    def on_consent_bar_answered(self, event: ConsentBar.Answered) -> None:
        """Yes starts all of them, no leaves."""
        event.stop()
        if not event.yes:
            self.action_leave()
        elif self.run is not None and not self.run.started:
            self.query_one(ConsentBar).hide()
            self.grid.focus()
            self.run.start(self.services, event.typed)
            self.when_started()
            self._follow(self.run)

    def action_move(self, lines: int) -> None:
        """Another line, while the keys belong to the consent."""
        self.grid.action_move(lines)

    def action_beside(self, more: int) -> None:
        """How many are done at the same time."""
        if self.run is not None and not self.run.started:
            most = max(1, len(self.run.bulk.ready))
            self.run.bulk.limit = min(most, max(1, self.run.bulk.limit + more))
            self._say()

    def action_open(self) -> None:
        """The plan, the steps and the outcome of one of them."""
        part = self._chosen
        run = run_of(part) if part is not None else None
        if part is not None and run is not None:
            screen = PartScreen(self.services, self.kind, part.ref, self.choices, run)
            self.app.push_screen(screen)

    def action_leave(self) -> None:
        """Back; while it runs it is asked what shall become of it."""
        if self.run is not None and self.run.running:
            self.app.push_screen(stop_dialog(self.run), self._decided)
            return
        if self.run is not None and not self.run.started:
            self.app.run_worker(self.run.close(), exit_on_error=False)
        self.app.pop_screen()

    def _decided(self, answer: Stop | None) -> None:
        if self.run is None or answer in (None, Stop.STAY):
            return
        if answer is Stop.LEAVE:
            self.services.tell("It goes on. b shows it again.", self.crumbs()[0], "information")
            self.app.pop_screen()
        elif answer is Stop.HOLD:
            self.run.hold_back()
        else:
            self.run.cancel()

    @property
    def _chosen(self) -> Part | None:
        key = self.grid.cursor_key
        return None if self.run is None or key is None else self.run.parts.get(key)

    async def _prepare(self) -> None:
        self.answers_from = NEVER
        try:
            run = await BulkRun.prepare(self.services, self.kind, self.refs, self.choices)
        except FluxstateError as error:
            self.answers_from = 0.0
            self.query_one("#bulk-said", Panel).say(error_rows(self.kind, error))
            return
        self._follow(run)
        if run.bulk.ready:
            self.query_one(ConsentBar).ask(run.bulk.consent)
        self.call_after_refresh(self._take_answers)

    def _take_answers(self) -> None:
        self.answers_from = from_now_on()

    def _follow(self, run: BulkRun) -> None:
        self.run = run
        run.changed = self._changed
        run.ended = self._ended
        self.grid.show(run.parts)
        self._say()
        self.refresh_bindings()

    def _changed(self, uid: str) -> None:
        if self.is_attached:
            self.grid.patch((uid,))
            self._say()

    def _ended(self) -> None:
        if self.is_attached:
            self._say()
            self.refresh_bindings()
        elif self.run is not None:
            worst = self.run.bulk.worst
            text = ", ".join(f"{count} {word}" for word, count in outcomes(self.run).items())
            good = worst.kind is OutcomeKind.COMPLETED
            self.services.tell(text, self.crumbs()[0], "information" if good else "error")

    def _say(self) -> None:
        """The whole in one line; of the chosen one what its line has no room for."""
        run = self.run
        if run is None:
            return
        self.query_one("#bulk-line", Line).say(*whole_parts(run))
        part = self._chosen
        self.query_one("#bulk-said", Panel).say(part_rows(part) if part is not None else [])


class PartScreen(OperationScreen):
    """One of several: its consent is the consent to all of them."""

    CSS_PATH = INNER_CSS

    def action_leave(self) -> None:
        """Back to the others; nothing ends by that."""
        self.app.pop_screen()
