"""One door to all operations, by the word that keys and commands use."""

from __future__ import annotations

from fluxstate_tui.context import OperationContext
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.transport import TO_ALLOW
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import audit, delete, disarm, pause, resume, save
from fluxstate_tui.operations.base import Choices
from fluxstate_tui.operations.migrate import migrate
from fluxstate_tui.operations.restore import restore
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.steps import RefusedError

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
    with audit.logged(context, kind, ref):
        if context.cluster.read_only:
            raise RefusedError(
                f"'{kind}' would change the cluster, and this is --read-only",
                safe="Nothing was sent to the cluster.",
                advice=TO_ALLOW,
            )
        return await _PREPARE[kind](context, ref, choices or Choices())
