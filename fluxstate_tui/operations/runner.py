"""Runs the steps of an operation: journal first, read-back after, undo when it fails.

The runner is the only place where an error becomes an Outcome. Whatever happens - a failed step, a
cancel, a lost connection - the undo actions of the steps that were done are carried out, in
reverse, and what could not be undone is said and stays in the journal as unfinished.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.errors import KubeError
from fluxstate_tui.operations import audit as refusals
from fluxstate_tui.operations.audit import audited
from fluxstate_tui.operations.base import (
    ConsentKind,
    News,
    Outcome,
    OutcomeKind,
    Plan,
    Step,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.journal import Journal
from fluxstate_tui.operations.lease import LOCK, ClusterLease
from fluxstate_tui.operations.steps import Run, Script, Task, Undo

_log = logging.getLogger(__name__)

Progress = Callable[[StepEvent], None]
UNDO_TRIES = 4
# Of real time: how long what was asked to hurry goes on, and how long each undo may take then.
HURRY_SECONDS, UNDO_SECONDS = 3.0, 1.0


class Operation:
    """A prepared operation. Run it once, or close it."""

    def __init__(self, context: OperationContext, plan: Plan, script: Script) -> None:
        self.context = context
        self.plan = plan
        self.outcome: Outcome | None = None
        self.script = script
        self._progress: Progress = lambda event: None
        self._work: asyncio.Task[None] | None = None
        self._ending = False
        self._giving_up: asyncio.TimerHandle | None = None
        self._gave_up = False
        self._current = ""
        self._broken_by: Exception | None = None
        self._closed = False
        self._begun: float | None = None

    async def run(self, progress: Progress, typed: str = "") -> Outcome:
        """Carry it out. `typed` is what the user typed, where the consent asks for a word.

        When the calling task is cancelled, what was done is undone before CancelledError leaves
        (`outcome` then holds what happened). `cancel()` does the same and returns the outcome.
        """
        self._progress = progress
        consent = self.plan.consent
        if consent.kind is ConsentKind.TYPE_NAME and typed != consent.word:
            await self.close()
            why = f"{consent.question} Type {consent.word!r} to go on"
            refusals.log(self.context, self.plan.operation, self.plan.target, why)
            self.outcome = Outcome(
                OutcomeKind.FAILED,
                f"refused: {why}",
                safe="Nothing was done.",
                exit_code=ExitCode.REFUSED,
            )
            return self.outcome
        self._work = asyncio.create_task(self._guarded())
        cancelled = False
        while not self._work.done():
            try:
                await asyncio.wait({self._work})
            except asyncio.CancelledError:
                # Never leave half-done things behind: undo first, then let go.
                cancelled = True
                self.cancel()
        if self.outcome is None:
            await self.close()
            bug = None if self._work.cancelled() else self._work.exception()
            # Cancelled before it began; or nobody knows how far it came.
            if bug is not None:
                self.outcome = self._unforeseen(bug)
            else:
                self.outcome = self._given_up() if self._gave_up else _cancelled("")
        if cancelled:
            raise asyncio.CancelledError
        return self.outcome

    def cancel(self) -> None:
        """Ask the running operation to stop and undo. Too late while it is already ending."""
        if self.script.too_late:
            return
        work = self._work
        if work is not None and not work.done() and not work.cancelling() and not self._ending:
            work.cancel()

    def hurry(self) -> None:
        """Asked once more: what is not put back within seconds is left, and the journal says so."""
        self.cancel()
        if self._giving_up is None:
            loop = asyncio.get_running_loop()
            self._giving_up = loop.call_later(HURRY_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._work is not None and not self._work.done():
            self._gave_up = True
            self._work.cancel()
            loop = asyncio.get_running_loop()
            self._giving_up = loop.call_later(UNDO_SECONDS, self._give_up)

    def _given_up(self) -> Outcome:
        return Outcome(
            OutcomeKind.UNKNOWN,
            f"it was hurried, and ended at once (at step '{self._current or 'none'}')",
            self.script.safe,
            "Look what is left, and put it right: fluxstate-tui unfinished",
            ExitCode.INTERRUPTED,
        )

    def _unforeseen(self, bug: BaseException) -> Outcome:
        _log.error("%s of %s", self.plan.operation, self.plan.target, exc_info=bug)
        return Outcome(
            OutcomeKind.UNKNOWN,
            f"{type(bug).__name__}: {bug} (at step '{self._current or 'none'}')",
            self.script.safe,
            "Look what was done: fluxstate-tui unfinished",
            ExitCode.UNKNOWN,
        )

    async def close(self) -> None:
        """Give back what prepare() took. Harmless when repeated."""
        if not self._closed:
            self._closed = True
            if self.script.close is not None:
                await self.script.close()

    async def _guarded(self) -> None:
        context, plan = self.context, self.plan
        lease = ClusterLease(context, plan.target, plan.operation)
        try:
            try:
                journal = Journal.begin(
                    context.state_dir,
                    plan,
                    who=context.who,
                    server=context.cluster.server,
                    now=context.clock.now(),
                )
            except OSError as error:
                self.outcome = Outcome(
                    OutcomeKind.FAILED,
                    f"the journal cannot be written: {error}",
                    "Nothing was done.",
                    f"Make {context.state_dir} writable, or set FLUXSTATE_STATE_DIR.",
                    ExitCode.FAILURE,
                )
                return
            try:
                outcome = await self._with_lease(journal, lease)
            finally:
                journal.close()
            if journal.trouble:
                outcome = _not_written(outcome, journal.trouble)
            now = context.clock.now()
            self.outcome = audited(context.state_dir, journal.path, outcome, now)
        finally:
            self._ending = True
            await lease.release()
            await self._tidy_up()

    async def _tidy_up(self) -> None:
        """Close; what cannot be given back is told, as the operation itself has ended by now."""
        try:
            await self.close()
        except (FluxstateError, OSError, TimeoutError) as error:
            _log.warning("not tidied up after %s: %s", self.plan.operation, error)
            if self.outcome is not None:
                left = f"Not tidied up: {error} (a helper pod ends by itself within 30 minutes)."
                advice = f"{self.outcome.advice} {left}".strip()
                self.outcome = replace(self.outcome, advice=advice)

    async def _with_lease(self, journal: Journal, lease: ClusterLease) -> Outcome:
        run = Run(journal)
        try:
            journal.remember(LOCK, lease.identity)
            await lease.acquire()
            lease.keep(run.problem)
        except FluxstateError as error:
            outcome = _outcome_of(error, "", "Nothing was done.", self.script.advice)
            journal.end(outcome, self.context.clock.now())
            return outcome
        except asyncio.CancelledError:
            outcome = replace(_cancelled(""), advice=lease.left)
            journal.end(outcome, self.context.clock.now())
            return outcome
        return await self._steps(run, lease)

    async def _steps(self, run: Run, lease: ClusterLease) -> Outcome:
        outcome: Outcome | None = None
        note = lease.note
        steps = {task.step.id: task.step for task in self.script.tasks}

        def correct(step: str, read_back: str) -> None:
            if step in steps:
                self._emit(run, steps[step], StepState.DONE, read_back)

        run.correct = correct
        for task in self.script.tasks:
            if outcome is not None:
                self._emit(run, task.step, StepState.SKIPPED, "")
                continue
            self._current = run.step = task.step.id
            run.tell = self._teller(task.step)
            outcome = await self._step(run, task, lease, note)
            note = ""
        return await self._finish(run, outcome, lease)

    async def _step(self, run: Run, task: Task, lease: ClusterLease, note: str) -> Outcome | None:
        """Run one step; an Outcome ends the operation."""
        title, safe = task.step.title, self.script.safe
        try:
            self._begin(run, task, note)
            if task.alone:
                await lease.require()
            self._emit(run, task.step, StepState.DONE, await task.action(run))
        except asyncio.CancelledError:
            self._emit(run, task.step, StepState.FAILED, "", News.CANCELLED)
            return _cancelled(title, safe)
        except Exception as error:
            if not isinstance(error, (FluxstateError, OSError, TimeoutError)):
                _log.exception("step %s of %s", task.step.id, self.plan.operation)
            outcome = _outcome_of(error, title, safe, self.script.advice)
            unknown = outcome.kind is OutcomeKind.UNKNOWN
            self._emit(
                run, task.step, StepState.UNKNOWN if unknown else StepState.FAILED, outcome.reason
            )
            if task.required:
                self._broken_by = error
                return outcome
            run.problem(outcome.reason, outcome.advice)
        return None

    def _begin(self, run: Run, task: Task, note: str) -> None:
        """Announce it. What has to be followed up is begun even when that cannot be written."""
        self._begun = self.context.clock.now()
        event = StepEvent(task.step.id, StepState.RUNNING, self._begun, "")
        if task.alone:
            run.journal.announce(event)
        else:
            run.journal.step(event)
        self._show(event)
        if note:
            run.tell(note)

    async def _finish(self, run: Run, outcome: Outcome | None, lease: ClusterLease) -> Outcome:
        self._ending = True
        lost = await lease.lost()
        if lost:
            left = run.undos[::-1]  # not under the hands of others: it is left to be looked at
        else:
            left = await self._undo(run, self._teller_of_undo(run, outcome))
        if lost and not lease.told:
            run.problem(lost)
        if outcome is None:
            outcome = self._success(run, whole=not left and not run.problems)
        elif lost and (lease.refusal is None or self._broken_by is not lease.refusal):
            outcome = replace(outcome, reason=f"{outcome.reason}. {lost}")
        if left:
            outcome = _not_put_back(outcome, left)
            run.journal.close()  # without an outcome: the next start must see it
            return outcome
        run.journal.end(outcome, self.context.clock.now())
        return outcome

    def _success(self, run: Run, *, whole: bool) -> Outcome:
        """Every required step was done; nothing less than the whole is called Completed."""
        return Outcome(
            OutcomeKind.COMPLETED if whole else OutcomeKind.PARTIALLY_FAILED,
            ". ".join([self.script.success(), *run.problems]),
            self.script.safe,
            " ".join(dict.fromkeys(filter(None, (self.script.advice, *run.advice)))),
            ExitCode.OK if whole else ExitCode.FAILURE,
        )

    def _teller_of_undo(self, run: Run, outcome: Outcome | None) -> Callable[[str], None]:
        """Where it is told what was put back: at the step that failed, or in what is partial."""
        step = Step(self._current, "")
        if outcome is not None:
            return lambda text: self._emit(run, step, StepState.FAILED, text, News.PUT_BACK)
        told = run.problem if run.problems else _log.info
        return lambda text: told(f"{News.PUT_BACK.value}: {text}")

    async def _undo(self, run: Run, tell: Callable[[str], None]) -> list[Undo]:
        """Put back in reverse order what no step settled; returns what could not be put back."""
        left: list[Undo] = []
        for undo in reversed(run.undos):
            try:
                why = await self._undo_one(run, undo, tell)
            except asyncio.CancelledError:
                if not self._gave_up:
                    raise
                why = "there was no time for it"
            if why:
                run.journal.undo_failed(undo.what, why)
                left.append(undo)
        return left

    async def _undo_one(self, run: Run, undo: Undo, tell: Callable[[str], None]) -> str:
        """Why it could not be put back, '' if it was."""
        why = ""
        for attempt in range(UNDO_TRIES):
            try:
                result = await undo.action()
            except Exception as error:  # also of a bug: the others must be put back
                why = str(error) or type(error).__name__
                _log.warning("not put back: %s", undo.what, exc_info=error)
                await self.context.clock.sleep(0.5 * 2**attempt)
            else:
                run.journal.undone(undo.what, result)
                tell(f"{undo.what}: {result}")
                return ""
        return why

    def _teller(self, step: Step) -> Callable[[str], None]:
        def tell(text: str) -> None:
            self._show(StepEvent(step.id, StepState.RUNNING, self.context.clock.now(), text))

        return tell

    def _show(self, event: StepEvent) -> None:
        try:
            self._progress(event)
        except Exception:  # a screen that breaks must not stop half-way what it shows
            _log.exception("step %s of %s cannot be shown", event.step, self.plan.operation)

    def _emit(
        self, run: Run, step: Step, state: StepState, text: str, news: News = News.STEP
    ) -> None:
        now, ended = self.context.clock.now(), state is not StepState.SKIPPED
        ended = ended and news is not News.PUT_BACK
        begun = self._begun if ended else None
        seconds = None if begun is None else max(0.0, now - begun)
        event = StepEvent(
            step=step.id, state=state, at=now, read_back=text, news=news, seconds=seconds
        )
        if ended:
            run.journal.step(event)
        self._show(event)


def _cancelled(title: str, safe: str = "Nothing was done.") -> Outcome:
    reason = f"cancelled at: {title}" if title else "cancelled before the first step"
    return Outcome(OutcomeKind.CANCELLED, reason, safe, exit_code=ExitCode.INTERRUPTED)


def _not_put_back(outcome: Outcome, left: list[Undo]) -> Outcome:
    return replace(
        outcome,
        reason=f"{outcome.reason}. NOT put back: " + "; ".join(undo.what for undo in left),
        advice=" ".join([outcome.advice, *(undo.shell_commands for undo in left)]).strip(),
    )


def _not_written(outcome: Outcome, why: str) -> Outcome:
    left = f"The journal could not be written: {why}; see fluxstate-tui unfinished."
    return replace(outcome, advice=f"{outcome.advice} {left}".strip())


def _outcome_of(error: Exception, title: str, safe: str, advice: str) -> Outcome:
    where = f"{title}: " if title else ""
    if isinstance(error, FluxstateError):
        unknown = error.exit_code is ExitCode.UNKNOWN
        # A request only knows of itself that nothing was changed, not of those before it.
        of_one_request = bool(title) and isinstance(error, KubeError)
        said = "" if of_one_request else error.safe
        return Outcome(
            OutcomeKind.UNKNOWN if unknown else OutcomeKind.FAILED,
            where + error.message,
            " ".join(dict.fromkeys(filter(None, (said, safe)))),
            error.advice or advice,
            error.exit_code,
        )
    text = str(error) or type(error).__name__
    return Outcome(OutcomeKind.FAILED, where + text, safe, advice, ExitCode.FAILURE)
