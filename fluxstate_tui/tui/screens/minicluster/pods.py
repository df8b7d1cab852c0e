"""The pods of one MiniCluster."""

from __future__ import annotations

from textual.app import ComposeResult

from fluxstate_tui.formatting import Word, age
from fluxstate_tui.live.filters import FilterField
from fluxstate_tui.live.store import Changes
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.minicluster.objects import ContainerState, Pod
from fluxstate_tui.tui.screens.minicluster.view import View
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.widgets.grid import Column
from fluxstate_tui.tui.widgets.table import Table

_PHASES = {
    "Pending": Word("◌", "Pending", "wait"),
    "Running": Word("●", "Running", "ok"),
    "Succeeded": Word("✓", "Succeeded", "off"),
    "Failed": Word("✗", "Failed", "bad"),
}


def pod_word(pod: Pod) -> Word:
    """Its phase, or that it is being deleted."""
    if pod.deleting_since is not None:
        return Word("▽", "Deleting", "off")
    return _PHASES.get(pod.phase, Word("?", pod.phase or "Unknown", "warn"))


def pod_reason(pod: Pod) -> str:
    """What the kubelet or the scheduler says about it."""
    if pod.unschedulable:
        return pod.unschedulable
    return " · ".join(
        text for text in (_container_text(c) for c in (*pod.init, *pod.containers)) if text
    )


def _container_text(container: ContainerState) -> str:
    if container.state == "running":
        return ""
    if container.state == "terminated" and container.exit_code == 0:
        return ""
    code = f" (exit {container.exit_code})" if container.exit_code is not None else ""
    message = f": {container.message}" if container.message else ""
    return f"{container.name} {container.reason or container.state}{code}{message}"


def _ready(pod: Pod) -> str:
    return f"{sum(c.ready for c in pod.containers)}/{len(pod.containers)}"


def _index(pod: Pod) -> str:
    if pod.index is None:
        return "–"
    return "0 lead" if pod.index == 0 else str(pod.index)


POD_COLUMNS: tuple[Column[Pod], ...] = (
    Column(
        "index",
        "INDEX",
        6,
        lambda p, _: _index(p),
        tone=lambda p: "accent" if p.index == 0 else "plain",
        sort=lambda p: (p.index is None, p.index or 0, p.created),
    ),
    Column("name", "NAME", 19, lambda p, _: p.name, sort=lambda p: p.name, flex=1),
    Column(
        "phase",
        "PHASE",
        11,
        lambda p, _: str(pod_word(p)),
        tone=lambda p: pod_word(p).tone,
        sort=lambda p: p.phase,
    ),
    Column("ready", "READY", 5, lambda p, _: _ready(p), "right", rank=2),
    Column(
        "restarts",
        "RESTARTS",
        8,
        lambda p, _: str(p.restarts),
        "right",
        lambda p: "warn" if p.restarts else "off",
        lambda p: p.restarts,
        rank=3,
    ),
    Column("node", "NODE", 10, lambda p, _: p.node or "–", sort=lambda p: p.node, flex=1, rank=4),
    Column(
        "age",
        "AGE",
        4,
        lambda p, now: age(now - p.created),
        "right",
        lambda _: "off",
        lambda p: -p.created,
        rank=5,
        ticks=lambda _: True,
    ),
    Column(
        "reason", "REASON", 12, lambda p, _: pod_reason(p), tone=lambda _: "off", flex=3, rank=1
    ),
)

POD_FIELDS: dict[str, FilterField[Pod]] = {
    field.name: field
    for field in (
        FilterField[Pod]("name", text=lambda p: p.name),
        FilterField[Pod]("phase", text=lambda p: pod_word(p).word),
        FilterField[Pod]("node", text=lambda p: p.node),
        FilterField[Pod]("reason", text=pod_reason),
        FilterField[Pod]("index", number=lambda p: p.index),
        FilterField[Pod]("restarts", number=lambda p: p.restarts),
    )
}


class PodsView(View):
    """Pods by completion index: 0 holds the lead broker."""

    label = "Pods"

    def __init__(self, services: Services, ref: ClusterRef) -> None:
        super().__init__(services, ref)
        self.table: Table[str, Pod] = Table(
            POD_COLUMNS,
            POD_FIELDS,
            now=services.server_now,
            order="index",
            remembered=services.memory.table("pods"),
        )

    def compose(self) -> ComposeResult:
        """The table."""
        yield self.table

    def show_all(self) -> None:
        """All pods."""
        self.table.show({pod.uid: pod for pod in self.services.store.pods_of(self.ref.uid)})
        summary = self.services.store.summaries.get(self.ref.uid)
        self.table.say_when_empty("No pods.\n" + (summary.reason if summary else ""))

    def show_changes(self, changes: Changes) -> None:
        """Pods are few: show them anew."""
        if self.ref.uid in changes.pods:
            self.show_all()

    def tick(self) -> None:
        """Ages go on."""
        self.table.grid.tick()

    def take_focus(self) -> None:
        """Keys go to the pods."""
        self.table.grid.focus()
