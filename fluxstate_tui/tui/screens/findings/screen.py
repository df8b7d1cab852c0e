"""All that is wrong, across MiniClusters: on which evidence, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.diagnosis.finding import Blind, Severity
from fluxstate_tui.formatting import plain, plural
from fluxstate_tui.live.findings import Found
from fluxstate_tui.live.store import Changes
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.dialog import Dialog
from fluxstate_tui.tui.screens.explanation import finding_in_full
from fluxstate_tui.tui.screens.findings.columns import (
    FINDING_FIELDS,
    SEVERITIES,
    finding_columns,
    rank,
)
from fluxstate_tui.tui.screens.operation.keys import ClusterActions
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.theme import INNER_CSS, color
from fluxstate_tui.tui.widgets.grid import Grid
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part
from fluxstate_tui.tui.widgets.table import Table

GO_ON_AFTER = 0.05  # seconds until more diagnoses are made, while some are due


class NotSeenDialog(Dialog[None]):
    """What could not be seen, which rules needed it, and in how many MiniClusters."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e,enter", "dismiss(None)", "close", id="not_seen.close", key_display="e"),
    ]

    def __init__(self, blind: dict[Blind, int]) -> None:
        super().__init__("Not seen")
        self._blind = blind

    def content(self) -> Iterable[Widget]:
        """A paragraph for each source."""
        panel = Panel(classes="dialog-text")
        panel.say(
            [
                (f"? {wanted}", "$state-warn"),
                (
                    f" in {plural(max(self._blind[one] for one in rules), 'MiniCluster')}: ",
                    "$muted",
                ),
                (", ".join(f"{one.code} {one.slug}" for one in rules), ""),
            ]
            for wanted, rules in by_source(self._blind).items()
        )
        yield panel

    def on_mount(self) -> None:
        """Arrow keys scroll it."""
        box = self.query_one(".dialog")
        box.can_focus = True
        box.focus()


def by_source(blind: Iterable[Blind]) -> dict[str, list[Blind]]:
    """Blind rules by what they could not see."""
    found: dict[str, list[Blind]] = {}
    for one in blind:
        found.setdefault(", ".join(source.value for source in one.wanting), []).append(one)
    return found


class FindingsScreen(ClusterActions, LiveScreen):
    """A row for each finding; the keys of operations act on its MiniCluster."""

    CSS_PATH = INNER_CSS
    HELP_TEXT = (
        "All that is wrong, the worst first. A rule that cannot see its evidence claims nothing: "
        "e says which. z shows a finding with all of its evidence. "
        "`silence:` in the configuration hides codes; they are counted."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", id="findings.open", key_display="↵"),
        Binding("escape", "app.pop_screen", "back", id="findings.back", key_display="esc"),
        Binding("y", "copy", "copy line", id="findings.copy"),
        Binding("e", "blind", "not seen", id="findings.blind"),
        *ClusterActions.KEYS,
    ]

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._goes_on = False
        self.table: Table[str, Found] = Table(
            finding_columns(services.all_namespaces),
            FINDING_FIELDS,
            now=services.clock.now,
            order="severity",
            natural=rank,
            identity=lambda found: (str(found.ref), found.finding.code),
            remembered=services.memory.table("findings"),
            id="findings",
        )

    def body(self) -> Iterable[Widget]:
        """How many there are, the rows, and the chosen one in full."""
        yield Line(id="findings-line", classes="summary")
        yield self.table
        yield Panel(id="finding", classes="explanation -open")

    def crumbs(self) -> list[str]:
        """Beside the list of MiniClusters."""
        return ["Findings"]

    @property
    def found(self) -> Found | None:
        """The finding under the cursor."""
        key = self.table.grid.cursor_key
        return None if key is None else self.services.findings.rows.get(key)

    @property
    def chosen(self) -> Summary | None:
        """The MiniCluster of the finding under the cursor."""
        found = self.found
        return None if found is None else self.services.store.summaries.get(found.ref.uid)

    def on_mount(self) -> None:
        """The cursor is in the list."""
        super().on_mount()
        self.table.grid.focus()

    def show_all(self) -> None:
        """Every row anew."""
        self._look()
        self.table.show(self.services.findings.rows)
        self._say()

    def show_changes(self, changes: Changes) -> None:
        """The findings of MiniClusters that changed."""
        self._go_on()

    def tick(self) -> None:
        """Some rules wait for a time; ages go on."""
        super().tick()
        self._go_on()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a finding there is nothing to open or copy."""
        found = self.found
        if action == "open":
            return True if found is not None else None
        if action == "blind":
            return True if self.services.findings.blind() else None
        if action == "copy":
            return True if found is not None and found.finding.told.line else None
        return super().check_action(action, parameters)

    def why_grey(self, action: str) -> str:
        """Not every finding has a line to copy."""
        if action == "blind":
            return "Every rule saw its evidence."
        if action == "copy" and self.found is not None:
            return "This finding has no line to copy."
        return super().why_grey(action) if self.found is not None else "No finding is chosen."

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Go into the MiniCluster of that finding."""
        event.stop()
        self.action_open()

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """Another finding in full."""
        event.stop()
        self._say()
        self.refresh_bindings()

    def action_open(self) -> None:
        """Go into the MiniCluster of the chosen finding."""
        found = self.found
        if found is not None:
            from fluxstate_tui.tui.screens.minicluster.screen import MiniClusterScreen

            self.app.push_screen(MiniClusterScreen(self.services, found.ref))

    def action_copy(self) -> None:
        """By OSC 52; a terminal that does not take that shows the line all the same."""
        found = self.found
        if found is not None and found.finding.told.line:
            line = plain(found.finding.told.line)
            self.app.copy_to_clipboard(line)
            self.services.tell(line, "Sent to the terminal's clipboard", "information")

    def action_blind(self) -> None:
        """Which rules could not see their evidence."""
        self.app.push_screen(NotSeenDialog(self.services.findings.blind()))

    def _look(self) -> set[str]:
        findings = self.services.findings
        changed = findings.refresh(self.services.clock.now())
        if findings.due and not self._goes_on:
            self._goes_on = True
            self.set_timer(GO_ON_AFTER, self._go_on_after_a_while)
        return changed

    def _go_on_after_a_while(self) -> None:
        self._goes_on = False
        if self.ready and self.seen:
            self._go_on()

    def _go_on(self) -> None:
        changed = self._look()
        if changed:
            self.table.patch(changed)
            self.refresh_bindings()
        self._say()

    def _say(self) -> None:
        found = self.found
        self.query_one("#findings-line", Line).say(*self._summary())
        self.table.say_when_empty(self._nothing())
        panel = self.query_one("#finding", Panel)
        if found is not None:
            panel.say(finding_in_full(found.finding, self.services.server_now()))
        else:
            panel.say(self._not_seen(), "NOT SEEN")

    def _summary(self) -> tuple[list[Part], list[Part]]:
        findings = self.services.findings
        counts = Counter(found.finding.severity for found in findings.rows.values())
        left: list[Part] = []
        for severity in Severity:
            if counts[severity]:
                word = SEVERITIES[severity]
                left += [
                    (f"{word.glyph} {plural(counts[severity], word.word)}", color(word.tone)),
                    ("  ", ""),
                ]
        left.append((f"in {plural(findings.looked_at, 'MiniCluster')}", "$muted"))
        if findings.due:
            left.append((f", {findings.due} still to look at", "$state-wait"))
        said = [f"{findings.silenced} silenced"] if findings.silenced else []
        blind = {one.code for one in findings.blind()}
        said += [f"{plural(len(blind), 'rule')} blind somewhere"] if blind else []
        return left, [(", ".join(said), "$muted")]

    def _nothing(self) -> str:
        findings = self.services.findings
        if findings.due or not self.services.store.clusters:
            return "Looking …" if findings.due else "No MiniCluster here."
        if not findings.looked_at:
            return "No MiniCluster could be looked at yet."
        return (
            f"Nothing is wrong in {plural(findings.looked_at, 'MiniCluster')}, as far as seen.\n"
            "What could not be seen stands below."
        )

    def _not_seen(self) -> list[list[Part]]:
        """In few lines: `e` shows it in full."""
        parts: list[Part] = []
        for wanted, rules in by_source(self.services.findings.blind()).items():
            codes = " ".join(one.code for one in rules)
            parts += [(wanted, "$state-warn"), (f" ({codes})  ", "$muted")]
        return [parts or [("Every rule saw its evidence.", "$muted")]]
