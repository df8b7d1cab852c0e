"""One operation on several MiniClusters, from the plan to the outcomes. It goes on when its screen
is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.formatting import Word, plural
from fluxstate_tui.operations.base import ConsentKind, Outcome, StepEvent, StepState
from fluxstate_tui.tui.screens.miniclusters.keys import ASKABLE
from fluxstate_tui.tui.screens.operation.run import OperationRun
from fluxstate_tui.tui.screens.operation.screen import OUTCOMES, STEPS
from fluxstate_tui.tui.widgets.grid import Column

if TYPE_CHECKING:
    from fluxstate_tui.live.actions import Kind, Operation
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.operations.base import Choices, Plan
    from fluxstate_tui.operations.bulk import Bulk, Part
    from fluxstate_tui.operations.lease import Holder
    from fluxstate_tui.tui.screens.services import Services


PLANNED_AT_ONCE = 4
"""Each plan opens a session with a broker and reads its queue."""


class PartRun(OperationRun):
    """The run of one MiniCluster's operation; the whole begins it when it is its turn."""

    def __init__(self, operation: Operation, holder: Holder | None = None) -> None:
        super().__init__(operation)
        self.holder = holder
        """The other operator who worked on it when the plan was made."""
        self.begun = False
        self.wanted = True
        self._also: Callable[[StepEvent], None] = lambda event: None
        self.whole: BulkRun | None = None

    @property
    def progress_text(self) -> str:
        """Its step, or that others are before it."""
        return super().progress_text if self.begun else "waits for its turn"

    async def run(self, progress: Callable[[StepEvent], None], typed: str = "") -> Outcome:
        """Carry it out, for the whole; `progress` is told what its own screen is told."""
        self.begun = True
        self._also = progress
        return await self.perform(typed)

    def take(self, event: StepEvent) -> None:
        """Tell both."""
        super().take(event)
        self._also(event)

    def cancel(self) -> None:
        """Stop and put back, or do not even begin."""
        if self.whole is not None and not self.begun:
            self.whole.skip(self)
        super().cancel()

    def hurry(self) -> None:
        """Do not begin, or end within seconds."""
        if self.whole is not None and not self.begun:
            self.whole.skip(self)
        super().hurry()

    async def close(self) -> None:
        """Give back what was prepared."""
        await self.operation.close()

    async def finished(self) -> None:
        """Return when the whole has ended."""
        if self.whole is not None:
            await self.whole.finished()


class BulkRun:
    """`changed` is called with the uid of the MiniCluster that has news, `ended` at the end."""

    def __init__(self, bulk: Bulk) -> None:
        self.bulk = bulk
        self.parts: dict[str, Part] = {part.ref.uid: part for part in bulk.parts}
        self.changed: Callable[[str], None] = lambda uid: None
        self.ended: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None
        for part in bulk.parts:
            run = run_of(part)
            if run is not None:
                run.whole = self

    @classmethod
    async def prepare(
        cls, services: Services, kind: Kind, refs: Iterable[ClusterRef], choices: Choices
    ) -> BulkRun:
        """Plan all of them; nothing has happened yet."""
        from fluxstate_tui.operations.bulk import prepare_all

        async def one(ref: ClusterRef) -> PartRun:
            refuse_hopeless(services, kind, ref, choices)
            holder = await _holder(services, ref)
            return PartRun(await services.actions.prepare(kind, ref, choices), holder)

        bulk = await prepare_all(kind, refs, one, limit=PLANNED_AT_ONCE)
        bulk.limit = 1  # one after the other, unless it is chosen otherwise
        return cls(bulk)

    @property
    def started(self) -> bool:
        """It was consented to."""
        return self._task is not None

    @property
    def running(self) -> bool:
        """It was started and has not ended."""
        return self._task is not None and not self._task.done()

    def start(self, services: Services, typed: str) -> None:
        """Go; every MiniCluster shows from now on that it waits for its turn."""
        for part in self.bulk.ready:
            run = run_of(part)
            if run is not None:
                run.started = True
                services.runs[part.ref.uid] = run
        services.bulk = self
        self._task = asyncio.create_task(self._run(typed), name=f"{self.bulk.kind} of several")

    def skip(self, run: PartRun) -> None:
        """Do not begin that one."""
        for part in self.parts.values():
            if part.operation is run:
                part.wanted = False

    def hold_back(self) -> None:
        """Begin no more; those that run go on to their end."""
        self.bulk.hold_back()

    def cancel(self) -> None:
        """Begin no more; those that run put back what they did."""
        self.bulk.cancel()

    async def close(self) -> None:
        """Give back what was prepared, when the user says no."""
        await self.bulk.close()

    async def finished(self) -> None:
        """Return when all have ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self, typed: str) -> None:
        await self.bulk.run(lambda part, event: self.changed(part.ref.uid), self._part_ended, typed)
        self.ended()

    def _part_ended(self, part: Part) -> None:
        run = run_of(part)
        if run is not None:
            run.outcome = part.outcome  # it was held back: nobody else says so
        self.changed(part.ref.uid)


def refuse_hopeless(services: Services, kind: Kind, ref: ClusterRef, choices: Choices) -> None:
    """Raise FluxstateError for what the picture and the rights say cannot be done.

    Asking a broker that does not answer would take a minute.
    """
    summary = services.store.summaries.get(ref.uid)
    why = services.actions.why_not(kind, ref)
    if summary is None or summary.deleted:
        why = f"{ref.name} is deleted."
    elif (kind == "save" or choices.save_first) and summary.phase not in ASKABLE:
        why = f"{ref.name} is {summary.phase.value}: its Flux does not answer."
    if why:
        raise FluxstateError(why, safe="Nothing was done.", exit_code=ExitCode.REFUSED)


async def _holder(services: Services, ref: ClusterRef) -> Holder | None:
    """Who else works on it. Its turn may come later: that it is locked now refuses nothing yet."""
    try:
        return await services.actions.holder(ref)
    except FluxstateError:
        return None  # taking the lock will say what is wrong


def run_of(part: Part) -> PartRun | None:
    """What shows that one by itself, None when it could not be planned."""
    return cast("PartRun | None", part.operation)


# A line per MiniCluster: what it is about to do, does, and how it ended.

PLANNED = Word("○", "planned", "off")
LOCKED = Word("!", "locked", "warn")
WAITS = Word("◌", "waits", "wait")
RUNS = STEPS[StepState.RUNNING]
NOT_POSSIBLE = Word("✗", "not possible", "bad")


def state_word(part: Part) -> Word:
    """Where it stands; an outcome is said in its own word."""
    run = run_of(part)
    if part.outcome is not None:
        return OUTCOMES[part.outcome.kind] if run is not None else NOT_POSSIBLE
    if run is None or not run.started:
        return LOCKED if run is not None and run.holder is not None else PLANNED
    return RUNS if run.begun else WAITS


def step_text(part: Part) -> str:
    """`3/9`: how far it is."""
    run = run_of(part)
    if run is None:
        return ""
    steps = run.plan.steps
    done = sum(event.state in (StepState.DONE, StepState.RUNNING) for event in run.steps.values())
    return f"{done}/{len(steps)}" if run.begun else f"{len(steps)}"


def says(part: Part) -> str:
    """What would be lost; then the step with what was read back; then why it ended so."""
    if part.outcome is not None:
        return part.outcome.reason
    run = run_of(part)
    if run is None:
        return ""
    event = _current(run.plan, run.steps)
    if event is None:
        said = [lock_text(run), loss_text(run.plan)]
        if run.plan.consent.kind is ConsentKind.TYPE_NAME:
            said.reverse()  # a loss is not cut off by what is less
        return "; ".join(filter(None, said))
    title = next(step.title for step in run.plan.steps if step.id == event.step)
    return f"{title}: {event.read_back}" if event.read_back else title


def lock_text(run: PartRun) -> str:
    """Who works on it, before it is begun; '' if nobody does."""
    holder = run.holder
    return "" if holder is None or run.started else f"{holder.who} works on it: {holder.what}"


def loss_text(plan: Plan) -> str:
    """What a yes to this one means."""
    consent = plan.consent
    if consent.kind is not ConsentKind.TYPE_NAME:
        return "nothing is lost"
    if consent.loses is None:
        return f"loses an UNKNOWN number of jobs. {consent.question}"
    lost = f"loses {plural(consent.loses, 'job')}" if consent.loses else "LOSES"
    return f"{lost}: {consent.question}"


def says_tone(part: Part) -> str:
    """A loss is not overlooked."""
    run = run_of(part)
    if part.outcome is not None or run is None or run.begun:
        return "plain"
    if run.plan.consent.kind is ConsentKind.TYPE_NAME:
        return "bad"
    return "warn" if lock_text(run) else "plain"


def _current(plan: Plan, said: dict[str, StepEvent]) -> StepEvent | None:
    """The last step that said anything."""
    found = [said[step.id] for step in plan.steps if step.id in said]
    spoke = [event for event in found if event.state is not StepState.SKIPPED]
    return spoke[-1] if spoke else None


COLUMNS: tuple[Column[Part], ...] = (
    Column("name", "NAME", 16, lambda p, _: p.ref.name, tone=lambda _: "strong", flex=1),
    Column("namespace", "NAMESPACE", 10, lambda p, _: p.ref.namespace,
           tone=lambda _: "off", rank=3),
    Column("state", "STATE", 16, lambda p, _: str(state_word(p)),
           tone=lambda p: state_word(p).tone),
    Column("step", "STEP", 5, lambda p, _: step_text(p), "right", lambda _: "off", rank=2),
    Column("says", "WHAT", 30, lambda p, _: says(p), tone=says_tone, flex=6),
)  # fmt: skip
