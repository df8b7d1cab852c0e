"""One door to all operations, by the word that keys and commands use."""

from __future__ import annotations

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.kube.read_only import TO_ALLOW
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.choices import Choices
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.delete import delete
from fluxstate_tui.operations.journal import refusals
from fluxstate_tui.operations.migrate import migrate
from fluxstate_tui.operations.queue import pause, resume
from fluxstate_tui.operations.restore import disarm, restore
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.save import save
from fluxstate_tui.operations.script import RefusedError

_PREPARE = {
    "pause": pause.prepare,
    "resume": resume.prepare,
    "save": save.prepare,
    "delete": delete.prepare,
    "restore": restore.prepare,
    "disarm": disarm.prepare,
    "migrate": migrate.prepare,
}
KINDS = tuple(_PREPARE)


async def prepare(
    kind: str, context: OperationContext, ref: ClusterRef, choices: Choices | None = None
) -> Operation:
    """Read the world and plan an operation.

    Nothing is changed but for a helper pod of a restore, which `choices` must agree to: else
    HelperPodNeededError says which. Raises RefusedError under --read-only, FluxstateError with the
    reason when it cannot be done.
    """
    if kind not in _PREPARE:
        raise FluxstateError(f"there is no operation {kind!r}", exit_code=ExitCode.USAGE)
    with refusals.logged(context, kind, ref):
        if context.cluster.read_only:
            raise RefusedError(
                f"'{kind}' would change the cluster, and this is --read-only",
                safe="Nothing was sent to the cluster.",
                advice=TO_ALLOW,
            )
        return await _PREPARE[kind](context, ref, choices or Choices())
