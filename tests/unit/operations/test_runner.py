"""The runner's promises: journal first, undo on failure, nothing left undone unnoticed."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.objects import LEASES
from fluxstate_tui.operations import journal
from fluxstate_tui.operations.base import (
    Consent,
    ConsentKind,
    News,
    OperationKind,
    OutcomeKind,
    Plan,
    Step,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.lease import ClusterLease
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.steps import Action, Run, Script, Task
from tests.unit.operations.builders import REF


class MiniClusterClient:
    """Something that a step changes and an undo puts back."""

    def __init__(self) -> None:
        self.stopped = False
        self.closed = 0
        self.undo_fails = 0
        self.entered = asyncio.Event()

    async def stop(self, run: Run) -> str:
        run.undo("the queue is started again", self.start, "Run: resume")
        self.stopped = True
        return "stopped"

    async def start(self) -> str:
        if self.undo_fails:
            self.undo_fails -= 1
            raise FluxstateError("no connection")
        self.stopped = False
        return "started"

    async def close(self) -> None:
        self.closed += 1


def operation(
    context: OperationContext,
    world: MiniClusterClient,
    *actions: Action,
    optional: tuple[Action, ...] = (),
    consent: Consent | None = None,
) -> Operation:
    everything = (world.stop, *actions, *optional)
    steps = tuple(Step(f"step{number}", f"Step {number}") for number in range(len(everything)))
    plan = Plan(OperationKind.SAVE, REF, steps, (), consent or Consent(ConsentKind.NONE, "Sure?"))
    tasks = [
        Task(step, action, required=action not in optional)
        for step, action in zip(steps, everything, strict=True)
    ]
    return Operation(context, plan, Script(tasks, lambda: "saved", close=world.close))


def ignore(event: StepEvent) -> None:
    """Nobody watches."""


async def fail(run: Run) -> str:
    raise FluxstateError("the disk is full", safe="Nothing was lost.", advice="Make room.")


async def fine(run: Run) -> str:
    return "fine"


async def test_a_failed_step_undoes_what_was_done_and_says_so(context: OperationContext) -> None:
    world = MiniClusterClient()
    events: list[StepEvent] = []
    outcome = await operation(context, world, fail, fine).run(events.append)
    assert outcome.kind is OutcomeKind.FAILED
    assert "Step 1: the disk is full" in outcome.reason
    assert outcome.advice == "Make room."
    assert not world.stopped
    assert world.closed == 1
    last = {event.step: event for event in events}
    assert last["step1"].news is News.PUT_BACK
    assert last["step1"].line == "put back: the queue is started again: started"
    assert last["step2"].state is StepState.SKIPPED
    assert journal.unfinished(context.state_dir) == []


async def test_an_undo_is_tried_again_when_the_connection_comes_back(
    context: OperationContext,
) -> None:
    world = MiniClusterClient()
    world.undo_fails = 2
    await operation(context, world, fail).run(ignore)
    assert not world.stopped


async def test_what_cannot_be_undone_is_loud_and_stays_in_the_journal(
    context: OperationContext,
) -> None:
    world = MiniClusterClient()
    world.undo_fails = 99
    outcome = await operation(context, world, fail).run(ignore)
    assert "NOT put back: the queue is started again" in outcome.reason
    assert "Run: resume" in outcome.advice
    (record,) = journal.unfinished(context.state_dir)
    assert record.left == ("the queue is started again",)


async def test_what_a_finished_operation_could_not_put_back_is_no_complete_success(
    context: OperationContext,
) -> None:
    world = MiniClusterClient()
    world.undo_fails = 99
    outcome = await operation(context, world, fine).run(ignore)
    assert outcome.kind is OutcomeKind.PARTIALLY_FAILED
    assert "NOT put back: the queue is started again" in outcome.reason
    assert len(journal.unfinished(context.state_dir)) == 1


async def test_what_an_optional_step_left_is_put_back_and_that_is_told(
    context: OperationContext,
) -> None:
    world = MiniClusterClient()
    outcome = await operation(context, world, optional=(fail,)).run(ignore)
    assert outcome.kind is OutcomeKind.PARTIALLY_FAILED
    assert not world.stopped
    assert "put back: the queue is started again: started" in outcome.reason


async def test_nothing_is_undone_under_the_hands_of_who_broke_the_lock(
    context: OperationContext,
) -> None:
    async def broken(run: Run) -> str:
        await context.cluster.delete(LEASES, f"fluxstate-{REF.name}", REF.namespace)
        await ClusterLease(context, REF, "delete").acquire()
        raise FluxstateError("a stone")

    world = MiniClusterClient()
    outcome = await operation(context, world, broken).run(ignore)
    assert world.stopped  # theirs to start
    assert "NOT put back: the queue is started again" in outcome.reason
    assert "the lock was taken" in outcome.reason
    assert len(journal.unfinished(context.state_dir)) == 1


async def test_an_unknown_outcome_is_never_called_a_success_or_a_failure(
    context: OperationContext,
) -> None:
    async def lost(run: Run) -> str:
        raise FluxstateError("the stream was cut", exit_code=ExitCode.UNKNOWN)

    outcome = await operation(context, MiniClusterClient(), lost).run(ignore)
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert outcome.exit_code == ExitCode.UNKNOWN


async def test_a_step_that_is_not_required_makes_it_partially_failed(
    context: OperationContext,
) -> None:
    outcome = await operation(context, MiniClusterClient(), fine, optional=(fail,)).run(ignore)
    assert outcome.kind is OutcomeKind.PARTIALLY_FAILED
    assert outcome.exit_code != 0
    assert "the disk is full" in outcome.reason


async def test_a_bug_in_a_step_undoes_as_well(context: OperationContext) -> None:
    async def bug(run: Run) -> str:
        raise KeyError("oops")

    world = MiniClusterClient()
    outcome = await operation(context, world, bug).run(ignore)
    assert outcome.kind is OutcomeKind.FAILED
    assert not world.stopped


async def wait_for_ever(world: MiniClusterClient) -> Action:
    async def wait(run: Run) -> str:
        world.entered.set()
        await asyncio.Event().wait()
        return ""

    return wait


async def test_cancel_undoes_and_tells(context: OperationContext) -> None:
    world = MiniClusterClient()
    running = operation(context, world, await wait_for_ever(world))
    task = asyncio.create_task(running.run(ignore))
    await world.entered.wait()
    running.cancel()
    running.cancel()  # an impatient second key press must not break the undo
    outcome = await task
    assert outcome.kind is OutcomeKind.CANCELLED
    assert outcome.exit_code == ExitCode.INTERRUPTED
    assert not world.stopped


async def test_a_cancelled_task_undoes_before_it_lets_go(context: OperationContext) -> None:
    world = MiniClusterClient()
    running = operation(context, world, await wait_for_ever(world))
    task = asyncio.create_task(running.run(ignore))
    await world.entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not world.stopped
    assert running.outcome is not None
    assert running.outcome.kind is OutcomeKind.CANCELLED
    assert journal.unfinished(context.state_dir) == []


async def test_a_name_that_must_be_typed_is_checked_by_the_operation_itself(
    context: OperationContext,
) -> None:
    consent = Consent(ConsentKind.TYPE_NAME, "Everything is lost.", "flux-sample")
    world = MiniClusterClient()
    outcome = await operation(context, world, fine, consent=consent).run(ignore, "flux-simple")
    assert outcome.exit_code == ExitCode.REFUSED
    assert world.closed == 1
    assert not (context.state_dir / "journal").exists()
    again = await operation(context, MiniClusterClient(), fine, consent=consent).run(
        ignore, "flux-sample"
    )
    assert again.kind is OutcomeKind.COMPLETED


async def test_without_a_journal_nothing_is_done(context: OperationContext) -> None:
    context.state_dir.write_text("in the way")
    world = MiniClusterClient()
    outcome = await operation(context, world, fine).run(ignore)
    assert outcome.kind is OutcomeKind.FAILED
    assert "journal" in outcome.reason
    assert not world.stopped


@pytest.fixture
def full_disk(context: OperationContext) -> Iterator[Action]:
    """A step after which no file can grow beyond what the journal has now."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def fill(run: Run) -> str:
        size = run.journal.path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        return "full"

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_nothing_is_begun_that_the_journal_cannot_hold_and_what_was_done_is_undone(
    context: OperationContext, full_disk: Action
) -> None:
    begun: list[str] = []

    async def never(run: Run) -> str:
        begun.append(run.step)
        return ""

    world = MiniClusterClient()
    outcome = await operation(context, world, full_disk, never).run(ignore)
    assert begun == []
    assert not world.stopped
    assert world.closed == 1
    assert outcome.kind is OutcomeKind.FAILED
    assert "File too large" in outcome.reason
    assert "Nothing was done" not in outcome.safe
    assert "journal could not be written" in outcome.advice
    assert len(journal.unfinished(context.state_dir)) == 1  # looked at again at the next start


async def test_what_has_to_be_followed_up_is_done_whether_the_journal_can_be_written_or_not(
    context: OperationContext, full_disk: Action
) -> None:
    async def follow_up(run: Run) -> str:
        run.shell_commands("flux queue start")
        run.remember("done", True)
        return "done"

    running = operation(context, MiniClusterClient(), full_disk, follow_up)
    running.script.tasks[2] = replace(running.script.tasks[2], alone=False)
    outcome = await running.run(ignore)
    assert outcome.kind is OutcomeKind.COMPLETED
    assert "journal could not be written" in outcome.advice


async def test_a_bug_in_an_undo_does_not_keep_the_others_from_being_done(
    context: OperationContext,
) -> None:
    async def bug() -> str:
        raise KeyError("oops")

    async def dig(run: Run) -> str:
        run.undo("the hole is filled", bug, "Fill it.")
        raise FluxstateError("a stone")

    world = MiniClusterClient()
    outcome = await operation(context, world, dig).run(ignore)
    assert not world.stopped
    assert "NOT put back: the hole is filled" in outcome.reason
    assert "Fill it." in outcome.advice
    assert len(journal.unfinished(context.state_dir)) == 1


async def test_a_screen_that_breaks_does_not_stop_what_it_shows(
    context: OperationContext,
) -> None:
    def broken_screen(event: StepEvent) -> None:
        raise KeyError("no such row")

    world = MiniClusterClient()
    outcome = await operation(context, world, fine).run(broken_screen)
    assert outcome.kind is OutcomeKind.COMPLETED
    assert journal.unfinished(context.state_dir) == []


async def test_what_nobody_foresaw_is_unknown_never_nothing_was_done(
    context: OperationContext,
) -> None:
    def boast() -> str:
        raise KeyError("nobody")

    running = operation(context, MiniClusterClient(), fine)
    running.script.success = boast
    outcome = await running.run(ignore)
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert outcome.exit_code == ExitCode.UNKNOWN
    assert "Nothing was done" not in outcome.safe
    assert len(journal.unfinished(context.state_dir)) == 1


async def test_a_part_that_fails_puts_back_all_it_can_and_says_what_is_left(
    context: OperationContext,
) -> None:
    world = MiniClusterClient()

    async def bug() -> str:
        raise KeyError("oops")

    async def in_parts(run: Run) -> str:
        part = Run(run.journal)
        await world.stop(part)
        part.undo("the hole is filled", bug, "Fill it.")
        error = FluxstateError("a stone", advice="Dig elsewhere.")
        await part.roll_back(error)
        assert not world.stopped
        raise error

    outcome = await operation(context, MiniClusterClient(), in_parts).run(ignore)
    assert outcome.advice == "Dig elsewhere. Fill it."
