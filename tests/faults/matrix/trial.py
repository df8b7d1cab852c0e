"""One run of one operation with one fault at one point, and what is known about it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from fluxstate_tui.broker import manifest_cache
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.operations.base import Outcome, OutcomeKind
from fluxstate_tui.sim.faults import Faults
from tests.faults.stage import ANY, NAMESPACE, Stage

from .actor import Actor
from .attic import Attic
from .look import in_archives, jobs_now, living
from .scenarios import Scenario

# Long enough for a request to have its effect, in real seconds.
EFFECT_SECONDS = 0.3


@dataclass(slots=True)
class Trial:
    """`required` are jobs that must be in a queue or a sound archive at the end.

    `live` are those of them that were in a queue at the beginning; `refusal` is why prepare()
    said no; `damaged` are archives that the fault changed. `may_litter`: the fault keeps the
    program from tidying up; `changed_since`: from doing what it said for long.
    """

    stage: Stage
    scenario: Scenario
    attic: Attic
    me: Actor = field(init=False)
    required: set[int] = field(default_factory=set)
    live: set[int] = field(default_factory=set)
    good: dict[str, str] = field(default_factory=dict)
    was_open: dict[str, bool] = field(default_factory=dict)
    was_armed: bool = False
    damaged: set[str] = field(default_factory=set)
    outcome: Outcome | None = None
    refusal: FluxstateError | None = None
    rivals: list[Outcome] = field(default_factory=list)
    process: BaseProcess | None = None
    killed: bool = False
    may_litter: bool = False
    changed_since: bool = False
    taken_up: bool = False
    things: AsyncExitStack = field(default_factory=AsyncExitStack)
    gave_up: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def faults(self) -> Faults:
        """Of the simulated cluster."""
        return self.stage.sim.faults

    @property
    def folder(self) -> Path:
        """Where the kubeconfig and the state directories are."""
        return self.stage.context.state_dir.parent

    @property
    def completed(self) -> bool:
        """Whether it says so."""
        return self.outcome is not None and self.outcome.kind is OutcomeKind.COMPLETED

    @property
    def words(self) -> str:
        """How it ended."""
        if self.killed:
            return "killed"
        if self.refusal is not None:
            return f"refused: {self.refusal.message}"
        return f"{self.outcome.kind.value}: {self.outcome.reason}" if self.outcome else "nothing"

    @property
    def wanted(self) -> set[int]:
        """The jobs that its goal is about: those of a queue, or of an archive if none was there."""
        return self.live if self.was_open else self.required

    def begin_again(self) -> None:
        """From here on the program may act once more: what held before the fault is over."""
        if self.gave_up:
            self.live &= jobs_now(self.stage)
        self.taken_up = True
        self.killed = False
        self.outcome = None

    def note_before(self) -> None:
        """What there is before anything is done."""
        stage = self.stage
        self.live = jobs_now(stage)
        self.required = self.live | in_archives(stage)
        self.good = stage.finished()
        self.was_open = {one.name: one.open for one in living(stage).values()}
        self.was_armed = stage.armed()

    async def run(self) -> None:
        """The operation itself."""
        try:
            self.outcome = await self.scenario.run(self.me, self.attic)
        except FluxstateError as error:
            self.refusal = error

    # -- what faults do -----------------------------------------------------------------------

    def give_up(self, left: set[int]) -> None:
        """The fault itself destroys jobs: only `left` can be demanded from here on."""
        self.gave_up = self.changed_since = True
        self.required &= left
        self.live &= left

    def evict(self, pod: str) -> None:
        """The pod is taken down by its node."""
        with suppress(ValueError):  # it is not on the node yet, or not any more
            self.stage.sim.state.kubelet.evict(NAMESPACE, pod)

    async def rival(self) -> None:
        """Somebody else does the same from another computer, to the end."""
        self.changed_since = True
        other = await self.somebody("you@other")
        try:
            self.rivals.append(await self.scenario.run(other, self.attic))
        except FluxstateError as error:
            failed = OutcomeKind.FAILED
            self.rivals.append(Outcome(failed, error.message, exit_code=error.exit_code))
        os.environ["FLUXSTATE_STATE_DIR"] = str(self.me.context.state_dir)

    async def somebody(self, who: str, state: str = "") -> Actor:
        """A fresh start of the program."""
        kubeconfig = self.folder / "kubeconfig"
        clock = self.stage.sim.clock
        opening = await Cluster.open(KubeOptions(kubeconfig=str(kubeconfig)), clock)
        cluster = await self.things.enter_async_context(opening)
        folder = self.folder / (state or who)
        context = OperationContext(cluster, clock, folder, who)
        self._remember(context)
        return Actor(context, kubeconfig)

    def _remember(self, context: OperationContext) -> None:
        """Everybody has seen the MiniCluster once."""
        server = context.cluster.server
        if manifest_cache.recall(context.state_dir, server, ANY.namespace, ANY.name) is None:
            manifest_cache.remember(context.state_dir, server, ANY, self.attic.raw)

    async def kill(self) -> None:
        """SIGKILL to the program, and wait until it is dead."""
        self.killed = self.may_litter = True
        assert self.process is not None
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)
        while self.process.is_alive():  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    def kill_soon(self) -> None:
        """It stops now, and is killed when what it asked for is done."""
        assert self.process is not None
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGSTOP)

        async def later() -> None:
            await asyncio.sleep(EFFECT_SECONDS)
            await self.kill()

        self._tasks.append(asyncio.create_task(later()))

    async def heal(self) -> None:
        """The fault is over; the cluster may need a moment."""
        await asyncio.gather(*self._tasks)
        self.faults.gate = None
        self.faults.clear()
        self.stage.sim.state.volumes.host_path("/data").capacity = None
        await self.stage.answers()
