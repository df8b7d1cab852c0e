"""What every handler of the API server needs, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from fluxstate_tui.sim.api.auth import Users
from fluxstate_tui.sim.api.kinds import Kind, Registry
from fluxstate_tui.sim.api.paging import Pages
from fluxstate_tui.sim.api.runtime import ContainerRuntime
from fluxstate_tui.sim.api.schema import Schema
from fluxstate_tui.sim.api.store import ObjectStore
from fluxstate_tui.sim.faults import Faults


@dataclass(slots=True)
class ApiContext:
    """The server's parts. `bookmark_seconds` is real time, as are all timeouts of the protocol."""

    registry: Registry
    store: ObjectStore
    users: Users
    runtime: ContainerRuntime
    faults: Faults
    schemas: dict[Kind, Schema] = field(default_factory=dict)
    pages: Pages = field(default_factory=Pages)
    bookmark_seconds: float = 55.0
    # Watches stop talking while the API server "restarts".
    muted: bool = False
