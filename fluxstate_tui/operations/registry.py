"""All operations, each declared once: keys, rights, commands, help, palette and recovery read it.

It imports no operation: `--help` and the first paint need the words only.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, cast

from fluxstate_tui.operations.base import Choices, LeftBehind, OperationKind

if TYPE_CHECKING:
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.operations.journal import Record
    from fluxstate_tui.operations.runner import Operation
    from fluxstate_tui.operations.snapshot import Snapshot


class Right(Enum):
    """A right that can be missing. `examples/rbac.yaml` grants all of them."""

    EXEC = "get and create on pods/exec"
    DELETE = "delete on miniclusters.flux-framework.org"
    CREATE = "create on miniclusters.flux-framework.org"
    HELPER_POD = "create on pods"


class Condition(Enum):
    """What a MiniCluster must be like for an operation to make sense."""

    EXISTS = "it is not deleted"
    ANSWERS = "its Flux answers"
    HAS_ARCHIVES = "an archive of it is known"
    ARMED = "an archive lies at spec.archive.path"
    QUEUE_RUNS = "its queue is not stopped"
    QUEUE_STOPPED = "its queue is stopped"


class Prepare(Protocol):
    """Reads the cluster and plans. `destination` is another cluster, for a migration only."""

    async def __call__(
        self,
        context: OperationContext,
        ref: ClusterRef,
        choices: Choices,
        destination: OperationContext | None = None,
    ) -> Operation: ...


class Recover(Protocol):
    """Judges a journal without an outcome by the MiniCluster as it is now, None if it is gone.

    None when nothing of this kind of operation is left.
    """

    def __call__(self, record: Record, seen: Snapshot | None) -> LeftBehind | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """One operation.

    `module` has `prepare`, and `recover` where it leaves something of its own. A key is grey with
    the reason where `conditions` or `rights` are not there, and not shown at all without
    `shown_if`. `on_several` says that it can be done to all that are marked, `stops_queue` that a
    queue that it left stopped is what was asked for.
    """

    kind: OperationKind
    title: str
    key: str
    module: str
    rights: tuple[Right, ...]
    conditions: tuple[Condition, ...]
    shown_if: Condition | None = None
    on_several: bool = False
    stops_queue: bool = False

    @property
    def prepare(self) -> Prepare:
        """Imports the operation."""
        return cast("Prepare", importlib.import_module(self.module).prepare)

    @property
    def recover(self) -> Recover | None:
        """Imports the operation; None when it leaves nothing that others do not leave as well."""
        found = getattr(importlib.import_module(self.module), "recover", None)
        return cast("Recover | None", found)


ALIVE = (Condition.EXISTS, Condition.ANSWERS)
_HERE = "fluxstate_tui.operations"

OPERATIONS: dict[OperationKind, OperationSpec] = {
    one.kind: one
    for one in (
        OperationSpec(
            kind=OperationKind.SAVE,
            title="pause, wait for running jobs, dump, verify, enter into the catalog",
            key="s",
            module=f"{_HERE}.save",
            rights=(Right.EXEC,),
            conditions=ALIVE,
            on_several=True,
        ),
        OperationSpec(
            kind=OperationKind.PAUSE,
            title="stop the queue; running jobs go on",
            key="p",
            module=f"{_HERE}.pause",
            rights=(Right.EXEC,),
            conditions=ALIVE,
            shown_if=Condition.QUEUE_RUNS,
            stops_queue=True,
        ),
        OperationSpec(
            kind=OperationKind.RESUME,
            title="start the queue again",
            key="p",
            module=f"{_HERE}.resume",
            rights=(Right.EXEC,),
            conditions=ALIVE,
            shown_if=Condition.QUEUE_STOPPED,
        ),
        OperationSpec(
            kind=OperationKind.DELETE,
            title="delete a MiniCluster whose queue is saved",
            key="d",
            module=f"{_HERE}.delete",
            rights=(Right.DELETE,),
            conditions=(Condition.EXISTS,),
            on_several=True,
        ),
        OperationSpec(
            kind=OperationKind.RESTORE,
            title="create a MiniCluster from an archive and account for every job",
            key="r",
            module=f"{_HERE}.restore.restore",
            # The plan says whether it needs a helper pod as well, or exec in one that runs.
            rights=(Right.CREATE,),
            conditions=(Condition.HAS_ARCHIVES,),
        ),
        OperationSpec(
            kind=OperationKind.MIGRATE,
            title="move a living MiniCluster to another size, image, name, namespace or context",
            key="m",
            module=f"{_HERE}.migrate.migrate",
            rights=(Right.CREATE, Right.DELETE, Right.HELPER_POD, Right.EXEC),
            conditions=ALIVE,
        ),
        OperationSpec(
            kind=OperationKind.DISARM,
            title="take the archive away from spec.archive.path into the catalog",
            key="D",
            module=f"{_HERE}.disarm",
            rights=(Right.EXEC,),
            conditions=ALIVE,
            shown_if=Condition.ARMED,
        ),
    )
}


def spec(kind: OperationKind) -> OperationSpec:
    """How that operation is declared. Raises KeyError for a change of a catalog."""
    return OPERATIONS[kind]


async def prepare(
    kind: OperationKind,
    context: OperationContext,
    ref: ClusterRef,
    choices: Choices | None = None,
    destination: OperationContext | None = None,
) -> Operation:
    """Read the cluster and plan an operation; `destination` is another one to migrate to.

    Nothing is changed but for a helper pod of a restore, which `choices` must agree to: else
    HelperPodNeededError says which. Raises RefusedError under --read-only, FluxstateError with the
    reason when it cannot be done.
    """
    from fluxstate_tui.kube.transport import TO_ALLOW
    from fluxstate_tui.operations import audit
    from fluxstate_tui.operations.steps import RefusedError

    with audit.logged(context, kind, ref):
        if context.cluster.read_only:
            raise RefusedError(
                f"'{kind}' would change the cluster, and this is --read-only",
                safe="Nothing was sent to the cluster.",
                advice=TO_ALLOW,
            )
        call = spec(kind).prepare
        if destination is None:
            return await call(context, ref, choices or Choices())
        return await call(context, ref, choices or Choices(), destination)
