"""The steps of one migration: made of a save, a delete and a restore, in the order that is safe.

Beside a living one: save, close the old queue, create the new one with its queue stopped, account,
delete the old one, start the new queue. So no job can run on both sides, and until the delete
everything can be put back. Under the same name the old one has to go first; the verified archive
then holds every job, was seen from the new one's volume before, and brings the old one back when
the new one does not get as far as the account. A copy of it is on this computer by then: for that
while the archive is the only place where the jobs are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from fluxstate_tui.archive.manifest import folder_of
from fluxstate_tui.broker.client import MiniClusterClient, MiniClusterUnreachableError
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.objects import is_alive, read_by_name
from fluxstate_tui.broker.retry import retry, too_late_to_stop, uninterrupted
from fluxstate_tui.broker.rpc import CHECKPOINT_KEY, SYNC_KEY
from fluxstate_tui.broker.shell_commands import option, own_line
from fluxstate_tui.catalog.adopt import Adoption
from fluxstate_tui.catalog.catalog import Version, read_catalog
from fluxstate_tui.catalog.helper_pod import HelperPod
from fluxstate_tui.catalog.local_archive import bring_in, damaged, entry_for, read_local
from fluxstate_tui.catalog.signed import signing
from fluxstate_tui.catalog.transfer import bring, fetch, has
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.queue import restores_stopped
from fluxstate_tui.formatting import plural
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.kube.manifest import for_create
from fluxstate_tui.minicluster.minicluster import MiniCluster
from fluxstate_tui.operations import delete as delete_plan
from fluxstate_tui.operations.base import Choices, OperationKind, Plan
from fluxstate_tui.operations.data_loss import BackupCoverage, DataLoss, loss
from fluxstate_tui.operations.delete import Deleting, Owned
from fluxstate_tui.operations.lease import ClusterLease
from fluxstate_tui.operations.migrate import plan as migrate_plan
from fluxstate_tui.operations.migrate.plan import TOKEN, Target, pods
from fluxstate_tui.operations.queue_control import forget_pause
from fluxstate_tui.operations.restore import plan as restore_plan
from fluxstate_tui.operations.restore.plan import Source, preview_restore, require_sound
from fluxstate_tui.operations.restore.steps import Restoring
from fluxstate_tui.operations.saving import ArchiveDumper, Saved, Saving
from fluxstate_tui.operations.snapshot import (
    PAUSED_BY_US,
    Snapshot,
    closed_by_us,
    describe,
    queue_words,
)
from fluxstate_tui.operations.steps import Action, RefusedError, Run, Script, Task, Undo

# Undo of a migration: the MiniCluster that it created goes, and only that one.

GONE_SECONDS = 180.0


async def remove_target(context: OperationContext, target: Target) -> str:
    """Delete it if it is the one that carries this migration's token; wait until it is gone."""
    clock = context.clock
    found = await retry(clock, lambda: read_by_name(context, target.ref))
    if found is None or not is_ours(found, target):
        return "it is not there"
    owned = Owned(context.cluster, found.ref)
    await retry(clock, owned.left)
    resource = await context.cluster.minicluster_resource()
    with contextlib.suppress(NotFound):
        await context.cluster.delete(
            resource, found.ref.name, found.ref.namespace, uid=found.ref.uid
        )
    begin = clock.now()
    while True:
        left = await retry(clock, owned.left)
        if not left and not await is_alive(context, found.ref):
            return "it is gone"
        if clock.now() - begin > GONE_SECONDS:
            raise FluxstateError(f"{target.ref} is still there after {GONE_SECONDS:.0f} s")
        await clock.sleep(1.0)


def is_ours(found: MiniCluster, target: Target) -> bool:
    """Whether this very migration created it."""

    def token(raw: dict[str, object]) -> object:
        metadata = raw["metadata"]
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        return (annotations or {}).get(TOKEN)

    return token(found.raw) == token(target.manifest)


# The queue of a MiniCluster that a migration creates: closed until it is the only one.
#
# It comes up stopped and refusing jobs, as its archive says. Should a flux-core not heed that, it
# is closed as soon as it answers; what it has by then that the old one has not is never thrown
# away.


async def close_queues(client: MiniClusterClient, why: str) -> str:
    """Stop and disable what came up started or enabled; '' when nothing did."""
    queues = await client.queues()
    started = [queue.name for queue in queues if queue.started]
    enabled = [queue.name for queue in queues if queue.enabled]
    if enabled:
        await client.disable_queues(enabled, why)
    if not restores_stopped(client.core_version, queues):
        started = [queue.name for queue in queues]  # whatever it says of them
    if not started:
        return ""
    await client.stop_queues(started, why)
    await client.read_back_queues(started, started_now=False)
    return f"{queue_words(started)} came up started and is stopped now: jobs may have begun there"


async def open_queues(client: MiniClusterClient, started: Sequence[str]) -> str:
    """Start these, let all accept jobs that only we had closed, and keep it so over a restart."""
    closed = [queue.name for queue in await client.queues() if closed_by_us(queue)]
    if closed:
        await client.enable_queues(closed)
    text = "was stopped before, stays stopped"
    if started:
        await client.start_queues(list(started))
        text = await client.read_back_queues(started, started_now=True)
    await forget_pause(client)
    await client.kvs_sync()
    return text


async def keep_what_is_new(
    context: OperationContext, target: Target, jobs: Sequence[Job], run: Run, *, was_open: bool
) -> str:
    """Save the new MiniCluster before it is removed, if it has more than `jobs`, the archive's.

    Returns what was saved, '' if there was nothing. Raises FluxstateError when it cannot be saved,
    or cannot be asked and `was_open` to jobs: then it must not be removed.
    """
    found = await retry(context.clock, lambda: read_by_name(context, target.ref))
    if found is None or not is_ours(found, target):
        return ""
    try:
        client = await MiniClusterClient.open(context, found.ref)
    except MiniClusterUnreachableError:
        if was_open:
            raise
        return ""  # its brokers never ran, or died: it has what its archive has
    try:
        await close_queues(client, f"{PAUSED_BY_US} migration undone by {context.who}")
        live = await client.jobs()
        new = loss(live, jobs)
        if new.nothing:
            return ""
        running = [job for job in live if job.state.running]
        if running:
            raise FluxstateError(f"{len(running)} jobs run on {target} now: it is kept as it is")
        saved = await _save(ArchiveDumper(context, client, restore_paused=True), run)
    finally:
        await client.close()
    again = f", and run again here: {describe(new.again)}" if new.again else ""
    return f"what was new there is saved as {saved.id}{again}"


async def _save(saver: ArchiveDumper, run: Run) -> Saved:
    mine = Run(run.journal)
    try:
        await saver.commit(mine)
        await saver.dump(mine, idle=True)
        await saver.verify(mine)
        await saver.enter(mine)
        await saver.manifest(mine, [])
    except BaseException as error:
        await mine.roll_back(error)
        raise
    return saver.saved


# Undo of a migration under the same name: the old MiniCluster again, from its archive.


async def bring_back(
    context: OperationContext,
    old: MiniCluster,
    source: Source,
    started: Sequence[str],
    run: Run,
    timeout: float,
    copy: Path | None,
) -> str:
    """Create it as it was, account for every job, and start the queues that were started.

    `copy` is the same archive on this computer: it is taken when the one on the volume is gone or
    has gone bad meanwhile. Raises FluxstateError when that fails; nothing stays armed then.
    """
    manifest = for_create(old.raw)
    helper = await HelperPod.start(context, manifest)
    mine = Run(run.journal)
    try:
        source = await _whole(context, helper, source, old, copy)
    except BaseException:
        await helper.remove()
        raise
    again = Restoring(context, helper, source, manifest, timeout)
    try:
        for action in (again.check, again.arm, again.create, again.start):
            await action(mine)
        said = await again.account(mine)
        await again.checkpoint(mine)
        await again.disarm(mine)
        await open_queues(again.client, started)
        return said
    except BaseException as error:
        await mine.roll_back(error)
        raise
    finally:
        await again.close()


async def _whole(
    context: OperationContext,
    helper: HelperPod,
    source: Source,
    old: MiniCluster,
    copy: Path | None,
) -> Source:
    """The archive on the volume if it still is what it was, else the copy, brought there anew.

    Without a copy there is only the one on the volume.
    """
    archive, path = source.archive, source.entry.path
    if copy is None or await has(helper.files, Version(path, archive.size, archive.sha256), path):
        return source
    folder = folder_of(old.archive_path)
    local, entries = await read_local(copy), await read_catalog(helper.files, folder)
    now, ref = context.clock.now(), old.ref
    key = (await signing(context, ref.namespace)).key
    spoilt = await damaged(helper.files, local, entries)
    going = entry_for(local, folder, entries, ref.name, now, spoilt)
    adoption = Adoption(ref.name, ref.namespace, context.who, now, old.raw, key=key)
    entry = await bring_in(helper.files, local, going, adoption, lambda text: None)
    return Source(entry, archive)


class Migrating:
    """`source` is where the old one lives, `destination` where the new one is going to."""

    def __init__(
        self,
        source: OperationContext,
        destination: OperationContext,
        client: MiniClusterClient,
        seen: Snapshot,
        target: Target,
        choices: Choices,
    ) -> None:
        self._source, self._destination = source, destination
        self._client, self._seen, self._target = client, seen, target
        self._timeout = choices.start_timeout
        saving = migrate_plan.saving_choices(choices)
        why = f"migrating to {target} by {source.who}"
        closed = f"{PAUSED_BY_US} {why}"
        self._saving = Saving(
            source, client, saving, seen.running, settle_pause=False, closed=closed
        )
        nothing = BackupCoverage(None, DataLoss())
        self._deleting = Deleting(
            context=source,
            seen=seen,
            client=client,
            coverage=nothing,
            saved=(),
            saving=self._saving,
            why=why,
        )
        self._lease = ClusterLease(destination, target.ref, OperationKind.MIGRATE)
        self._agreed = frozenset(job.id for job in migrate_plan.too_wide(seen, target))
        self._restoring: Restoring | None = None
        self._found: Source | None = None
        self._open: Undo | None = None
        self._back: Undo | None = None
        self._run: Run | None = None
        self._was_open = False
        self._why = closed
        self.script = Script(
            [],
            self.success,
            safe="The old MiniCluster is not deleted before every job is safe elsewhere.",
            close=self.close,
        )

    def add_tasks(self, plan: Plan) -> None:
        """One task per step of the plan."""
        actions: dict[str, Action] = {
            **self._saving.actions(),
            **self._deleting.actions(),
            migrate_plan.REACH.id: self.reach,
            restore_plan.CHECK.id: lambda run: self._arriving.check(run),
            restore_plan.ARM.id: lambda run: self._arriving.arm(run),
            restore_plan.CREATE.id: self.create,
            restore_plan.START.id: self.start,
            restore_plan.ACCOUNT.id: self.account,
            restore_plan.DISARM.id: lambda run: self._arriving.disarm(run),
            restore_plan.CHECKPOINT.id: lambda run: self._arriving.checkpoint(run),
            migrate_plan.AGREE.id: self.agree,
            delete_plan.DELETE.id: self.delete,
            migrate_plan.OPEN.id: self.open,
        }
        if self._target.beside:
            actions[delete_plan.GONE.id] = self.gone
        gone = plan.steps.index(delete_plan.DELETE)  # from there on there is only one way
        self.script.tasks += [
            Task(step, actions[step.id], alone=number <= gone)
            for number, step in enumerate(plan.steps)
        ]

    @property
    def _arriving(self) -> Restoring:
        if self._restoring is None:
            raise FluxstateError("the archive was not reached")
        return self._restoring

    def success(self) -> str:
        """The sentence of the completed outcome."""
        state = "started" if self._saving.started else "stopped, as it was"
        return (
            f"{self._seen.minicluster.ref} is now {self._target} with {pods(self._target.size)}: "
            f"{self._saving.saved.words}; its queue is {state}"
        )

    async def close(self) -> None:
        """Give back the sessions, the helper pod and the lock of the new name."""
        try:
            if self._restoring is not None:
                await self._restoring.close()
        finally:
            await self._lease.release()
            await self._client.close()

    async def reach(self, run: Run) -> str:
        """See the archive as the new one will: on its volume, sound, and with room for the jobs."""
        if self._target.beside:
            await self._lease.acquire()
            self._lease.keep(run.problem)
            if self._lease.note:
                run.tell(self._lease.note)
        run.remember("open", list(self._saving.started))
        run.remember("to", [self._target.ref.namespace, self._target.ref.name])
        run.remember("to_server", self._destination.cluster.server)
        run.remember("to_context", self._destination.cluster.context)
        helper = await HelperPod.start(self._destination, self._target.manifest, fresh=True)
        try:
            saved, folder = self._saving.saved, folder_of(self._target.archive_path)
            version = Version(saved.path, saved.size, saved.sha256)
            entry = await bring(self._client.files, helper.files, version, folder, run.tell)
            state_dir = self._destination.state_dir
            async with fetch(helper.files, entry.path, state_dir, run.tell) as archive:
                self._found = found = Source(entry, archive)
                require_sound(found)
                before = preview_restore(archive, self._seen.minicluster.raw)
                after = preview_restore(archive, self._target.manifest)
        except BaseException:
            await helper.remove()
            raise
        manifest = self._target.manifest
        self._restoring = Restoring(self._destination, helper, found, manifest, self._timeout)
        refused = migrate_plan.newly_refused(before, after)
        self._require_agreed(refused)
        if refused and self._target.beside:
            # The scheduler refuses them only when the new queue is started, after the account.
            run.problem(
                f"{plural(len(refused), 'job')} never fit there and end as FAILED, as agreed",
                "The archive still has them pending.",
            )
        return f"{entry.path}: sha256 {archive.sha256[:12]}, every job fits as agreed"

    def _require_agreed(self, refused: frozenset[int]) -> None:
        more = refused - self._agreed
        if more:
            raise RefusedError(
                f"{len(more)} jobs would come back FAILED on the new one, which was not agreed to",
                safe="The old one still has them.",
                advice="Choose a larger size.",
            )

    async def create(self, run: Run) -> str:
        """Create it; beside a living one it is removed again when this does not end well."""
        self._run = run
        if self._target.beside:
            run.undo(
                f"the new MiniCluster {self._target.ref} is removed",
                self._take_back,
                f"Look whether {self._target} is there: delete it unless the old one is gone.",
            )
        text, cancelled = await uninterrupted(self._arriving.create(run))
        if cancelled:
            raise asyncio.CancelledError
        return text

    async def start(self, run: Run) -> str:
        """Until its broker runs; beside a living one its queue must be stopped by then."""
        text = await self._arriving.start(run)
        opened = await close_queues(self._arriving.client, self._why)
        self._was_open = bool(opened)
        return f"{text}; {opened}" if opened else text

    async def account(self, run: Run) -> str:
        """No job lost, and none refused beyond what was agreed to."""
        text = await self._arriving.account(run)
        if self._target.beside:
            before = {job.id for job in self._saving.saved.jobs if job.result is not None}
            refused = frozenset(one.job.id for one in self._arriving.refused)
            self._require_agreed(refused - before)
        elif self._back is not None:
            run.discard(self._back)
            self._promise_to_open(run)
            self.script.too_late = True
        return text

    async def agree(self, run: Run) -> str:
        """Directly before the delete: the old queue did not change, and the new one has it all."""
        text = await self._deleting.compare(run)
        await self._arriving.account(run)
        await self._lease.require()
        return f"{text}; all of it is in the new one"

    async def delete(self, run: Run) -> str:
        """The point of no return: once it is under way, it is too late to stop."""
        return await too_late_to_stop(self._delete(run))

    async def _delete(self, run: Run) -> str:
        before = list(run.undos)
        text = await self._deleting.delete_now(run)
        try:
            if await is_alive(self._source, self._seen.minicluster.ref):
                raise FluxstateError("the old one is still there", exit_code=ExitCode.UNKNOWN)
        except FluxstateError:
            run.undos[:] = before  # each of them looks first whether the old one is there
            raise
        saved = self._saving.saved.id
        if self._target.beside:
            self.script.safe = f"{self._target} has every job, and so has the archive {saved}."
            self._promise_to_open(run)
            self.script.too_late = True
        else:
            ref = self._target.ref
            archive = option("--archive", saved)
            shell_commands = own_line("restore", ref.name, "-n", ref.namespace, *archive)
            self.script.safe = f"The archive {saved} has every job."
            self._back = run.undo(
                f"{ref} is restored as it was",
                lambda: self._bring_back(run),
                f"Run: {shell_commands}; then resume it.",
            )
        return text

    async def gone(self, run: Run) -> str:
        """Watch the old one go, which it does by itself: a cancel ends the watching only."""
        self.script.too_late = False
        task = asyncio.current_task()
        try:
            return await self._deleting.gone(run)
        except asyncio.CancelledError:
            if task is not None:
                task.uncancel()
            return "not waited for any longer: what is left of it goes by itself"
        finally:
            self.script.too_late = True

    async def _bring_back(self, run: Run) -> str:
        if self._found is None:
            raise FluxstateError("the archive was not reached")
        await self._arriving.close()  # its helper pod may hold the volume
        await remove_target(self._destination, self._target)
        return await bring_back(
            self._source,
            self._seen.minicluster,
            self._found,
            self._saving.started,
            run,
            self._timeout,
            self._deleting.copy,
        )

    async def open(self, run: Run) -> str:
        """Start the queues that were started; those that were stopped stay so."""
        text = await self._open_queue()
        if self._open is not None:
            run.discard(self._open)
        return text

    def _promise_to_open(self, run: Run) -> None:
        """Whatever happens from here on, the queue of the new one does not stay closed."""
        ref, place = self._target.ref, self._target.place
        there = option("--context", place)
        self._open = run.undo(
            f"the queue of {ref} is put back as it was",
            self._open_queue,
            f"Run: {own_line('resume', ref.name, '-n', ref.namespace, *there)}",
        )

    async def _open_queue(self) -> str:
        client = self._arriving.client
        missing = set(self._saving.started) - {queue.name for queue in await client.queues()}
        if missing:
            raise FluxstateError(f"it has no {queue_words(sorted(missing))}")
        if self._run is not None:
            names = self._saving.started
            self._run.shell_commands(
                *client.queue_lines("enable", ()),
                client.flux_line("kvs", "unlink", "-f", CHECKPOINT_KEY),
                *(client.queue_lines("start", names) if names else ()),
                client.flux_line("kvs", "put", "--sync", f"{SYNC_KEY}=1"),
            )
        return await open_queues(client, self._saving.started)

    async def _take_back(self) -> str:
        """Remove the new one, but never when the old one is going or gone."""
        if not await is_alive(self._source, self._seen.minicluster.ref):
            return f"kept, as the old one is gone; {await self._open_queue()}"
        kept = await self._keep_what_is_new()
        gone = await remove_target(self._destination, self._target)
        return f"{kept}; {gone}" if kept else gone

    async def _keep_what_is_new(self) -> str:
        """Save what the new one has and the old one has not, before it goes."""
        if self._restoring is None or self._run is None:
            return ""
        jobs = self._saving.saved.jobs
        return await keep_what_is_new(
            self._destination, self._target, jobs, self._run, was_open=self._was_open
        )
