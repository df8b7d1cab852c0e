"""What killed programs left behind, for the screens: looked up, finished, closed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.live.actions import Interrupted
from fluxstate_tui.operations import journal
from fluxstate_tui.operations import recovery as recover
from fluxstate_tui.operations.base import OperationKind, Outcome, OutcomeKind

if TYPE_CHECKING:
    from fluxstate_tui.live.connection import Connection
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.operations.recovery import Finding


class Interruptions:
    """Those of the cluster that is connected, and migrations that were going to it; a journal of
    another cluster cannot be judged here.

    When the operation that was offered has completed, what it put right is closed by itself.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._found: dict[str, Finding] = {}

    async def look(self) -> tuple[Interrupted, ...]:
        """Compare every open journal with the world, oldest first."""
        context = self._connection.context
        self._found = {
            record.path.stem: await recover.look(context, record)
            for record in journal.unfinished(context.state_dir)
            if context.cluster.server in (record.server, record.facts.get("to_server"))
        }
        return tuple(
            Interrupted(
                id=identity,
                ref=finding.record.target,
                operation=finding.record.operation,
                says=finding.says,
                next=finding.next,
                archive=finding.choices.archive,
            )
            for identity, finding in self._found.items()
        )

    def close(self, identity: str) -> None:
        """Write into its journal what was seen, so that it is not shown again.

        Raises FluxstateError when that cannot be written, or was done already.
        """
        finding = self._found.get(identity)
        if finding is None:
            raise FluxstateError(
                "it is closed already", safe="Nothing was done.", exit_code=ExitCode.NOT_FOUND
            )
        recover.close(self._connection.context, finding)
        del self._found[identity]

    async def ended(self, kind: OperationKind, ref: ClusterRef, outcome: Outcome) -> Outcome:
        """An operation ended here: close what waited for exactly that, unless more is left.

        Then the outcome that is returned says what to do next.
        """
        if outcome.kind is not OutcomeKind.COMPLETED:
            return outcome
        for identity, finding in list(self._found.items()):
            if finding.next is not kind or str(finding.record.target) != str(ref):
                continue
            left = await recover.settle(self._connection.context, finding)
            if left is None:
                del self._found[identity]
                continue
            self._found[identity] = left
            following = f"Next: {left.next} (i shows it)." if left.next else ""
            advice = " ".join(filter(None, (outcome.advice, *left.says[1:], following)))
            outcome = replace(outcome, advice=advice)
        return outcome
