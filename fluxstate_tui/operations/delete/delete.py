"""Delete: only what a verified archive of this very MiniCluster has, or what the user typed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.kube.errors import Conflict, NotFound, OutcomeUnknown
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue.access import view_catalogue
from fluxstate_tui.operations.catalogue.care import NotSoundError, queue_part
from fluxstate_tui.operations.catalogue.copies import keep_copy
from fluxstate_tui.operations.choices import Choices, Running
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.delete import plan as steps
from fluxstate_tui.operations.delete.loss import Loss, loss
from fluxstate_tui.operations.delete.owned import Owned
from fluxstate_tui.operations.delete.plan import Cover
from fluxstate_tui.operations.journal.by_hand import ByHand
from fluxstate_tui.operations.plan import Plan
from fluxstate_tui.operations.queue.running_jobs import duration
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.save.fetch import fetch
from fluxstate_tui.operations.save.save import Saving, paused
from fluxstate_tui.operations.script import Action, RefusedError, Run, Script, Task
from fluxstate_tui.operations.world.alive import is_alive
from fluxstate_tui.operations.world.observation import (
    PAUSED_BY_US,
    Observation,
    describe,
)
from fluxstate_tui.operations.world.observe import observe, unreachable
from fluxstate_tui.operations.world.patience import patiently
from fluxstate_tui.operations.world.read_cluster import read_minicluster
from fluxstate_tui.operations.world.volume_claim import going_claim
from fluxstate_tui.operations.world.world import World, WorldError

GONE_SECONDS = 300.0
DELETE_TRIES = 3


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
    try:
        seen = replace(seen, going_claim=await going_claim(context, seen.minicluster))
        cover, saved = await find_cover(context, world, seen)
        planned = steps.plan(seen, cover, choices)
    except BaseException:
        if world is not None:
            await world.close()
        raise
    deleting = Deleting(context, seen, world, cover, saved)
    tasks = deleting.tasks(planned, choices)
    script = Script(
        tasks,
        success=deleting.success,
        safe="The archives in the catalogue are untouched.",
        close=world.close if world is not None else None,
    )
    return Operation(context, planned, script)


async def find_cover(
    context: OperationContext, world: World | None, seen: Observation
) -> tuple[Cover, tuple[Job, ...]]:
    """The newest fitting archive, read out and compared with the live queue, and its jobs."""
    live = seen.jobs or ()
    nothing = Loss(missing=tuple(live))
    if world is None:
        return Cover(None, nothing, await _what_is_saved(context, seen)), ()
    fitting = steps.candidates(seen.catalogue, seen.minicluster.ref)
    if not fitting:
        why = "No verified archive of this MiniCluster (same uid, taken while idle) is there."
        return Cover(None, nothing, why), ()
    entry = fitting[0]
    try:
        async with fetch(world.files, entry.path, context.state_dir, lambda text: None) as archive:
            pass
    except FluxstateError as error:
        return Cover(None, nothing, f"{entry.id} cannot be verified: {error.message}"), ()
    parts = entry.manifest.parts if entry.manifest else ()
    if archive.findings or all(part.sha256 != archive.sha256 for part in parts):
        return Cover(None, nothing, f"{entry.id} is not what its manifest says."), ()
    saved = tuple(archived.job for archived in archive.jobs)
    return Cover(entry, loss(live, saved)), saved


async def _what_is_saved(context: OperationContext, seen: Observation) -> str:
    """For a MiniCluster whose brokers are dead: what its volume has of it, in one sentence."""
    minicluster = seen.minicluster
    try:
        view = await view_catalogue(context, minicluster, minicluster.ref.name)
    except FluxstateError as error:
        return f"Its catalogue cannot be read either: {error.message}"
    fitting = steps.candidates(view.entries, minicluster.ref)
    if not fitting or fitting[0].manifest is None:
        return "No verified archive of it is in the catalogue."
    newest = fitting[0].manifest
    age = duration(seen.now - newest.created)
    return f"The newest verified archive is {newest.id}, {age} old; what came since is not in it."


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

    def tasks(self, plan: Plan, choices: Choices) -> list[Task]:
        """One task per step of the plan, those of the save first."""
        actions = self.actions()
        if choices.save_first and self._world is not None:
            saving = Saving(self._context, self._world, paused(choices), settle_pause=False)
            leaves = choices.running is Running.LEAVE
            self._agreed = frozenset(job.id for job in self._running if leaves)
            self._saving = saving
            actions |= saving.actions()
        return [Task(step, actions[step.id], alone=step is not steps.GONE) for step in plan.steps]

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
        world, by_hand = self._world, f"Run: fluxstate-tui resume {self._ref.name}"
        queues = await world.queues()
        started = [queue.name for queue in queues if queue.started]
        enabled = [queue.name for queue in queues if queue.enabled]
        run.remember("started", started)
        run.remember("enabled", enabled)

        async def put_back() -> str:
            if enabled:
                await world.enable_queues(enabled)
            if started:
                await world.start_queues(started)
                return await world.read_back_queues(started, started_now=True)
            return "submission is enabled"

        run.undo("the queue is started and accepts jobs again", put_back, by_hand)
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
            copied = await keep_copy(self._context, self._world.files, entry)
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
        """Delete exactly this object (uid and resourceVersion), in the background."""
        cluster, ref = self._context.cluster, self._ref
        resource = await cluster.minicluster_resource()
        hand = ByHand.of(self._context)
        run.by_hand(hand.delete("minicluster", ref.namespace, ref.name))
        await self._owned.left()  # remember the Jobs while they can be found
        for attempt in range(DELETE_TRIES):
            try:
                item = await read_minicluster(self._context, ref)
                await cluster.delete(
                    resource,
                    ref.name,
                    ref.namespace,
                    uid=ref.uid,
                    resource_version=item.resource_version,
                )
                break
            except Conflict:
                # The operator writes the status now and then; a spec change stops us in compare.
                if attempt == DELETE_TRIES - 1:
                    raise
            except NotFound:
                break
            except OutcomeUnknown:
                run.tell("no answer: looking whether it is deleted")
        else:
            if await is_alive(self._context, ref):
                raise FluxstateError(
                    f"{ref} is not being deleted: no request was answered",
                    safe="It is still there.",
                    advice="A request that is still on its way may delete it: look again.",
                    exit_code=ExitCode.UNKNOWN,
                )
        run.undos.clear()  # there is nothing left to put back
        return f"uid {ref.uid} is being deleted"

    async def gone(self, run: Run) -> str:
        """Until nothing that it owned is left (its pods stay about 32 s)."""
        clock, ref = self._context.clock, self._ref
        look = ("get", "pods,jobs", "-n", ref.namespace, "-l", f"job-name={ref.name}")
        run.by_hand(ByHand.of(self._context).kubectl(*look))
        begin = clock.now()
        while True:
            left = await patiently(clock, self._owned.left)
            still = await self._object_left()
            if not left and not still:
                break
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

    async def _object_left(self) -> bool:
        try:
            await patiently(self._context.clock, lambda: read_minicluster(self._context, self._ref))
        except NotFound:
            return False
        return True


def _changed(path: str) -> RefusedError:
    return RefusedError(
        f"{path} is not any more what it was when it was verified",
        safe="The MiniCluster is not deleted.",
        advice="Save again, then delete.",
    )
