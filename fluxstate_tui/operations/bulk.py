"""The same operation on several MiniClusters: each with its own lock, journal and outcome.

One that fails does not stop the others. What loses something must be agreed to by typing: either
one word for all of them (`consent`), or such a one is refused here and has to be done alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.errors import ExitCode, FluxstateError, said
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import registry
from fluxstate_tui.operations.base import (
    Choices,
    Consent,
    ConsentKind,
    OperationKind,
    Outcome,
    OutcomeKind,
    Plan,
    StepEvent,
)

_log = logging.getLogger(__name__)

# From good to bad: what was cancelled was put back, what is unknown has to be looked at first.
_SEVERITY = (
    OutcomeKind.COMPLETED,
    OutcomeKind.CANCELLED,
    OutcomeKind.PARTIALLY_FAILED,
    OutcomeKind.FAILED,
    OutcomeKind.UNKNOWN,
)


class Operates(Protocol):
    """One prepared operation, as operations.runner has it."""

    @property
    def plan(self) -> Plan:
        """What it is going to do."""
        ...

    async def run(self, progress: Callable[[StepEvent], None], typed: str = "") -> Outcome:
        """Do it."""
        ...

    def cancel(self) -> None:
        """Stop, and put back what was done."""
        ...

    def hurry(self) -> None:
        """Leave what is not put back within seconds."""
        ...

    async def close(self) -> None:
        """Give back what was prepared."""
        ...


@dataclass(slots=True)
class Part:
    """One MiniCluster. `outcome` is None until it has ended.

    `operation` is None when it could not even be planned: `outcome` says why. `wanted` turns False
    when it shall not be begun any more.
    """

    ref: ClusterRef
    operation: Operates | None = None
    outcome: Outcome | None = None
    wanted: bool = True
    begun: bool = False


class Bulk:
    """Several prepared operations. Run them once, or close them."""

    def __init__(self, kind: OperationKind, parts: list[Part], limit: int) -> None:
        self.kind = kind
        self.parts = parts
        self.limit = max(1, limit)

    @property
    def ready(self) -> list[Part]:
        """Those that could be planned."""
        return [part for part in self.parts if part.operation is not None and part.outcome is None]

    @property
    def consent(self) -> Consent:
        """One for all, sized by the sum of what would be lost: then `kind N` has to be typed."""
        consents = [part.operation.plan.consent for part in self.ready if part.operation]
        many = f"{len(consents)} MiniCluster" + ("s" if len(consents) != 1 else "")
        if all(consent.kind is not ConsentKind.TYPE_NAME for consent in consents):
            return Consent(ConsentKind.CONFIRM, f"{self.kind.capitalize()} {many}? No job is lost.")
        lost = [consent.loses for consent in consents]
        known = sum(count for count in lost if count is not None)
        words = f"{known} jobs" if None not in lost else f"at least {known} jobs"
        return Consent(
            ConsentKind.TYPE_NAME,
            f"To {self.kind} {many} loses {words} in all.",
            f"{self.kind} {len(consents)}",
            None if None in lost else known,
        )

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
        typed: str = "",
    ) -> Outcome:
        """Carry them out, `limit` at a time; returns the worst outcome. Each part has its own.

        `typed` is the word of `consent`: it stands for the name of each of them.
        """
        room = asyncio.Semaphore(self.limit)
        agreed = typed == self.consent.word

        async def one(part: Part) -> None:
            async with room:
                if part.operation is not None and part.outcome is None:
                    word = part.operation.plan.consent.word if agreed else ""
                    part.outcome = await self._one(part, part.operation, progress, word)
                try:
                    ended(part)
                except Exception:  # what cannot be shown must not stop the others half-way
                    _log.exception("the end of %s of %s cannot be shown", self.kind, part.ref)

        async with asyncio.TaskGroup() as group:
            for part in self.parts:
                group.create_task(one(part))
        return self.worst

    async def _one(
        self,
        part: Part,
        operation: Operates,
        progress: Callable[[Part, StepEvent], None],
        word: str,
    ) -> Outcome:
        if not part.wanted:
            await operation.close()
            return Outcome(
                OutcomeKind.CANCELLED,
                "cancelled before it was begun",
                "Nothing was done.",
                exit_code=ExitCode.INTERRUPTED,
            )
        part.begun = True
        return await operation.run(lambda event: progress(part, event), word)

    def hold_back(self) -> None:
        """Begin no more of them; those that run go on."""
        for part in self.parts:
            part.wanted = part.begun

    def cancel(self) -> None:
        """Stop and undo those that run; the others are not begun."""
        self.hold_back()
        for part in self.parts:
            if part.operation is not None:
                part.operation.cancel()

    def hurry(self) -> None:
        """Leave what is not put back within seconds."""
        self.hold_back()
        for part in self.parts:
            if part.operation is not None:
                part.operation.hurry()

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
    kind: OperationKind,
    context: OperationContext,
    refs: Iterable[ClusterRef],
    choices: Choices,
    *,
    limit: int = 1,
    first: Callable[[ClusterRef], Awaitable[None]] | None = None,
) -> Bulk:
    """Plan each of them, after `first`, which may wait until it is free.

    One that cannot be planned, or loses something, is a part that failed.
    """

    async def one(ref: ClusterRef) -> Operates:
        if first is not None:
            await first(ref)
        return await registry.prepare(kind, context, ref, choices)

    bulk = await prepare_all(kind, refs, one, limit=limit)
    for part in bulk.ready:
        if part.operation is not None:
            await _refuse_what_loses(part, part.operation)
    return bulk


async def prepare_all(
    kind: OperationKind,
    refs: Iterable[ClusterRef],
    prepare_one: Callable[[ClusterRef], Awaitable[Operates]],
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
                part.operation = await prepare_one(part.ref)
            except (FluxstateError, OSError) as error:
                part.outcome = _failed(error)

    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(plan(part))
    except BaseException:
        await bulk.close()
        raise
    return bulk


async def _refuse_what_loses(part: Part, operation: Operates) -> None:
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


def _failed(error: FluxstateError | OSError) -> Outcome:
    if not isinstance(error, FluxstateError):  # a disk of this computer refused
        error = FluxstateError(said(error), safe="Nothing was done.")
    unknown = error.exit_code is ExitCode.UNKNOWN
    kind = OutcomeKind.UNKNOWN if unknown else OutcomeKind.FAILED
    return Outcome(kind, error.message, error.safe, error.advice, error.exit_code)
