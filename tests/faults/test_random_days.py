"""Random sequences of what people do and what goes wrong, against a model of what must be there."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.operations.base import Choices, OperationKind, Outcome, OutcomeKind, StepEvent
from fluxstate_tui.operations.registry import prepare
from tests.faults.matrix.clock import PatientClock
from tests.faults.matrix.look import discard, in_archives, lead_pod, living
from tests.faults.stage import ANY, NAME, NAMESPACE, SPEED, Stage, attempt, broken_at, staged

T = TypeVar("T")

# FLUXSTATE_ALL_FAULTS=1: 300 days, in parts that can run side by side.
ALL = bool(os.environ.get("FLUXSTATE_ALL_FAULTS"))
DAYS, PARTS = (300, 12) if ALL else (4, 1)
FAULTS = (
    "drop",
    "lost-answer",
    "exec-cut",
    "exec-no-status",
    "exec-killed",
    "stdin-lost",
    "status",
)
CODES = (403, 409, 410, 429, 500)
OPERATIONS = ("pause", "resume", "save", "delete", "migrate")

sizes = st.integers(min_value=1, max_value=3)
kinds = st.sampled_from(OPERATIONS)
points = st.integers(min_value=0, max_value=60)


class Days(RuleBasedStateMachine):
    """The model: ids of all jobs that Flux accepted, and whether the queue was left paused.

    What cannot happen now is left out. It is no precondition, for hypothesis would have to know
    beforehand how an operation ends that something breaks.
    """

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.things = AsyncExitStack()
        self.accepted: set[int] = set()
        self.paused = False
        self.good: dict[str, str] = {}

    def live(self, work: Coroutine[Any, Any, T]) -> T:
        """One thing happens; then nothing may be lost."""

        async def happen() -> T:
            result = await work
            await discard(self.stage)
            self.check()
            return result

        return self.runner.run(happen())

    def teardown(self) -> None:
        """The day is over."""
        self.runner.run(self.things.aclose())
        self.runner.close()
        self.folder.cleanup()

    @property
    def alive(self) -> bool:
        """Whether the MiniCluster is there."""
        return NAME in living(self.stage)

    def check(self) -> None:
        """No job is lost, no good archive changes, no queue stays stopped, nothing stays armed."""
        stage, now = self.stage, self.stage.finished()
        assert self.good.items() <= now.items(), "an archive was changed or removed"
        self.good = now
        assert not stage.armed(), "an archive is armed"
        assert stage.unfinished() == [], "an operation is unfinished"
        there = in_archives(stage)
        if self.alive:
            one = living(stage)[NAME]
            assert one.jobs is not None, "it does not run"
            assert one.open is not self.paused, "the queue is not as it was left"
            there |= one.jobs
        assert self.accepted <= there, "a job is lost"

    # -- what people do -----------------------------------------------------------------------

    @initialize()
    def morning(self) -> None:
        """A MiniCluster is created."""

        async def begin() -> None:
            clock = PatientClock(SPEED, time.time())
            staging = staged(Path(self.folder.name), clock=clock)
            self.stage = await self.things.enter_async_context(staging)
            await self.stage.create()

        self.runner.run(begin())

    @rule(words=st.sampled_from((("true",), ("--urgency=0", "true"), ("sleep", "5"))))
    def submit(self, words: tuple[str, ...]) -> None:
        """A job."""
        if not self.alive:
            return
        self.accepted.add(self.live(self.stage.submit(*words)))

    @rule(kind=st.sampled_from(("pause", "resume")))
    def pause_or_resume(self, kind: str) -> None:
        """Must be completed."""
        if not self.alive:
            return
        self.paused = kind == "pause"
        self.live(self.stage.well(kind))

    @rule(keep_paused=st.booleans(), restore_paused=st.booleans())
    def save(self, keep_paused: bool, restore_paused: bool) -> None:
        """The same."""
        if not self.alive:
            return
        self.paused |= keep_paused
        choices = Choices(keep_paused=keep_paused, restore_paused=restore_paused)
        self.live(self.stage.well("save", choices))

    @rule()
    def save_and_delete(self) -> None:
        """The same."""
        if not self.alive:
            return
        self.live(self.stage.well("delete", Choices(save_first=True)))

    @rule()
    def delete(self) -> None:
        """Refused, unless an archive has everything."""
        if not self.alive:
            return
        self.live(attempt(self.stage, "delete"))

    @rule(size=sizes)
    def migrate(self, size: int) -> None:
        """To another size, under the same name."""
        if not self.alive:
            return
        self.live(self.stage.well("migrate", Choices(size=size)))

    @rule()
    def dump_by_hand_and_disarm(self) -> None:
        """What the tutorial leaves behind is taken away."""
        if not self.alive:
            return

        async def both() -> None:
            await self.stage.flux("dump", "/state/archive.tar.gz")
            await self.stage.well("disarm")

        self.live(both())

    @rule(size=sizes)
    def restore(self, size: int) -> None:
        """The newest archive."""
        if self.alive or not self.good:
            return
        self.live(self._restored(self.stage.do("restore", Choices(size=size))))

    async def _restored(self, work: Coroutine[Any, Any, object]) -> None:
        await work
        await discard(self.stage)
        if self.alive:
            self.paused = not living(self.stage)[NAME].open

    # -- what goes wrong ----------------------------------------------------------------------

    @rule(
        kind=kinds,
        fault=st.sampled_from(FAULTS),
        code=st.sampled_from(CODES),
        point=points,
        size=sizes,
    )
    def broken(self, kind: str, fault: str, code: int, point: int, size: int) -> None:
        """An operation with a fault somewhere."""
        if not self.alive:
            return
        choices = Choices(save_first=kind == "delete", size=size)
        self.live(self._broken(kind, {"kind": fault, "code": code}, point, choices))

    async def _broken(
        self, kind: str, fault: dict[str, object], point: int, choices: Choices
    ) -> None:
        outcome, _ = await broken_at(self.stage, kind, fault, point, choices)
        self._ended(kind, outcome)

    def _ended(self, kind: str, outcome: Outcome | None) -> None:
        done = outcome is not None and outcome.kind is OutcomeKind.COMPLETED
        if kind in ("pause", "resume") and done:
            self.paused = kind == "pause"
        elif kind in ("pause", "resume") and self.alive:
            self.paused = not living(self.stage)[NAME].open  # either is fine: it was not completed

    @rule(fault=st.sampled_from(FAULTS), point=points)
    def broken_restore(self, fault: str, point: int) -> None:
        """The same for a restore."""
        if self.alive or not self.good:
            return
        self.live(self._restored(broken_at(self.stage, "restore", {"kind": fault}, point)))

    @rule(kind=st.sampled_from(("save", "delete", "migrate")), step=st.integers(0, 14))
    def cancelled(self, kind: str, step: int) -> None:
        """Somebody changes their mind."""
        if not self.alive:
            return
        self.live(self._cancelled(kind, step))

    async def _cancelled(self, kind: str, step: int) -> Outcome | None:
        try:
            choices = Choices(save_first=kind == "delete")
            operation = await prepare(
                OperationKind(kind), self.stage.context, await self.stage.ref(), choices
            )
        except FluxstateError:
            return None
        steps: list[str] = []

        def hear(event: StepEvent) -> None:
            if event.step not in steps:
                steps.append(event.step)
            if len(steps) > step:
                operation.cancel()

        return await operation.run(hear)

    @rule()
    def the_lead_is_killed(self) -> None:
        """A moment after the guard has made a checkpoint."""
        if not self.alive:
            return
        self.live(self._kill())

    async def _kill(self) -> None:
        world = await MiniClusterClient.open(self.stage.context, ANY)
        await world.kvs_sync()
        await world.close()
        await self.stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
        await self.stage.restarted()
        self.paused = not living(self.stage)[NAME].open

    @rule(node=st.booleans())
    def the_lead_is_evicted(self, node: bool) -> None:
        """Or its node is gone: the queue is lost with it, and only archives have what it had."""
        if not self.alive:
            return
        self.live(self._evict(node))

    async def _evict(self, node: bool) -> None:
        faults = self.stage.sim.faults
        if node:
            await faults.do("lose-node", seconds=5)
        else:
            pod = lead_pod(self.stage, NAME)
            await faults.do("evict-pod", namespace=NAMESPACE, pod=pod)
        self.accepted &= in_archives(self.stage)
        await self.stage.restarted()
        self.paused = False

    @rule(kind=kinds)
    def the_api_server_restarts(self, kind: str) -> None:
        """As an operation begins."""
        if not self.alive:
            return
        self.live(self._restart(kind))

    async def _restart(self, kind: str) -> None:
        await self.stage.sim.faults.do("restart-api", seconds=0.1)
        outcome = await attempt(self.stage, kind, Choices(save_first=kind == "delete"))
        await self.stage.answers()
        self._ended(kind, outcome)


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_no_job_is_lost(part: int) -> None:
    machine = seed(part)(type(f"Days{part}", (Days,), {}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=DAYS // PARTS,
            stateful_step_count=10,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
