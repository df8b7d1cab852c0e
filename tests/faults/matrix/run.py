"""One cell of the matrix at one point, in a fresh world, from the beginning to taking up again."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.stage import Stage, staged

from .attic import Attic
from .breakages import Breakage
from .clock import PatientClock
from .look import discard
from .points import Gate, Hit, Point
from .program import start, step_of
from .scenarios import Scenario
from .taking_up import take_up
from .trial import Trial
from .verdict import look_again, verdict

# Real seconds for one run, and for a machine that has a lot else to do.
PATIENCE = 400.0
SPEED = 40.0
# The journal is flushed to the disk at every step: in memory that costs nothing.
MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Result:
    """`problems` is empty when it was survived; `ended` says how the operation ended."""

    scenario: str
    breakage: str
    point: str
    reached: bool
    problems: tuple[str, ...]
    ended: str
    seconds: float


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


def _clock() -> PatientClock:
    return PatientClock(SPEED, time.time())


async def clean(scenario: Scenario, attic: Attic) -> list[Point]:
    """The points of a run in which nothing breaks. AssertionError if it does not end well."""
    with _folder() as folder:
        async with staged(folder, clock=_clock()) as stage:
            trial = await _begin(stage, scenario, attic)
            async with trial.things:
                gate = Gate(lambda: trial.me.step)
                stage.sim.faults.gate = gate
                await trial.run()
                await trial.heal()
                await discard(stage)
                problems = await verdict(trial, await look_again(trial))
                assert trial.completed, (scenario.name, trial.outcome, trial.refusal)
                assert not problems, (scenario.name, problems)
                return gate.seen


async def broken(scenario: Scenario, breakage: Breakage, point: Point, attic: Attic) -> Result:
    """The same with a fault at a point."""
    began = time.monotonic()
    reached, ended, problems = False, "", ["HANGS"]
    with _folder() as folder:
        try:
            async with (
                asyncio.timeout(PATIENCE),
                staged(folder, clock=PatientClock(SPEED, time.time())) as stage,
            ):
                trial = await _begin(stage, scenario, attic)
                async with trial.things:
                    reached = await _strike(trial, breakage, point)
                    ended = trial.words
                    problems = await _judge(trial) if reached else []
        except TimeoutError:
            problems = [f"HANGS: not over after {PATIENCE:.0f} s"]
        except Exception as error:  # a bug of the program, or of this test: both must be seen
            problems = [f"RAISES: {type(error).__name__}: {error}"]
    seconds = time.monotonic() - began
    named = (scenario.name, breakage.name, str(point))
    return Result(*named, reached, tuple(problems), ended, round(seconds, 2))


async def _begin(stage: Stage, scenario: Scenario, attic: Attic) -> Trial:
    await scenario.build(stage, attic)
    trial = Trial(stage, scenario, attic)
    trial.me = await trial.somebody("me@test", "state")
    trial.note_before()
    return trial


async def _strike(trial: Trial, breakage: Breakage, point: Point) -> bool:
    async def strike(hit: Hit) -> None:
        await breakage.strike(trial, hit)

    state_dir = trial.me.context.state_dir
    if breakage.kills:
        gate = Gate(lambda: step_of(state_dir), point, strike)
        trial.faults.gate = gate
        clock = PatientClock(SPEED, trial.stage.sim.clock.now())
        trial.process = start(
            trial.scenario.name, trial.attic, trial.me.kubeconfig, state_dir, clock
        )
        while trial.process.is_alive():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    else:
        gate = Gate(lambda: trial.me.step, point, strike)
        trial.faults.gate = gate
        await trial.run()
    await gate.over()
    await trial.heal()
    return gate.reached


async def _judge(trial: Trial) -> list[str]:
    await discard(trial.stage)
    problems = await verdict(trial, await look_again(trial))
    if problems:
        return problems
    trial.begin_again()
    if problems := await take_up(trial):
        return problems
    await discard(trial.stage)
    return [f"AFTER: {one}" for one in await verdict(trial, await look_again(trial))]
