"""Home: every MiniCluster in one row, and why the chosen one is in its state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.formatting import plural
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.store import Changes
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.operations.registry import spec
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.explanation import explanation, headline, trouble_rows
from fluxstate_tui.tui.screens.miniclusters.columns import CLUSTER_FIELDS, cluster_columns
from fluxstate_tui.tui.screens.operation.keys import ClusterActions
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.screens.words import LOST, READ_ONLY
from fluxstate_tui.tui.widgets.grid import Grid
from fluxstate_tui.tui.widgets.lines import Line
from fluxstate_tui.tui.widgets.table import Table

if TYPE_CHECKING:
    from fluxstate_tui.tui.widgets.lines import Panel, Part


CONNECTING = "Connecting …"
AGAIN = "ctrl+r tries again."
MOST_SHOWN_WHOLE = 12
TALL = 34  # as in FluxstateApp.VERTICAL_BREAKPOINTS
EMPTY = (
    "No MiniCluster here.\n"
    "kubectl apply -f minicluster.yaml creates one; -A looks in all namespaces.\n"
    "fluxstate-tui restore NAME brings a deleted one back from its archives.\n"
    "fluxstate-tui --demo shows a simulated cluster."
)


class MiniClustersScreen(ClusterActions, LiveScreen):
    """The list of MiniClusters."""

    TITLE = "MiniClusters"
    HELP_TEXT = (
        "Every MiniCluster with its derived state, its queue and its archives. "
        "PEND RUN DONE FAIL count jobs; ? with an age means: last read that long ago. "
        "The header counts MiniClusters with errors or warnings: w lists them. "
        "What is on the screen is connected, up to 16; the others are asked once, and when you "
        "come to them."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", id="miniclusters.open", key_display="↵"),
        *ClusterActions.KEYS,
        Binding("x", "explain", "explain", id="miniclusters.explain"),
        Binding("w", "app.findings", "findings", id="miniclusters.findings"),
        Binding("b", "bulk", "all marked", id="miniclusters.bulk"),
    ]

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._panel: Panel | None = None
        self._wrong = 0
        self.table: Table[str, Summary] = Table(
            cluster_columns(services.all_namespaces),
            CLUSTER_FIELDS,
            now=services.clock.now,
            order="name",
            identity=lambda summary: (summary.ref.namespace, summary.ref.name),
            acted_on=True,
            remembered=services.memory.table("miniclusters"),
            id="miniclusters",
        )

    def body(self) -> Iterable[Widget]:
        """The table, and the reason of the chosen row; more of it on `x` or on tall terminals."""
        yield self.table
        yield Line(id="reason", most_lines=2)

    def show_all(self) -> None:
        """Every row anew."""
        trouble = self.services.trouble
        if trouble is not None:
            self.table.say_when_empty("\n".join((*trouble_rows(trouble), AGAIN)))
        elif self._listed():
            self.table.say_when_empty(EMPTY)
        else:
            self.table.say_when_empty(self._why_not_listed())
        self.table.show(self.services.store.summaries)
        self._show_reason()

    def show_changes(self, changes: Changes) -> None:
        """The rows that changed."""
        if changes.sources:
            self.show_all()
        elif changes.summaries:
            self.table.patch(changes.summaries)
        self._show_reason()

    def tick(self) -> None:
        """Ages go on."""
        self.services.findings.refresh(self.services.clock.now())
        self._wrong = self.services.findings.wrong
        super().tick()
        self.table.grid.tick()
        self._look()
        self._show_reason()  # a running operation goes on

    @property
    def chosen(self) -> Summary | None:
        """The MiniCluster under the cursor."""
        key = self.table.grid.cursor_key
        return None if key is None else self.services.store.summaries.get(key)

    @property
    def marked(self) -> tuple[Summary, ...]:
        """The marked MiniClusters by name."""
        known = self.services.store.summaries
        found = (known[uid] for uid in self.table.grid.marked if uid in known)
        return tuple(sorted(found, key=lambda one: (one.ref.namespace, one.ref.name)))

    def why_not(self, what: OperationKind | Literal["submit"]) -> str:
        """Not all of them act on several; what one of them cannot do is in its plan."""
        marked = self.marked
        if not marked:
            return super().why_not(what)
        if what == "submit" or not spec(what).on_several:
            return f"{plural(len(marked), 'MiniCluster')} marked: ctrl+l takes the marks away."
        if self.services.read_only:
            return READ_ONLY
        whole = self.services.bulk
        return "Another of several runs: b shows it." if whole and whole.running else ""

    def action_operate(self, what: str) -> None:
        """On all that are marked, else on the one under the cursor."""
        if not self.marked:
            super().action_operate(what)
            return
        from fluxstate_tui.tui.screens.bulk.start import start_bulk

        start_bulk(
            self.app, self.services, OperationKind(what), self.marked, self.table.grid.unmark
        )

    def action_bulk(self) -> None:
        """Show the last operation on several again."""
        from fluxstate_tui.operations.base import Choices
        from fluxstate_tui.tui.screens.bulk.screen import BulkScreen

        whole = self.services.bulk
        if whole is not None:
            refs = tuple(part.ref for part in whole.bulk.parts)
            screen = BulkScreen(self.services, whole.bulk.kind, refs, Choices(), whole)
            self.app.push_screen(screen)

    def on_mount(self) -> None:
        """The cursor is in the list."""
        super().on_mount()
        self.table.grid.focus()
        if self.app.size.height >= TALL:
            self._explain()

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """Another MiniCluster was chosen: other keys may be possible."""
        event.stop()
        self._look()
        self._show_reason()
        self.refresh_bindings()

    def on_grid_marked(self, event: Grid.Marked) -> None:
        """Keys act on all that are marked."""
        self.on_grid_highlighted(event)

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Go into the chosen MiniCluster."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Go into the chosen MiniCluster."""
        chosen = self.chosen
        if chosen is not None:
            from fluxstate_tui.tui.screens.minicluster.screen import MiniClusterScreen

            self.app.push_screen(MiniClusterScreen(self.services, chosen.ref))

    def action_explain(self) -> None:
        """Show or hide why the chosen MiniCluster is in its state."""
        self._explain()
        if self._panel is not None:
            self._panel.toggle_class("-open")
            self.call_after_refresh(self._show_reason)

    def on_resize(self, event: events.Resize) -> None:
        """A tall terminal has room for the explanation at all times."""
        if self.ready and event.size.height >= TALL:
            self._explain()

    def _explain(self) -> None:
        """Make the panel late: most terminals start without it, and it costs time to paint."""
        if self._panel is None:
            from fluxstate_tui.tui.widgets.lines import Panel

            self._panel = Panel(id="explanation", classes="explanation")
            self.mount(self._panel, after="#reason")
        self._show_reason()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a MiniCluster there is nothing to open or explain."""
        if action == "bulk":
            return self.services.bulk is not None
        if action in ("open", "explain"):
            return True if self.chosen is not None else None
        return super().check_action(action, parameters)

    def crumbs(self) -> list[str]:
        """How many there are; how many are connected, if not all could be; how many are ill."""
        store, connected = self.services.store, self.services.actions.connected()
        more = "+" if self.services.findings.due else ""  # not all were looked at yet
        ill = f"{self._wrong}{more} with findings" if self._wrong else ""
        if len(store.clusters) <= MOST_SHOWN_WHOLE:
            return [ill] if ill else []
        said = f"{plural(len(store.clusters), 'MiniCluster')}, {connected} connected"
        return [f"{said}, {ill}" if ill else said]

    def _look(self) -> None:
        """Say which are on the screen, the chosen one first: they are connected."""
        grid, clusters = self.table.grid, self.services.store.clusters
        keys = dict.fromkeys([grid.cursor_key, *grid.visible_keys()])
        refs = [clusters[key].ref for key in keys if key is not None and key in clusters]
        self.services.actions.look("miniclusters", refs)

    def _show_reason(self) -> None:
        chosen = self.chosen
        line, panel = self.query_one("#reason", Line), self._panel
        if chosen is None:
            line.say([(LOST, "$state-warn")] if len(self.table.grid.selection) else [])
            if panel is not None:
                panel.say([])
            return
        marked = self.marked
        if marked:
            names = ", ".join(one.ref.name for one in marked)
            said: list[Part] = [(f"{len(marked)} marked", "$accent bold"), (f"  {names}", "")]
            line.say(
                said, [(self.why_not(OperationKind.SAVE) or "s saves, d deletes them", "$muted")]
            )
        else:
            line.say(headline(chosen, self.services.runs.get(chosen.ref.uid)))
        if panel is not None and panel.display:
            news = self.services.store.events_of(chosen.ref.uid)[:5]
            found = self.services.store.diagnosis_of(chosen.ref.uid)
            panel.say(explanation(chosen, news, self.services.server_now(), found))

    def _listed(self) -> bool:
        source = self.services.store.source("miniclusters")
        return source is not None and source.freshness is Freshness.LIVE

    def _why_not_listed(self) -> str:
        source = self.services.store.source("miniclusters")
        if source is None or source.freshness is Freshness.CONNECTING:
            return CONNECTING
        return source.detail or f"The MiniClusters are {source.freshness.value}."
