"""What every screen is given: the store, the way to act, the time, and where it looks at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from fluxstate_tui.errors import ExitCode, FluxstateError, said
from fluxstate_tui.live.possible import unmet
from fluxstate_tui.operations.base import (
    News,
    OperationKind,
    Outcome,
    OutcomeKind,
    Plan,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.registry import Condition, spec
from fluxstate_tui.tui.widgets.table import Memory

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.live.actions import Actions, Operation
    from fluxstate_tui.live.findings import AllFindings
    from fluxstate_tui.live.store import Notices, Store
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.operations.base import Choices
    from fluxstate_tui.operations.bulk import Bulk, Part
    from fluxstate_tui.operations.lease import Holder
    from fluxstate_tui.tasks import Course


_log = logging.getLogger(__name__)

Tell = Callable[[str, str, Literal["information", "warning", "error"]], None]


def _to_nobody(_text: str, _title: str, _severity: str) -> None:
    """Until the app says how news are told."""


@dataclass(slots=True)
class Services:
    """`place` is context and namespace in words; `trouble` is why there is no cluster, if so.

    `tell` shows a notice (text, title, severity) over any screen. `runs` are operations by the uid
    of their MiniCluster: they go on when their screen is left; `bulk` is the last one of several.
    `courses` is work on many jobs. `memory` is what the user chose for tables.
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
    courses: list[CourseRun] = field(default_factory=list)
    _findings: AllFindings | None = None

    @property
    def findings(self) -> AllFindings:
        """What is wrong anywhere. Imported when first wanted: the rules are many."""
        if self._findings is None:
            from fluxstate_tui.live.findings import AllFindings

            self._findings = AllFindings(self.store)
        return self._findings

    def server_now(self) -> float:
        """The API server's time: what its objects and events are dated by."""
        return self.store.server_now(self.clock.now())


class CourseRun:
    """Work on many jobs as a task. `work` tells what came of it."""

    def __init__(
        self,
        title: str,
        course: Course,
        work: Callable[[], Coroutine[Any, Any, None]],
        tell: Tell = _to_nobody,
    ) -> None:
        self.title = title
        self.course = course
        self._work = work
        self._tell = tell
        self._task = asyncio.create_task(self._run(), name=title)

    @property
    def running(self) -> bool:
        """It has not ended."""
        return not self._task.done()

    def hurry(self) -> None:
        """What is on its way is not waited for."""
        self._task.cancel()

    async def finished(self) -> None:
        """Return when it has ended."""
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            await self._work()
        except Exception as error:  # a bug of ours must not be silent
            _log.exception("%s", self.title)
            self._tell(said(error), self.title, "error")


# One operation from consent to outcome. It goes on when its screen is left.

_BROKEN = (StepState.FAILED, StepState.UNKNOWN)


class OperationRun:
    """Runs an operation as a task and keeps what its steps said.

    `changed` is called at every news, `ended` at the end. `started` says that it was consented to,
    `put_back` what was undone, `shown` that somebody had its outcome on the screen.
    """

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.steps: dict[str, StepEvent] = {}
        self.roll_back: list[str] = []
        self.outcome: Outcome | None = None
        self.changed: Callable[[], None] = lambda: None
        self.ended: Callable[[], None] = lambda: None
        self.started = False
        self.shown = False
        self._task: asyncio.Task[Outcome] | None = None

    @property
    def plan(self) -> Plan:
        """The plan that was consented to."""
        return self.operation.plan

    @property
    def there(self) -> Store | None:
        """What shows where a migration goes to, None when it is the dashboard's own store."""
        return self.operation.there

    @property
    def end(self) -> tuple[Outcome | None, list[str], bool]:
        """The outcome, what was put back, and whether that still goes on."""
        broken = any(event.state in _BROKEN for event in self.steps.values())
        return self.outcome, self.roll_back, broken and self.running

    @property
    def title(self) -> str:
        """`save flux-sample`."""
        return f"{self.plan.operation} {self.plan.target.name}"

    @property
    def progress_text(self) -> str:
        """`step 3 of 6, Wait for running jobs`."""
        steps = self.plan.steps
        for number, step in enumerate(steps, 1):
            event = self.steps.get(step.id)
            if event is not None and event.state is StepState.RUNNING:
                return f"step {number} of {len(steps)}, {step.title}"
        done = sum(event.state is StepState.DONE for event in self.steps.values())
        return f"{done} of {len(steps)} steps done"

    @property
    def running(self) -> bool:
        """It was started and has not ended."""
        return self.started and self.outcome is None

    @property
    def unseen(self) -> bool:
        """It ended badly while nobody looked; a notice alone goes away."""
        return self.outcome is not None and self.outcome.exit_code != 0 and not self.shown

    def start(self, typed: str = "") -> None:
        """Go."""
        self.started = True
        self._task = asyncio.create_task(self.perform(typed), name=self.title)

    def cancel(self) -> None:
        """Ask it to stop; it puts back what it did and says so in its outcome."""
        if self.running:
            self.operation.cancel()

    def hurry(self) -> None:
        """Ask it to end within seconds, put back or not."""
        if self.running:
            self.operation.hurry()

    async def finished(self) -> None:
        """Return when it has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def perform(self, typed: str) -> Outcome:
        """Carry it out. What the operation raises becomes an outcome that is never a success."""
        self.started = True
        try:
            self.outcome = await self.operation.run(self.take, typed)
        except FluxstateError as error:
            self.outcome = Outcome(
                OutcomeKind.FAILED, error.message, error.safe, error.advice, int(error.exit_code)
            )
        except asyncio.CancelledError:
            self.outcome = Outcome(
                OutcomeKind.CANCELLED,
                "It was cancelled.",
                advice="Look at the MiniCluster before you start it again.",
            )
        except Exception as error:  # a bug of ours must not look like a success or end the app
            self.outcome = Outcome(
                OutcomeKind.UNKNOWN,
                f"A bug in fluxstate-tui ended it: {type(error).__name__}: {error}",
                advice="Look at the MiniCluster before you start it again, and report this.",
            )
        self.changed()
        self.ended()
        return self.outcome

    def take(self, event: StepEvent) -> None:
        """Keep what a step says."""
        if event.news is News.PUT_BACK:
            self.roll_back.append(event.read_back)  # its step has ended
        else:
            self.steps[event.step] = event
        self.changed()


# Operations that run.

PLANNED_AT_ONCE = 4


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
        cls, services: Services, kind: OperationKind, refs: Iterable[ClusterRef], choices: Choices
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


def refuse_hopeless(
    services: Services, kind: OperationKind, ref: ClusterRef, choices: Choices
) -> None:
    """Raise FluxstateError for what the picture and the rights say cannot be done.

    Asking a broker that does not answer would take a minute.
    """
    summary = services.store.summaries.get(ref.uid)
    why = services.actions.why_not(kind, ref)
    if summary is None or summary.deleted:
        why = f"{ref.name} is deleted."
    else:
        saves = (Condition.ANSWERS,) if choices.save_first else ()
        why = unmet((*spec(kind).conditions, *saves), summary) or why
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
