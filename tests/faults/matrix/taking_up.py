"""Taking up again after a fault, as the program advises it: it must end well."""

from __future__ import annotations

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import recovery as recover
from fluxstate_tui.operations.base import Choices, OperationKind, Outcome, OutcomeKind
from fluxstate_tui.operations.recovery import Finding
from fluxstate_tui.sim.api.kinds import LEASES
from tests.faults.stage import ANY, NAMESPACE

from .actor import Actor
from .look import discard, living
from .scenarios import NEW
from .trial import Trial
from .verdict import look_again

TRIES = 4
LOCK_SECONDS = 60.0


async def take_up(trial: Trial) -> list[str]:
    """Put right what is unfinished, then do it again until its goal is reached."""
    me = trial.me
    if trial.damaged and trial.scenario.removes(trial.attic):
        return []  # with the newest archive damaged the older ones are rightly kept
    if trial.scenario.name.startswith("archives"):
        _let_locks_expire(trial)
    if problems := await _finish(trial, me):
        return problems
    said = ""
    for _ in range(TRIES):
        await discard(trial.stage)
        missing = trial.scenario.reached(trial.stage, trial.attic, trial.wanted)
        if not missing:
            return []
        said = f"{missing}; {await _once_more(trial, me)}"
    return [f"AGAIN: {said}"]


def _let_locks_expire(trial: Trial) -> None:
    """`archives` lives by the real clock, by which the lock of a killed one holds for 30 s."""
    store = trial.stage.sim.state.store
    for lease in store.objects(LEASES, NAMESPACE):
        store.remove(LEASES, NAMESPACE, lease["metadata"]["name"])


async def _finish(trial: Trial, me: Actor) -> list[str]:
    """Do what each finding says, and what it says after that, until nothing is left."""
    for finding in await look_again(trial):
        left: Finding | None = finding
        for _ in range(TRIES):
            if left is None:
                break
            if left.next and (problem := await _do(trial, me, left)):
                return [problem]
            await discard(trial.stage)
            left = await recover.settle(me.context, left)
            await discard(trial.stage)
    now = await look_again(trial)
    return [f"AGAIN: still unfinished: {now[0].says}"] if now else []


async def _do(trial: Trial, me: Actor, finding: Finding) -> str:
    target = finding.record.target
    ref = ClusterRef(target.namespace, target.name, "")
    if finding.next is None:
        return ""
    typed = ref.name if finding.next is OperationKind.DELETE else ""
    outcome = await _patiently(trial, me, finding.next, ref, finding.choices, typed)
    if outcome.kind is OutcomeKind.COMPLETED:
        return ""
    return f"AGAIN: {finding.next} of {ref}: {outcome.kind.value}: {outcome.reason}"


async def _once_more(trial: Trial, me: Actor) -> str:
    """The operation again, after what its refusal asked for."""
    there = living(trial.stage)
    name = trial.scenario.name
    if name == "restore" and ANY.name in there:
        return await _delete(trial, me, ANY)
    if name == "migrate beside" and NEW.name in there and ANY.name in there:
        return await _delete(trial, me, NEW)
    if name == "archives prune":
        # Cut off between the manifest and its archive: that is not one of ours any more.
        return _words(await me.archives("remove", ANY.name, trial.attic.older, "--yes"))
    if name.startswith("migrate") and ANY.name not in there and NEW.name not in there:
        return _words(await _patiently(trial, me, "restore", ANY, Choices()))
    return _words(await _scenario(trial, me))


async def _scenario(trial: Trial, me: Actor) -> Outcome:
    clock = trial.stage.sim.clock
    end = clock.now() + LOCK_SECONDS
    while True:
        try:
            if trial.scenario.name == "restore" and trial.damaged:
                choices = Choices(archive=trial.attic.older)
                outcome = await me.do("restore", ANY, choices)
            elif trial.scenario.name == "delete" and trial.damaged:
                outcome = await me.do("delete", ANY, Choices(save_first=True))
            else:
                outcome = await trial.scenario.run(me, trial.attic)
        except FluxstateError as error:
            outcome = _refused(error)
        if outcome.exit_code != ExitCode.LOCKED or clock.now() > end:
            return outcome
        await clock.sleep(3.0)


async def _delete(trial: Trial, me: Actor, ref: ClusterRef) -> str:
    """The name is typed: every job is elsewhere."""
    return _words(await _patiently(trial, me, "delete", ref, Choices(), ref.name))


async def _patiently(
    trial: Trial, me: Actor, kind: str, ref: ClusterRef, choices: Choices, typed: str = ""
) -> Outcome:
    """One operation; the lock of the one that was killed expires meanwhile."""
    clock = trial.stage.sim.clock
    end = clock.now() + LOCK_SECONDS
    while True:
        try:
            outcome = await me.do(kind, ClusterRef(NAMESPACE, ref.name, ""), choices, typed)
        except FluxstateError as error:
            outcome = _refused(error)
        if outcome.exit_code != ExitCode.LOCKED or clock.now() > end:
            return outcome
        await clock.sleep(3.0)


def _refused(error: FluxstateError) -> Outcome:
    return Outcome(OutcomeKind.FAILED, error.message, exit_code=error.exit_code)


def _words(outcome: Outcome) -> str:
    return f"{outcome.kind.value}: {outcome.reason}"
