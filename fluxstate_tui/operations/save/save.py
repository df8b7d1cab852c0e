"""Save: pause, wait for running jobs, dump, verify, enter, put the queue back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fluxstate_tui.archive.manifest import CatalogueEntry
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.jobid import f58_ascii
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.choices import Choices, Running
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.plan import Plan
from fluxstate_tui.operations.queue.drain import drain
from fluxstate_tui.operations.queue.pause import stop_queues
from fluxstate_tui.operations.queue.start_again import start_again
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.save import plan as steps
from fluxstate_tui.operations.save.dumping import Saved, Saver
from fluxstate_tui.operations.script import Action, Run, Script, Task, Undo
from fluxstate_tui.operations.world.observation import PAUSED_BY_US
from fluxstate_tui.operations.world.observe import observe
from fluxstate_tui.operations.world.world import World

SAFE = "No archive that was there is changed or removed by a save."


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Read the world and plan. Raises FluxstateError when it cannot be saved, and why."""
    world = await World.open(context, ref)
    try:
        seen = await observe(world)
        planned = steps.plan(seen, choices)
    except BaseException:
        await world.close()
        raise
    saving = Saving(context, world, choices, seen.running)
    script = Script(saving.tasks(planned), saving.success, safe=SAFE, close=world.close)
    return Operation(context, planned, script)


class Saving:
    """The steps of one save. `saved` is set once the archive was verified and has its name.

    `running` are the jobs that ran when the user was asked: no other one is cancelled.
    With `settle_pause` False the promise to start the queue again outlives the save: the delete
    that follows may still be refused. With `closed` a restore of it refuses new jobs for that
    reason until it is resumed.
    """

    def __init__(
        self,
        context: OperationContext,
        world: World,
        choices: Choices,
        running: Iterable[Job],
        *,
        settle_pause: bool = True,
        closed: str = "",
    ) -> None:
        self._settle_pause = settle_pause
        self._context = context
        self._world = world
        self._choices = choices
        self._agreed = tuple(job.id for job in running)
        paused = choices.restore_paused
        self._saver = Saver(context, world, restore_paused=paused, closed=closed)
        self._started: list[str] = []
        self._wanted: list[str] = []
        self._undo: Undo | None = None
        self._idle = False

    @property
    def saved(self) -> Saved:
        """What lies in the catalogue now."""
        return self._saver.saved

    @property
    def entry(self) -> CatalogueEntry | None:
        """The same as the catalogue reads back, once its manifest is written."""
        return self._saver.entry

    @property
    def started(self) -> tuple[str, ...]:
        """Names of the queues that were started when it began."""
        return tuple(self._started)

    def tasks(self, plan: Plan) -> list[Task]:
        """One task per step of the plan."""
        actions = self.actions()
        return [
            Task(step, actions[step.id], required=step.id != steps.RESUME.id) for step in plan.steps
        ]

    def actions(self) -> dict[str, Action]:
        """What to do at which step."""
        return {
            steps.PAUSE.id: self.pause,
            steps.WAIT.id: self.wait,
            steps.COMMIT.id: self._saver.commit,
            steps.DUMP.id: self.dump,
            steps.VERIFY.id: self._saver.verify,
            steps.ENTER.id: self._saver.enter,
            steps.MANIFEST.id: self.manifest,
            steps.RESUME.id: self.resume,
        }

    def success(self) -> str:
        """The sentence of the completed outcome."""
        saved = self.saved
        size = f"{saved.size:,} bytes, verified {saved.level}"
        return f"saved {saved.words} as {saved.id} ({size}, read back from {saved.mount})"

    async def pause(self, run: Run) -> str:
        """Stop the queues, and promise to start them again if this does not end well."""
        queues = await self._world.queues()
        self._started = [queue.name for queue in queues if queue.started]
        # Named queues come up stopped after a restore: these it starts again. One that a pause
        # stopped counts as started, as the anonymous queue does, which a restore starts anyway.
        self._wanted = [
            queue.name
            for queue in queues
            if queue.started or queue.stop_reason.startswith(PAUSED_BY_US)
        ]
        text, self._undo = await stop_queues(run, self._world, self._started, self._context.who)
        return text

    async def wait(self, run: Run) -> str:
        """Until no job runs, or as was chosen."""
        if self._choices.running is Running.CANCEL and self._agreed:
            run.by_hand(self._world.flux_line("cancel", *map(f58_ascii, self._agreed)))
        if self._choices.running is not Running.LEAVE:
            run.by_hand(self._world.flux_line("queue", "idle"))
        self._idle = await drain(self._world, self._choices, self._agreed, run.tell)
        return "no job runs" if self._idle else "jobs still run: they come back FAILED"

    async def dump(self, run: Run) -> str:
        """Dump to a temporary name."""
        return await self._saver.dump(run, idle=self._idle)

    async def manifest(self, run: Run) -> str:
        """Write the manifest; from here on the archive is complete and the pause may stay."""
        text = await self._saver.manifest(run, self._wanted)
        stays = self._choices.keep_paused and self._settle_pause
        if stays and self._undo is not None:
            run.settled(self._undo)
        return text

    async def resume(self, run: Run) -> str:
        """Put the queues back to what they were."""
        if self._started:
            run.by_hand(*self._world.queue_lines("start", self._started))
        text = await start_again(self._world, self._started)
        if self._undo is not None:
            run.settled(self._undo)
        return text


def paused(choices: Choices) -> Choices:
    """The same choices for a save whose queue must stay paused, as before a delete."""
    return replace(choices, keep_paused=True)
