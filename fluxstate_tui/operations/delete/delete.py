"""Delete: only what a verified archive of this very MiniCluster has, or what the user typed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.kube.errors import Conflict, NotFound
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue.access import Reach
from fluxstate_tui.operations.catalogue.care import NotSoundError, queue_part
from fluxstate_tui.operations.catalogue.copies import keep_copy
from fluxstate_tui.operations.choices import Choices, Running
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.delete import plan as steps
from fluxstate_tui.operations.delete.cover import find_cover, not_lasting
from fluxstate_tui.operations.delete.loss import loss
from fluxstate_tui.operations.delete.owned import Owned
from fluxstate_tui.operations.delete.plan import Cover
from fluxstate_tui.operations.journal.by_hand import ByHand
from fluxstate_tui.operations.plan import Plan
from fluxstate_tui.operations.queue.start_again import resume_by_hand, start_again
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.save.save import Saving, paused
from fluxstate_tui.operations.script import Action, RefusedError, Run, Script, Task
from fluxstate_tui.operations.world.alive import find, is_alive
from fluxstate_tui.operations.world.observation import (
    PAUSED_BY_US,
    Observation,
    describe,
)
from fluxstate_tui.operations.world.observe import observe, unreachable
from fluxstate_tui.operations.world.patience import BROKEN, patiently
from fluxstate_tui.operations.world.read_cluster import read_minicluster
from fluxstate_tui.operations.world.uninterrupted import too_late_to_stop
from fluxstate_tui.operations.world.volume_claim import going_claim
from fluxstate_tui.operations.world.world import World, WorldError

GONE_SECONDS = 300.0
DELETE_SECONDS = 20.0
SAFE = "The archives in the catalogue are untouched."


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Read the world, find the archive that covers it, and plan.

    Raises FluxstateError when `save_first` was chosen and it cannot be saved.
    """
    world: World | None = None
    try:
        world = await World.open(context, ref)
        seen = await observe(world)
    except WorldError as error:
        if world is not None:
            await world.close()
            world = None
        seen = unreachable(await read_minicluster(context, ref), context.server_now, error)
    except BaseException:
        if world is not None:
            await world.close()
        raise
    reach = Reach(choices.start_helper_pod, dry_run=choices.dry_run)
    try:
        seen = replace(seen, going_claim=await going_claim(context, seen.minicluster))
        if world is not None and choices.save_first:
            _require_lasting(world, seen.minicluster.archive_path)
        cover, saved = await find_cover(context, world, seen, reach)
        planned = steps.plan(seen, cover, choices)
    except BaseException:
        if world is not None:
            await world.close()
        raise
    deleting = Deleting(context, seen, world, cover, saved)
    deleting.add_tasks(planned, choices)
    return Operation(context, planned, deleting.script)


class Deleting:
    """The steps of one delete. `copy` is where the archive lies on this computer, once it does."""

    def __init__(
        self,
        context: OperationContext,
        seen: Observation,
        world: World | None,
        cover: Cover,
        saved: tuple[Job, ...],
        saving: Saving | None = None,
        why: str = "",
    ) -> None:
        self._context = context
        self._world = world
        self._cover = cover
        self._saved = saved
        self._running = seen.running
        self._ref = seen.minicluster.ref
        self._owned = Owned(context.cluster, self._ref)
        self._saving = saving
        self._agreed = cover.loss.ids
        self._lost: tuple[str, ...] = ()
        self.copy: Path | None = None
        self._why = f"{PAUSED_BY_US} {why or f'deleted by {context.who}'}"
        self.script = Script(
            [], self.success, safe=SAFE, close=world.close if world is not None else None
        )

    def add_tasks(self, plan: Plan, choices: Choices) -> None:
        """One task per step of the plan, those of the save first."""
        actions = self.actions()
        if choices.save_first and self._world is not None:
            saving = Saving(
                self._context, self._world, paused(choices), self._running, settle_pause=False
            )
            leaves = choices.running is Running.LEAVE
            self._agreed = frozenset(job.id for job in self._running if leaves)
            self._saving = saving
            actions |= saving.actions()
        self.script.tasks += [
            Task(step, actions[step.id], alone=step is not steps.GONE) for step in plan.steps
        ]

    def actions(self) -> dict[str, Action]:
        """What to do at which step."""
        return {
            steps.CLOSE.id: self.shut,
            steps.COMPARE.id: self.secure,
            steps.DELETE.id: self.delete,
            steps.GONE.id: self.gone,
        }

    def success(self) -> str:
        """The sentence of the completed outcome: what is kept, and what was lost as agreed."""
        lost = self._lost or (() if self._world else ("what no archive has of it is lost",))
        return "; ".join(filter(None, (f"{self._ref} is deleted", self._archive_words(), *lost)))

    def _archive_words(self) -> str:
        if self._saving is not None:
            return f"its queue is saved as {self._saving.saved.id}"
        if self._cover.entry is not None and self._cover.complete:
            return f"its queue is saved as {self._cover.entry.id}"
        return ""

    async def shut(self, run: Run) -> str:
        """From here on the queue cannot change: nothing starts, nothing is submitted."""
        assert self._world is not None
        world = self._world
        queues = await world.queues()
        started = [queue.name for queue in queues if queue.started]
        enabled = [queue.name for queue in queues if queue.enabled]
        run.remember("started", started)
        run.remember("enabled", enabled)

        async def put_back() -> str:
            if enabled:
                await world.enable_queues(enabled)
            accepts = "Job submission is enabled" if enabled else "it refuses jobs, as before"
            return f"{await start_again(world, started)}; {accepts}"

        by_hand = resume_by_hand(self._ref)
        run.undo("the queue is as it was", put_back, by_hand)
        if started:
            run.by_hand(*world.queue_lines("stop", started, self._why))
            await world.stop_queues(started, self._why)
        if enabled:
            run.by_hand(*world.queue_lines("disable", enabled, self._why))
            await world.disable_queues(enabled, self._why)
        queues = await world.queues()  # all of them: others may have opened one meanwhile
        still = [queue.name or "the queue" for queue in queues if queue.started or queue.enabled]
        if still:
            raise FluxstateError(f"still started or enabled: {', '.join(still)}")
        return "no job starts, no new job is accepted"

    async def compare(self, run: Run) -> str:
        """Refuse when more would be lost now than what was agreed to."""
        assert self._world is not None
        saved = self._saving.saved.jobs if self._saving is not None else self._saved
        run.by_hand(self._world.flux_line("jobs", "-a", "-A", "-c0", "--json"))
        live = await self._world.jobs()
        now = loss(live, saved)
        more = now.ids - self._agreed
        if more:
            raise RefusedError(
                f"{len(more)} jobs changed since: " + "; ".join(now.explain()),
                safe="The MiniCluster is not deleted.",
                advice="Save again, then delete.",
            )
        await self._still_sound()
        self._lost = now.explain()
        return f"{describe(live)}; " + ("; ".join(self._lost) or "every job is in the archive")

    async def secure(self, run: Run) -> str:
        """Compare, and copy the archive here: soon nothing else has these jobs."""
        text = await self.compare(run)
        assert self._world is not None
        entry = self._saving.entry if self._saving is not None else self._cover.entry
        if entry is None:
            return text
        try:
            files = self._world.files
            copied = await keep_copy(self._context, files, entry, self._ref, run.tell)
        except NotSoundError:
            raise _changed(entry.path) from None
        self.copy = copied.path
        run.remember("copy", str(copied.path or ""))
        return "; ".join(filter(None, (text, copied.words)))

    async def _still_sound(self) -> None:
        """The archive on which the delete relies, read once more: disks and people change files."""
        assert self._world is not None
        if self._saving is not None:
            path, sha256 = self._saving.saved.path, self._saving.saved.sha256
        elif self._cover.entry is not None and (part := queue_part(self._cover.entry)):
            path, sha256 = self._cover.entry.path, part.sha256
        else:
            return
        try:
            same = (await self._world.files.stat(path)).sha256 == sha256
        except FileNotFoundError:
            same = False
        if not same:
            raise _changed(path)

    async def delete(self, run: Run) -> str:
        """The point of no return: a cancel while it is on its way comes too late."""
        text = await too_late_to_stop(self.delete_now(run))
        self.script.safe = f"{self._ref} is being deleted: that goes on by itself. {SAFE}"
        return text

    async def delete_now(self, run: Run) -> str:
        """Delete exactly this object (uid and resourceVersion), in the background."""
        ref = self._ref
        run.by_hand(ByHand.of(self._context).delete("minicluster", ref.namespace, ref.name))
        await self._owned.left()  # remember the Jobs while they can be found
        try:
            # A conflict: the operator writes the status now and then.
            await patiently(
                self._context.clock,
                lambda: self._request(run),
                trouble=(*BROKEN, Conflict),
                seconds=DELETE_SECONDS,
            )
        except BROKEN as error:
            await self._require_going(error)
        run.undos.clear()  # there is nothing left to put back
        return f"uid {ref.uid} is being deleted"

    async def _request(self, run: Run) -> None:
        """Harmless to repeat. One that is gone was deleted by us, or by somebody else."""
        cluster, ref = self._context.cluster, self._ref
        found = await find(self._context, ref)
        if found is None:
            return
        version = found.resource_version
        try:
            await cluster.delete(
                await cluster.minicluster_resource(),
                ref.name,
                ref.namespace,
                uid=ref.uid,
                resource_version=version,
            )
        except NotFound:
            return
        except BROKEN:
            run.tell("no answer: looking whether it is deleted")
            raise

    async def _require_going(self, error: FluxstateError) -> None:
        """No request was answered: raise FluxstateError (exit 8) unless one was carried out."""
        try:
            going = not await is_alive(self._context, self._ref)
        except FluxstateError:
            raise FluxstateError(
                f"nobody can say whether {self._ref} is being deleted: {error.message}",
                advice="Look again when the API server answers.",
                exit_code=ExitCode.UNKNOWN,
            ) from error
        if not going:
            raise FluxstateError(
                f"{self._ref} is not being deleted: no request was answered",
                safe="It is still there.",
                advice="A request that is still on its way may delete it: look again.",
                exit_code=ExitCode.UNKNOWN,
            ) from error

    async def gone(self, run: Run) -> str:
        """Until nothing that it owned is left (its pods stay about 32 s)."""
        clock, ref = self._context.clock, self._ref
        look = ("get", "pods,jobs", "-n", ref.namespace, "-l", f"job-name={ref.name}")
        run.by_hand(ByHand.of(self._context).kubectl(*look))
        begin = clock.now()
        while True:
            try:
                left = await patiently(clock, self._owned.left)
                if not left and await find(self._context, ref) is None:
                    break
            except BROKEN as error:
                raise FluxstateError(
                    f"nobody can say whether all of it is gone: {error.message}",
                    advice="Look again when the API server answers.",
                    exit_code=ExitCode.UNKNOWN,
                ) from error
            if clock.now() - begin > GONE_SECONDS:
                raise FluxstateError(
                    f"still there after {GONE_SECONDS:.0f} s: {', '.join(left) or self._ref.name}",
                    advice="Look for finalizers or an unreachable node: kubectl describe.",
                    exit_code=ExitCode.UNKNOWN,
                )
            run.tell("waiting for " + (", ".join(left[:4]) or "the MiniCluster"))
            await clock.sleep(1.0)
        blind = (
            f"; may not list {', '.join(sorted(self._owned.blind))}" if self._owned.blind else ""
        )
        return "no pod, Job, ConfigMap or Service of it is left" + blind


def _require_lasting(world: World, path: str) -> None:
    if why := not_lasting(world, path):
        raise FluxstateError(
            why,
            safe="Nothing was done.",
            advice="Migrate it to a MiniCluster whose spec.archive.path is on a volume, or save"
            " and `archives fetch`, then delete it without a save.",
            exit_code=ExitCode.REFUSED,
        )


def _changed(path: str) -> RefusedError:
    return RefusedError(
        f"{path} is not any more what it was when it was verified",
        safe="The MiniCluster is not deleted.",
        advice="Save again, then delete.",
    )
