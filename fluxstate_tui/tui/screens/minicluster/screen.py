"""One MiniCluster: its queue, pods, nodes, archives and events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget

from fluxstate_tui.live.freshness import Source, queue_source
from fluxstate_tui.live.store import Changes
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.explanation import explanation, headline
from fluxstate_tui.tui.screens.glance import guard_line
from fluxstate_tui.tui.screens.minicluster.archives import ArchivesView
from fluxstate_tui.tui.screens.minicluster.events import EventsView
from fluxstate_tui.tui.screens.minicluster.nodes import NodesView
from fluxstate_tui.tui.screens.minicluster.pods import PodsView
from fluxstate_tui.tui.screens.minicluster.queue import QueueView
from fluxstate_tui.tui.screens.minicluster.view import View
from fluxstate_tui.tui.screens.operation.keys import ClusterActions
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.theme import INNER_CSS
from fluxstate_tui.tui.widgets.grid import Grid
from fluxstate_tui.tui.widgets.lines import Line, Panel, TabBar

LOOKS = "minicluster"
VIEWS: tuple[type[View], ...] = (QueueView, PodsView, NodesView, ArchivesView, EventsView)


class MiniClusterScreen(ClusterActions, LiveScreen):
    """Tabs by number, or left and right."""

    CSS_PATH = INNER_CSS
    HELP_TEXT = (
        "One MiniCluster. Its queue is live; TIME runs by the cluster's own clock. "
        "INFO says where a job runs, or what it waits for."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *ClusterActions.KEYS,
        Binding("x", "explain", "explain", id="minicluster.explain"),
        Binding("escape", "app.pop_screen", "back", id="minicluster.back", key_display="esc"),
        Binding("left", "turn(-1)", "Tab to the left", show=False, id="minicluster.left"),
        Binding("right", "turn(1)", "Tab to the right", show=False, id="minicluster.right"),
        *(
            Binding(
                str(number),
                f"tab({number - 1})",
                view.label,
                show=False,
                id=f"minicluster.tab.{view.label.lower()}",
            )
            for number, view in enumerate(VIEWS, 1)
        ),
    ]

    def __init__(self, services: Services, ref: ClusterRef) -> None:
        super().__init__(services)
        self.ref = ref
        self.views = [view(services, ref) for view in VIEWS]
        self.tabs = TabBar([view.label for view in VIEWS])

    def body(self) -> Iterable[Widget]:
        """State, tabs, and the tab that is shown."""
        yield Line(id="reason", most_lines=2)
        yield Line(id="guard")
        yield self.tabs
        yield Vertical(*self.views, id="views")
        yield Panel(id="explanation", classes="explanation")

    def crumbs(self) -> list[str]:
        """Name and tab."""
        return [self.ref.name]

    def sources(self) -> list[Source]:
        """The queue's own source counts here too."""
        queue = self.services.store.source(queue_source(self.ref.uid))
        return super().sources() + ([queue] if queue is not None else [])

    @property
    def chosen(self) -> Summary | None:
        """The MiniCluster of this screen."""
        return self.services.store.summaries.get(self.ref.uid)

    @property
    def view(self) -> View:
        """The tab that is shown."""
        return self.views[self.tabs.index]

    def on_mount(self) -> None:
        """Start with the queue; as long as it is looked at, it is connected."""
        self.services.actions.look(LOOKS, [self.ref])
        self.action_tab(0)
        super().on_mount()

    def on_unmount(self) -> None:
        """Nobody looks at it here any more."""
        super().on_unmount()
        self.services.actions.look(LOOKS, ())

    def show_all(self) -> None:
        """The reason and the tab."""
        self._follow_new_uid()
        self._show_reason()
        self._show_guard()
        self.view.show_all()

    def show_changes(self, changes: Changes) -> None:
        """What changed of this MiniCluster."""
        if changes.summaries:
            self._follow_new_uid()
            self._show_reason()
        if changes.guards or changes.catalogs:
            self._show_guard()
        self.view.show_changes(changes)

    def tick(self) -> None:
        """Ages go on."""
        super().tick()
        self._show_reason()  # a running operation goes on
        self._show_guard()
        self.view.tick()

    def action_tab(self, index: int) -> None:
        """Show that tab."""
        for number, view in enumerate(self.views):
            view.display = number == index
        self.tabs.choose(index)
        self.view.show_all()
        self.view.take_focus()
        self.refresh_bindings()

    def action_turn(self, step: int) -> None:
        """The next tab to the left or right."""
        self.action_tab((self.tabs.index + step) % len(self.views))

    def action_explain(self) -> None:
        """Show or hide why it is in its state."""
        self.query_one("#explanation").toggle_class("-open")
        self._show_reason()

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        """A tab was clicked."""
        event.stop()
        self.action_tab(event.index)

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """Another row: other keys may be possible."""
        event.stop()
        self.refresh_bindings()

    def _follow_new_uid(self) -> None:
        """A MiniCluster that was deleted and made anew under this name is shown on."""
        store = self.services.store
        picture = store.clusters.get(self.ref.uid)
        if picture is not None and picture.gone_at is None:
            return
        for other in store.clusters.values():
            if str(other.ref) == str(self.ref) and other.gone_at is None:
                self.ref = other.ref
                self.services.actions.look(LOOKS, [self.ref])
                for view in self.views:
                    view.ref = other.ref
                self.view.show_all()

    def _show_reason(self) -> None:
        chosen = self.chosen
        if chosen is None:
            return
        run = self.services.runs.get(self.ref.uid)
        self.query_one("#reason", Line).say(headline(chosen, run))
        events = self.services.store.events_of(self.ref.uid)[:5]
        panel = self.query_one("#explanation", Panel)
        if panel.has_class("-open"):
            found = self.services.store.diagnosis_of(self.ref.uid)
            panel.say(explanation(chosen, events, self.services.server_now(), found))

    def _show_guard(self) -> None:
        picture, chosen = self.services.store.clusters.get(self.ref.uid), self.chosen
        if picture is None or chosen is None:
            return
        line = self.query_one("#guard", Line)
        parts = guard_line(picture, chosen.newest_archive, self.services.clock.now())
        line.display = bool(parts)
        line.say(parts)
