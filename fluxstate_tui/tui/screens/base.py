"""The base of all screens that show the live picture: header, body, keys, and when to repaint."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual import events
from textual.app import App, ComposeResult
from textual.binding import ActiveBinding
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Input

from fluxstate_tui.formatting import age
from fluxstate_tui.live.freshness import Freshness, Source, parts_of_source
from fluxstate_tui.live.store import Changes
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.widgets.lines import KeyFooter, Line, Part
from fluxstate_tui.tui.widgets.table import Table
from fluxstate_tui.tui.widgets.words import FRESHNESS

KUBE_SOURCES = ("miniclusters", "pods", "jobs", "events")


def reason_of(grey: ActiveBinding) -> str:
    """Why a key is grey, in a sentence; '' if whoever has it does not know (`why_grey`)."""
    ask = getattr(grey.node, "why_grey", None)
    return ask(grey.binding.action) if ask is not None else ""


class LiveScreen(Screen[None]):
    """Subclasses give `body`, `crumbs`, `show_all` and `show_changes`.

    A screen below another one does nothing; it shows everything again when it comes back. `ready`
    says that its widgets exist.
    """

    answers_from = 0.0
    """Keys that were typed before (monotonic) are no answers to what it asks."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self._made: frozenset[DOMNode] = frozenset()
        self._said, self._said_at = "", 0.0
        self._unsubscribe: Callable[[], None] | None = None

    def compose(self) -> ComposeResult:
        """Header, body, keys."""
        yield Line(id="header", classes="header")
        yield from self.body()
        yield KeyFooter()

    def body(self) -> Iterable[Widget]:
        """The widgets between header and keys."""
        return ()

    def crumbs(self) -> list[str]:
        """Where one is, from the list of MiniClusters inwards."""
        return []

    def sources(self) -> list[Source]:
        """The sources whose freshness the header shows."""
        found = (self.services.store.source(name) for name in KUBE_SOURCES)
        return [source for source in found if source is not None]

    def show_all(self) -> None:
        """Show the whole picture."""

    def show_changes(self, changes: Changes) -> None:
        """Show what changed."""

    def tick(self) -> None:
        """A second passed: show ages anew."""
        self.show_header()

    def on_mount(self) -> None:
        """Follow the store; once, for Textual calls this for every class that overrides it."""
        if self._unsubscribe is not None:
            return
        self._unsubscribe = self.services.notices.subscribe(self._noticed)
        self._made = frozenset(self.walk_children())
        self.show_header()
        self.show_all()

    def on_unmount(self) -> None:
        """Follow it no more."""
        self._made = frozenset()
        if self._unsubscribe is not None:
            self._unsubscribe()

    def on_screen_resume(self) -> None:
        """Back on top: show what happened meanwhile."""
        if not self.ready:
            return
        self.show_header()
        self.show_all()
        self.refresh_bindings()

    @property
    def ready(self) -> bool:
        """Its widgets exist: not before it was mounted, and not while it is taken apart.

        Not by their number: others may have come since, and hide that the header is gone.
        """
        return bool(self._made) and self._made.issubset(self.walk_children())

    @property
    def seen(self) -> bool:
        """On top, or behind a dialog. Textual's `is_current` also counts what lies under a screen
        without a hole, and then paints the whole screen for a change that nobody can see.
        """
        top = self.app.screen
        return top is self or (isinstance(top, ModalScreen) and self.is_current)

    def show_header(self) -> None:
        """Where one is, what one looks at, and how fresh it is."""
        place = f"  {self.services.place}" if self.services.place else ""
        left: list[Part] = [("fluxstate", "$accent bold"), (place, "$muted")]
        for crumb in self.crumbs():
            left += [(" › ", "$muted"), (crumb, "$foreground bold")]
        self.query_one("#header", Line).say(left, self.freshness_parts())

    def why_grey(self, action: str) -> str:
        """Why a key with that action is grey, in a sentence; '' if that is not known."""
        return ""

    def on_key(self, event: events.Key) -> None:
        """A grey key that is pressed says why it does nothing."""
        if isinstance(self.focused, Input):
            return
        active = self.active_bindings.get(event.key)
        if active is None or active.enabled:
            return
        why, now = reason_of(active), self.services.clock.now()
        if why and not (why == self._said and now - self._said_at < App.NOTIFICATION_TIMEOUT):
            self._said, self._said_at = why, now  # once, also for who presses it again
            self.services.tell(why, f"Not now: {active.binding.description}", "warning")

    def on_table_asked(self, event: Table.Asked) -> None:
        """Choose the columns of a table, or read one row of it in full."""
        from fluxstate_tui.tui.screens.dialog import ColumnsDialog, RowDialog

        event.stop()
        table, grid = event.table, event.table.grid
        if event.what == "row":
            if cells := grid.cells_in_full():
                self.app.push_screen(RowDialog(cells))
            return

        def chosen(keys: tuple[str, ...] | None) -> None:
            if keys is not None:
                table.choose_columns(keys)

        first = [column.key for column in grid.every if not column.extra]
        shown = [column.key for column in grid.columns]
        self.app.push_screen(ColumnsDialog(grid.every, shown, first), chosen)

    def _noticed(self, changes: Changes) -> None:
        if not (self.ready and self.seen):
            return
        if changes.sources:
            self.show_header()
        self.show_changes(changes)
        self.refresh_bindings()

    def freshness_parts(self) -> list[Part]:
        """How fresh what is shown here is."""
        parts: list[Part] = []
        if self.services.read_only:
            parts.append(("read-only  ", "$state-warn"))
        if self.services.trouble is not None:
            return [*parts, ("✗ not connected", "$state-bad")]
        sources = self.sources()
        if not sources:
            return [*parts, ("◌ connecting", "$state-wait")]
        return [*parts, *freshness(sources, self.services.clock.now())]


def freshness(sources: list[Source], now: float) -> list[Part]:
    """The worst of some sources in words, with the age of the data and why."""
    severity = [
        Freshness.LIVE,
        Freshness.ABSENT,
        Freshness.ASLEEP,
        Freshness.CONNECTING,
        Freshness.FORBIDDEN,
        Freshness.REFUSED,
        Freshness.STALE,
    ]
    worst = max(sources, key=lambda s: (severity.index(s.freshness), s.detail != ""))
    word = FRESHNESS[worst.freshness]
    text = str(word)
    seconds = worst.age(now)
    if worst.freshness is Freshness.STALE and seconds is not None:
        text += f" {age(seconds)}"
    if worst.freshness is Freshness.FORBIDDEN:
        text += f" to read {parts_of_source(worst.name)[0]}"
    if worst.detail:
        text += f" · {worst.detail}"
    return [(text, f"$state-{word.tone}" if word.tone != "off" else "$muted")]
