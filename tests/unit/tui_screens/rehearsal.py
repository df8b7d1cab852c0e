"""An implementation of Actions that plays scripted operations: for trying screens alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from fluxstate_tui.archive.manifest import CatalogEntry
from fluxstate_tui.archive.progress import Reading
from fluxstate_tui.archive.verify import Verdict, verify
from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.live.actions import (
    Interrupted,
    JobAnswer,
    JobDetail,
    JobRequest,
    OutputLine,
    SubmitAnswer,
    SubmitRequest,
)
from fluxstate_tui.live.store import Store
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import (
    Arrival,
    Choices,
    Consent,
    ConsentKind,
    OperationKind,
    Outcome,
    OutcomeKind,
    Plan,
    Step,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.lease import Holder
from fluxstate_tui.tasks import Course
from tests.unit.tui_screens.feed import NOW

STEPS = {
    "pause": (Step("stop", "Stop the queue", "flux queue stop --all"),),
    "resume": (Step("start", "Start the queue", "flux queue start --all"),),
    "save": (
        Step("stop", "Stop the queue", "flux queue stop --all"),
        Step("idle", "Wait for running jobs", "flux queue idle"),
        Step("dump", "Dump to a temporary name", "flux dump /state/fluxstate/.part-1.tar.gz"),
        Step("verify", "Verify the archive", "tar -tzf /state/fluxstate/.part-1.tar.gz"),
        Step("enter", "Enter it into the catalog", "ln .part-1.tar.gz 20261121.tar.gz"),
        Step("start", "Start the queue", "flux queue start --all"),
    ),
    "disarm": (Step("disarm", "Disarm", "rm archive.tar.gz"),),
    "migrate": (
        Step("verify", "Verify the archive", "tar -tzf /state/fluxstate/.part-1.tar.gz"),
        Step("create", "Create the MiniCluster", "kubectl create -f MANIFEST"),
        Step("account", "Account for every job", "flux jobs -a"),
        Step("delete", "Delete the MiniCluster", "kubectl delete minicluster NAME"),
        Step("open", "Put the queue back as it was", "flux queue start --all"),
    ),
    "delete": (Step("delete", "Delete the MiniCluster", "kubectl delete minicluster NAME"),),
    "restore": (
        Step("arm", "Arm the archive", "ln 20261121.tar.gz archive.tar.gz"),
        Step("create", "Create the MiniCluster", "kubectl apply -f minicluster.yaml"),
        Step("account", "Account for every job", "flux jobs -a"),
        Step("disarm", "Disarm and make a checkpoint", "rm archive.tar.gz"),
    ),
}
CONSENT = {
    "pause": Consent(ConsentKind.NONE, "Pause the queue?"),
    "resume": Consent(ConsentKind.NONE, "Resume the queue?"),
    "save": Consent(ConsentKind.CONFIRM, "Save the queue?"),
    "disarm": Consent(ConsentKind.CONFIRM, "Disarm?"),
    "migrate": Consent(ConsentKind.CONFIRM, "Migrate it?"),
    "delete": Consent(ConsentKind.TYPE_NAME, "Delete the MiniCluster?", "flux-sample"),
    "restore": Consent(ConsentKind.CONFIRM, "Restore the archive?"),
}


class RehearsedOperation:
    """Plays its steps; each waits for the gate if there is one."""

    def __init__(self, plan: Plan, gate: asyncio.Event | None) -> None:
        self.plan = plan
        self.there: Store | None = None
        self._gate = gate
        self.cancelled = False

    def cancel(self) -> None:
        """Nobody waits for the gate any more."""
        self.cancelled = True
        if self._gate is not None:
            self._gate.set()

    def hurry(self) -> None:
        """Nothing has to be put back."""
        self.cancel()

    async def close(self) -> None:
        """Nothing was prepared."""

    async def run(self, progress: Callable[[StepEvent], None], typed: str = "") -> Outcome:
        """All steps succeed, once the gate is open; a wrong word is refused."""
        if self.plan.consent.kind is ConsentKind.TYPE_NAME and typed != self.plan.consent.word:
            return Outcome(OutcomeKind.FAILED, f"refused: {typed!r} was typed", exit_code=5)
        for step in self.plan.steps:
            progress(StepEvent(step.id, StepState.RUNNING, NOW))
            if self._gate is not None:
                await self._gate.wait()
            if self.cancelled:
                return Outcome(OutcomeKind.CANCELLED, "cancelled", exit_code=130)
            progress(StepEvent(step.id, StepState.DONE, NOW, f"read back: {step.title}"))
        return Outcome(
            OutcomeKind.COMPLETED,
            f"{self.plan.operation} is complete.",
            safe="58 jobs the same, 0 lost.",
        )


class RehearsedActions:
    """Remembers what it was asked for. `refusal` is raised by everything when it is set."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, object]] = []
        self.gate: asyncio.Event | None = None
        self.refusal: FluxstateError | None = None
        self.archives: dict[str, Path] = {}
        self.requests: list[JobRequest] = []
        self.refuses: dict[int, str] = {}
        self.most = -1
        self.slow = False
        self.says: dict[int, str] = {}
        self.following = 0
        self.writes: asyncio.Queue[tuple[OutputLine, ...]] = asyncio.Queue()
        self.left_behind: tuple[Interrupted, ...] = ()
        self.looked = 0
        self.looks: dict[str, tuple[ClusterRef, ...]] = {}
        self.needs_helper_pod = ""
        self.other_contexts: dict[str, tuple[str, ...]] = {}
        self.holders: list[Holder | None] = []
        self.there: Store | None = None
        self.detail = JobDetail(
            events=(Event(NOW - 60, "submit", {"userid": 0, "urgency": 16}),),
            jobspec={
                "tasks": [{"command": ["sleep", "30"], "slot": "task", "count": {"per_slot": 1}}],
                "attributes": {"system": {"duration": 0}},
            },
            output=(OutputLine("stdout", "0", "hello\n"),),
        )

    def look(self, viewer: str, refs: Iterable[ClusterRef]) -> None:
        self.looks[viewer] = tuple(refs)

    def connected(self) -> int:
        return len(set().union(*self.looks.values()))

    async def prepare(
        self, kind: OperationKind, ref: ClusterRef, choices: Choices
    ) -> RehearsedOperation:
        """Plan."""
        self._ask(kind, choices)
        if kind == "restore":
            self._need_helper_pod()
        preview = (f"This is what {kind} would do to {ref.name}.", "12 pending jobs will wait.")
        arrival = None
        if kind == "migrate":
            new = ClusterRef(choices.to_namespace or ref.namespace, choices.to_name or ref.name, "")
            beside = bool(choices.to_context) or str(new) != str(ref)
            arrival = Arrival(new, choices.size or 1, beside, choices.image, choices.to_context)
        plan = Plan(kind, ref, STEPS[kind], preview, CONSENT[kind], arrival)
        operation = RehearsedOperation(plan, self.gate)
        operation.there = self.there
        return operation

    async def default_archive(self, ref: ClusterRef) -> str:
        """Not known."""
        return ""

    async def contexts(self) -> tuple[str, ...]:
        """The current one, and those that the test put there."""
        return ("kind-dev", *self.other_contexts)

    async def namespaces(self, context: str) -> tuple[str, ...]:
        """Those that the test put there."""
        return self.other_contexts.get(context, ("default", "research"))

    async def holder(self, ref: ClusterRef) -> Holder | None:
        """One after the other of those that the test put there, then nobody."""
        return self.holders.pop(0) if self.holders else None

    async def break_lock(self, ref: ClusterRef, holder: Holder) -> None:
        """Nobody has it any more."""
        self._ask("break", holder.who)
        self.holders.clear()

    async def preview_restore(
        self, ref: ClusterRef, archive: str, size: int | None
    ) -> tuple[str, ...]:
        """Text that names what was asked."""
        self._ask("preview", (archive, size))
        self._need_helper_pod()
        return (f"{archive} onto {size} nodes:", "58 jobs come back as they are, 0 are lost.")

    async def job_detail(self, ref: ClusterRef, job_id: int) -> JobDetail:
        """The detail that the test put there."""
        self._ask("detail", job_id)
        return self.detail

    async def submit(self, ref: ClusterRef, request: SubmitRequest, course: Course) -> SubmitAnswer:
        """Ids of made-up jobs; after `most` nothing comes until the course is stopped."""
        self._ask("submit", request)
        ids = await self._go_through(range(1, request.copies + 1), course)
        return SubmitAnswer(request.copies, ids)

    async def _go_through(self, ids: Iterable[int], course: Course) -> tuple[int, ...]:
        done: list[int] = []
        for id in ids:
            if course.stopping:
                break
            if len(done) == self.most:
                await asyncio.sleep(0.01)
                continue
            course.count(True)
            done.append(id)
        return tuple(done)

    async def act_on_jobs(
        self, ref: ClusterRef, ids: tuple[int, ...], request: JobRequest, course: Course
    ) -> tuple[JobAnswer, ...]:
        """Flux takes everything but what the test says that it refuses."""
        self._ask(request.verb, ids)
        self.requests.append(request)
        return tuple(
            JobAnswer(
                job_id,
                job_id not in self.refuses,
                {**self.says, **self.refuses}.get(job_id, "read back"),
            )
            for job_id in await self._go_through(ids, course)
        )

    @asynccontextmanager
    async def follow_output(
        self, ref: ClusterRef, job_id: int
    ) -> AsyncIterator[AsyncIterator[tuple[OutputLine, ...]]]:
        """The output of the detail, then what the test writes, until it writes nothing."""
        self.following += 1

        async def pieces() -> AsyncGenerator[tuple[OutputLine, ...], None]:
            yield self.detail.output
            while some := await self.writes.get():
                yield some

        async with aclosing(pieces()) as made:
            try:
                yield made
            finally:
                self.following -= 1

    async def refresh_archives(self, ref: ClusterRef) -> None:
        """Remember that it was asked."""
        self._ask("refresh", ref)

    async def open_archive(self, ref: ClusterRef, entry: CatalogEntry, reading: Reading) -> Verdict:
        """The archive that the test put there; there is no cluster to fetch another one from."""
        self._need_helper_pod()
        if entry.id in self.archives:
            return verify(self.archives[entry.id], progress=reading.progress)
        raise FluxstateError(f"{entry.id} cannot be fetched.", advice="Look at the volume.")

    def agree_to_helper_pod(self, ref: ClusterRef) -> None:
        """Whoever needs one gets it from now on."""
        self._ask("helper pod", ref.name)
        self.needs_helper_pod = ""

    def _need_helper_pod(self) -> None:
        if self.needs_helper_pod:
            raise HelperPodNeededError(self.needs_helper_pod)

    async def interrupted(self) -> tuple[Interrupted, ...]:
        """Those that the test put there. Nobody asked for it: the app looks by itself."""
        self.looked += 1
        if self.refusal is not None:
            raise self.refusal
        return self.left_behind

    async def close_interrupted(self, identity: str) -> None:
        """It is not there any more."""
        self._ask("close", identity)
        self.left_behind = tuple(one for one in self.left_behind if one.id != identity)

    def why_not(self, kind: str, ref: ClusterRef) -> str:
        """Everything is possible."""
        return ""

    def _ask(self, what: str, about: object) -> None:
        self.asked.append((what, about))
        if self.refusal is not None:
            raise self.refusal
