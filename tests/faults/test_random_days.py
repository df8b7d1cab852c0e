"""Random sequences of what people do and what goes wrong, against a model of what must be there."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.operations.choices import Choices
from fluxstate_tui.operations.plan import OutcomeKind
from fluxstate_tui.operations.world import World
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage, attempt, broken_at, staged

FAULTS = ("drop", "lost-answer", "exec-cut", "exec-no-status")
ROUNDS = 300 if os.environ.get("FLUXSTATE_ALL_FAULTS") else 4

actions = st.one_of(
    st.just(("submit",)),
    st.just(("submit",)),
    st.just(("pause",)),
    st.just(("resume",)),
    st.just(("save",)),
    st.just(("delete",)),
    st.tuples(st.just("restore"), st.integers(min_value=1, max_value=3)),
    st.just(("kill",)),
    st.tuples(
        st.sampled_from(("broken save", "broken delete", "broken restore")),
        st.sampled_from(FAULTS),
        st.integers(min_value=0, max_value=40),
    ),
)


@dataclass
class Day:
    """The model: ids of all jobs that Flux accepted, and whether the queue was left paused."""

    stage: Stage
    accepted: set[int] = field(default_factory=set)
    paused: bool = False
    good: dict[str, str] = field(default_factory=dict)

    async def alive(self) -> bool:
        try:
            await self.stage.ref()
        except NotFound:
            return False
        return True

    async def act(self, action: tuple[object, ...]) -> None:
        """One thing that happens; what cannot happen now is left out."""
        word = str(action[0])
        alive = await self.alive()
        if word.endswith("restore"):
            if not alive and self.good:
                await self._restore(word, action)
        elif alive:
            await self._on_living(word, action)
        await self.check()

    async def _restore(self, word: str, action: tuple[object, ...]) -> None:
        if word == "restore":
            assert isinstance(action[1], int)
            await self.stage.do("restore", Choices(size=action[1]))
        else:
            assert isinstance(action[2], int)
            await broken_at(self.stage, "restore", {"kind": action[1]}, action[2])
        if await self.alive():
            await self.stage.up()
            self.paused = False

    async def _on_living(self, word: str, action: tuple[object, ...]) -> None:
        stage = self.stage
        if word == "submit":
            self.accepted.add(await stage.submit("true"))
        elif word in ("pause", "resume"):
            outcome = await stage.do(word)
            assert outcome.kind is OutcomeKind.COMPLETED, outcome
            self.paused = word == "pause"
        elif word in ("save", "delete"):
            await attempt(stage, word, Choices(save_first=word == "delete"))
        elif word == "kill":
            await self._kill()
        else:
            assert isinstance(action[2], int)
            kind = word.split()[1]
            choices = Choices(save_first=kind == "delete")
            await broken_at(stage, kind, {"kind": action[1]}, action[2], choices)

    async def _kill(self) -> None:
        """The lead's container dies, a moment after the guard has made a checkpoint."""
        world = await World.open(self.stage.context, ANY)
        await world.kvs_sync()
        await world.close()
        await self.stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
        await self.stage.restarted()
        self.paused = not await self.stage.started()

    async def check(self) -> None:
        """No job is lost, no good archive changes, no queue stays stopped, nothing stays armed."""
        stage = self.stage
        now = stage.finished()
        assert self.good.items() <= now.items(), "an archive was changed or removed"
        self.good = now
        assert not stage.armed()
        assert stage.unfinished() == []
        if await self.alive():
            there = set(await stage.jobs())
            assert await stage.started() is not self.paused
        else:
            there = max(stage.archived(), key=len, default=set())
        assert self.accepted <= there, "a job is lost"


@settings(
    max_examples=ROUNDS,
    deadline=None,
    derandomize=ROUNDS == 4,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(actions, min_size=6, max_size=14))
def test_whatever_happens_no_job_is_lost(days: list[tuple[object, ...]]) -> None:
    async def live() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with staged(Path(folder)) as stage:
                await stage.create()
                day = Day(stage)
                for action in days:
                    await day.act(action)

    asyncio.run(live())
