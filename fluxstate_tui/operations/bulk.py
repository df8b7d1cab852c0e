"""The same operation on several MiniClusters: each with its own lock, journal and outcome.

One that fails does not stop the others. What loses something must be agreed to by typing its name,
so such a one is refused here and has to be done alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.choices import Choices
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.plan import ConsentKind, Outcome, OutcomeKind, StepEvent
from fluxstate_tui.operations.prepare import prepare as prepare_one
from fluxstate_tui.operations.runner import Operation

# From good to bad: what was cancelled was put back, what is unknown has to be looked at first.
_SEVERITY = (
    OutcomeKind.COMPLETED,
    OutcomeKind.CANCELLED,
    OutcomeKind.PARTIALLY_FAILED,
    OutcomeKind.FAILED,
    OutcomeKind.UNKNOWN,
)


@dataclass(slots=True)
class Part:
    """One MiniCluster. `outcome` is None until it has ended.

    `operation` is None when it could not even be planned: `outcome` says why.
    """

    ref: ClusterRef
    operation: Operation | None = None
    outcome: Outcome | None = None


class Bulk:
    """Several prepared operations. Run them once, or close them."""

    def __init__(self, kind: str, parts: list[Part], limit: int) -> None:
        self.kind = kind
        self.parts = parts
        self._limit = max(1, limit)
        self._cancelled = False

    @property
    def asks(self) -> bool:
        """Whether a yes is needed."""
        return any(
            part.operation.plan.consent.kind is ConsentKind.CONFIRM
            for part in self.parts
            if part.operation is not None
        )

    async def run(
        self,
        progress: Callable[[Part, StepEvent], None],
        ended: Callable[[Part], None] = lambda part: None,
    ) -> Outcome:
        """Carry them out, `limit` at a time; returns the worst outcome. Each part has its own."""
        room = asyncio.Semaphore(self._limit)

        async def one(part: Part) -> None:
            async with room:
                if part.operation is not None and part.outcome is None:
                    part.outcome = await self._one(part, part.operation, progress)
                ended(part)

        async with asyncio.TaskGroup() as group:
            for part in self.parts:
                group.create_task(one(part))
        return self.worst

    async def _one(
        self, part: Part, operation: Operation, progress: Callable[[Part, StepEvent], None]
    ) -> Outcome:
        if self._cancelled:
            await operation.close()
            return Outcome(
                OutcomeKind.CANCELLED,
                "cancelled before it was begun",
                "Nothing was done.",
                exit_code=ExitCode.INTERRUPTED,
            )
        return await operation.run(lambda event: progress(part, event))

    def cancel(self) -> None:
        """Stop and undo those that run; the others are not begun."""
        self._cancelled = True
        for part in self.parts:
            if part.operation is not None:
                part.operation.cancel()

    async def close(self) -> None:
        """Give back what was prepared."""
        for part in self.parts:
            if part.operation is not None:
                await part.operation.close()

    @property
    def worst(self) -> Outcome:
        """The worst of all outcomes. Raises FluxstateError while there is none."""
        outcomes = [part.outcome for part in self.parts if part.outcome is not None]
        if not outcomes:
            raise FluxstateError("nothing was done")
        return max(outcomes, key=lambda outcome: _SEVERITY.index(outcome.kind))


async def prepare(
    kind: str,
    context: OperationContext,
    refs: Iterable[ClusterRef],
    choices: Choices,
    *,
    limit: int = 1,
) -> Bulk:
    """Plan each of them, `limit` at a time. One that cannot be planned is a part that failed."""
    parts = [Part(ref) for ref in dict.fromkeys(refs)]
    bulk = Bulk(kind, parts, limit)
    room = asyncio.Semaphore(max(1, limit))

    async def plan(part: Part) -> None:
        async with room:
            try:
                part.operation = await prepare_one(kind, context, part.ref, choices)
            except FluxstateError as error:
                part.outcome = _failed(error)
            else:
                await _refuse_what_loses(part, part.operation)

    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(plan(part))
    except BaseException:
        await bulk.close()
        raise
    return bulk


async def _refuse_what_loses(part: Part, operation: Operation) -> None:
    consent = operation.plan.consent
    if consent.kind is not ConsentKind.TYPE_NAME:
        return
    await operation.close()
    part.outcome = Outcome(
        OutcomeKind.FAILED,
        f"refused: {consent.question}",
        "Nothing was done.",
        "Save it first, or do this one alone and type its name.",
        ExitCode.REFUSED,
    )


def _failed(error: FluxstateError) -> Outcome:
    unknown = error.exit_code is ExitCode.UNKNOWN
    kind = OutcomeKind.UNKNOWN if unknown else OutcomeKind.FAILED
    return Outcome(kind, error.message, error.safe, error.advice, error.exit_code)
