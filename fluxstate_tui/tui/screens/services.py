"""What every screen is given: the store, the way to act, the time, and where it looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.tui.widgets.table import Memory

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.live.actions import Actions
    from fluxstate_tui.live.store import Notices, Store
    from fluxstate_tui.tui.screens.bulk.run import BulkRun
    from fluxstate_tui.tui.screens.operation.run import OperationRun


Tell = Callable[[str, str, Literal["information", "warning", "error"]], None]


def _to_nobody(_text: str, _title: str, _severity: str) -> None:
    """Until the app says how news are told."""


@dataclass(slots=True)
class Services:
    """`place` is context and namespace in words; `trouble` is why there is no cluster, if so.

    `tell` shows a notice (text, title, severity) over any screen. `runs` are operations by the uid
    of their MiniCluster: they go on when their screen is left; `bulk` is the last one of several.
    `memory` is what the user chose for tables.
    """

    store: Store
    notices: Notices
    actions: Actions
    clock: Clock
    place: str = ""
    read_only: bool = False
    all_namespaces: bool = False
    trouble: FluxstateError | None = None
    tell: Tell = _to_nobody
    memory: Memory = field(default_factory=Memory)
    runs: dict[str, OperationRun] = field(default_factory=dict)
    bulk: BulkRun | None = None

    def server_now(self) -> float:
        """The API server's time: what its objects and events are dated by."""
        return self.store.server_now(self.clock.now())
