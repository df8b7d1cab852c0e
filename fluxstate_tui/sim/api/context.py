"""What every handler of the API server needs, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from fluxstate_tui.sim.api.auth import Users
from fluxstate_tui.sim.api.kinds import Kind, Registry
from fluxstate_tui.sim.api.ownership import FieldOwners
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
    owners: FieldOwners = field(default_factory=FieldOwners)
    bookmark_seconds: float = 55.0
    # How often the API server was restarted: watches from before never say anything again.
    restarts: int = 0
    # While it is away, connections that are still open are reset at their next request.
    down: bool = False
    # Loop time until which users under RBAC get 403: the caches fill after a restart.
    warming_until: float = 0.0
    # Bugs of the simulation: whoever runs it must not overlook them.
    failures: list[BaseException] = field(default_factory=list)
