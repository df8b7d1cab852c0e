"""The steps of a save."""

from __future__ import annotations

import json
import posixpath
import re
import secrets
import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from fluxstate_tui.archive.manifest import (
    DUMPED,
    CatalogEntry,
    Manifest,
    Part,
    archive_name,
    folder_of,
    manifest_name,
    new_id,
    notes,
    to_bytes,
)
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.archive.signature import signed
from fluxstate_tui.broker.client import DumpFailedError, MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.files import RemoteFileError
from fluxstate_tui.broker.retry import BROKEN
from fluxstate_tui.broker.rpc import CHECKPOINT_KEY, SYNC_KEY
from fluxstate_tui.catalog import records
from fluxstate_tui.catalog.catalog import read_catalog
from fluxstate_tui.catalog.contents import contents_of
from fluxstate_tui.catalog.folder import FolderFiles
from fluxstate_tui.catalog.ownership import RESTORED_FROM, Owner, identity_of, not_of_others
from fluxstate_tui.catalog.signed import signing
from fluxstate_tui.catalog.transfer import LEFTOVER_SECONDS, fetch, free_bytes
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.jobid import f58_ascii
from fluxstate_tui.flux.queue import restores_stopped
from fluxstate_tui.flux.running_jobs import duration, expect
from fluxstate_tui.formatting import plural
from fluxstate_tui.operations import journal
from fluxstate_tui.operations.base import (
    Choices,
    Consent,
    ConsentKind,
    OperationKind,
    Plan,
    Running,
    Step,
)
from fluxstate_tui.operations.data_loss import loss
from fluxstate_tui.operations.journal import Record
from fluxstate_tui.operations.queue_control import (
    comes_up_stopped,
    drain,
    paused_checkpoint,
    start_again,
    stop_queues,
)
from fluxstate_tui.operations.snapshot import Snapshot, counts, describe, queue_words, stopped_by_us
from fluxstate_tui.operations.steps import Action, Run, Task, Undo

# From the live queue to a verified archive in the catalog: each step read back.
#
# Order (ARCHITECTURE.md#F101): temporary name in the same folder, verify, flush,
# link to the final name without overwriting, manifest last. A kill at any point leaves either
# nothing visible or a complete archive.

DUMP_TRIES = 3
PART = ".part-"
_LEFTOVER = re.compile(re.escape(PART) + r"[0-9a-f]{12,}(\.\w+)*")


PARTS = "parts"
"""The fact that names the temporary files of a save."""


async def remove_parts(files: FolderFiles, record: Record) -> None:
    """Remove what an unfinished save left under temporary names. Raises FluxstateError."""
    paths = record.facts.get(PARTS)
    for path in paths if isinstance(paths, list) else ():
        if isinstance(path, str) and _LEFTOVER.fullmatch(posixpath.basename(path)):
            await files.remove(path)


class NotVerifiedError(FluxstateError):
    """What was read back is not what was saved."""

    exit_code = ExitCode.VERIFICATION


@dataclass(frozen=True, slots=True)
class Saved:
    """An archive that is in the catalog. `jobs` are those that were read back out of it.

    `mount` is the volume that it was read back from.
    """

    id: str
    path: str
    size: int
    sha256: str
    level: str
    jobs: tuple[Job, ...]
    mount: str = ""

    @property
    def words(self) -> str:
        """Its jobs by state."""
        return describe(self.jobs)


class ArchiveDumper:
    """Dumps one MiniCluster's queue. The steps must be called in the order of the file."""

    def __init__(
        self,
        context: OperationContext,
        client: MiniClusterClient,
        *,
        restore_paused: bool,
        closed: str = "",
    ) -> None:
        """A restore of it comes up as it is now; or paused; or also refusing jobs (`closed`)."""
        self._context = context
        self._client = client
        self._restore_paused = restore_paused
        self._closed = closed
        self._folder = folder_of(client.minicluster.archive_path)
        self._temporary = ""
        self._parts: list[str] = []
        self._undo_temporary: Undo | None = None
        self._idle = False
        self._before: tuple[Job, ...] = ()
        self._archive: Archive | None = None
        self._saved: Saved | None = None
        self._entry: CatalogEntry | None = None

    @property
    def saved(self) -> Saved:
        """The result. Raises FluxstateError before `enter` was done."""
        if self._saved is None:
            raise FluxstateError("nothing was saved")
        return self._saved

    @property
    def entry(self) -> CatalogEntry | None:
        """The same as the catalog reads back, once its manifest is written."""
        return self._entry

    async def commit(self, run: Run) -> str:
        """Flush the KVS, and make `checkpoint.job-manager` say how a restore shall come up.

        A live dump carries along whatever checkpoint an earlier life left (ARCHITECTURE.md#F2).
        """
        client = self._client
        current = await client.kvs_get(CHECKPOINT_KEY)
        text = "no checkpoint: a restore comes up started"
        if self._restore_paused:
            seen = Snapshot(
                client.minicluster,
                client.clock.now(),
                queues=await client.queues(),
                jobs=await client.jobs(),
            )
            run.undo(
                "the checkpoint for a paused restore is removed from the live KVS",
                self._remove_checkpoint,
                f"Run in the pod: flux kvs unlink {CHECKPOINT_KEY}",
            )
            checkpoint = paused_checkpoint(seen, self._closed)
            value = f"{CHECKPOINT_KEY}={json.dumps(checkpoint)}"
            run.shell_commands(client.flux_line("kvs", "put", value))
            await client.kvs_put(CHECKPOINT_KEY, checkpoint)
            text = "checkpoint: a restore comes up paused"
        elif comes_up_stopped(current):
            run.shell_commands(client.flux_line("kvs", "unlink", CHECKPOINT_KEY))
            await client.kvs_unlink(CHECKPOINT_KEY)
            text = "an old checkpoint that says stopped was removed"
        run.shell_commands(client.flux_line("kvs", "put", "--sync", f"{SYNC_KEY}=1"))
        await client.kvs_sync()
        wanted = await client.kvs_get(CHECKPOINT_KEY)
        if comes_up_stopped(wanted) is not self._restore_paused:
            raise NotVerifiedError(f"{CHECKPOINT_KEY} reads back as {wanted!r}")
        return text

    async def dump(self, run: Run, *, idle: bool) -> str:
        """`flux dump` to a temporary name beside the archives; returns its size."""
        self._idle = idle
        run.shell_commands(self._client.file_line("mkdir", "-p", self._folder))
        await self._client.files.mkdir(self._folder)
        await self._tidy()
        error: FluxstateError | None = None
        for _ in range(DUMP_TRIES):
            try:
                return await self._dump_once(run)
            except FluxstateError as problem:
                # A new name each time: a dump that we lost may still be writing to the old one.
                error = problem
                lost = problem.exit_code is ExitCode.UNKNOWN or isinstance(problem, BROKEN)
                if not lost:
                    break
                run.tell(f"{problem.message}; again under another name")
                await self._context.clock.sleep(1.0)
        assert error is not None
        raise error

    async def _tidy(self) -> None:
        """Remove what a killed program left half-written: at once what a journal of this computer
        names, and what was left long ago; nothing else has such names.

        Saves write in the catalog, restores beside `archive.path`.
        """
        files = self._client.files
        for record in journal.unfinished(self._context.state_dir):
            if record.target.uid == self._client.ref.uid:
                await remove_parts(files, record)
        long_ago = await self._client.cluster_now() - LEFTOVER_SECONDS
        for folder in (self._folder, posixpath.dirname(self._client.minicluster.archive_path)):
            for item in await files.list(folder):
                if _LEFTOVER.fullmatch(item.name) and item.mtime < long_ago:
                    await files.remove(posixpath.join(folder, item.name))

    async def _dump_once(self, run: Run) -> str:
        temporary = posixpath.join(self._folder, f"{PART}{secrets.token_hex(6)}.tar.gz")
        files = self._client.files

        async def remove() -> str:
            await self._client.files.remove(temporary)  # its pod may be another one by then
            return "removed"

        self._undo_temporary = run.undo(
            "the unfinished dump is removed", remove, f"Remove {temporary} by hand."
        )
        self._temporary = temporary
        self._parts.append(temporary)
        run.remember(PARTS, self._parts)  # whoever finds this journal unfinished removes them
        self._before = await self._client.jobs()
        run.shell_commands(self._client.flux_line("dump", "-q", temporary))
        try:
            await self._client.dump(temporary)
        except DumpFailedError as error:
            # Flux only says "Write error": on a full volume this says why.
            with suppress(FluxstateError):  # its container may be gone
                free = await free_bytes(files, self._folder)
                error.message += f" ({free:,} bytes are free on the volume)"
            raise
        stat = await files.stat(temporary)
        if stat.size == 0:
            raise NotVerifiedError(
                "flux dump left an empty file", safe="It has no name in the catalog."
            )
        return f"{stat.size:,} bytes"

    async def verify(self, run: Run) -> str:
        """Read the dump out, parse it, and compare every job with the live ones (L2)."""
        for attempt in range(DUMP_TRIES):
            state_dir = self._context.state_dir
            async with fetch(self._client.files, self._temporary, state_dir, run.tell) as archive:
                self._archive = archive
            run.shell_commands(self._client.file_line("sha256sum", self._temporary))
            problem = self._difference(archive)
            if not problem:
                return (
                    f"{describe(_jobs(archive))}; sha256 {archive.sha256[:12]}; "
                    f"all {len(self._before)} live jobs are in it"
                )
            if attempt < DUMP_TRIES - 1:
                # The job manager commits in batches: the last milliseconds may have been missing.
                run.tell(f"{problem}; dumping again")
                await self._client.settle()
                run.correct(DUMP.id, await self._dump_once(run))
        raise NotVerifiedError(
            f"the dump is not what the queue is: {problem}",
            safe="It is not entered into the catalog.",
            advice="Save again; if it repeats, look at the broker's log.",
        )

    def _difference(self, archive: Archive) -> str:
        if archive.findings:
            return str(archive.findings[0])
        queues = archive.queues
        comes_up = queues is None or all(queue.started and queue.enabled for queue in queues)
        if comes_up is self._restore_paused:
            return "it would come up " + ("started" if comes_up else "stopped")
        lost = loss((job for job in self._before if not job.state.running), _jobs(archive))
        if self._idle and (run := sum(job.state.running for job in _jobs(archive))):
            return f"{run} jobs run in it, and none should: did somebody start the queue?"
        there = {job.id for job in _jobs(archive)}
        running = [job for job in self._before if job.state.running and job.id not in there]
        if running:
            return f"{len(running)} of the running jobs are not in it"
        return "; ".join(lost.explain())

    async def enter(self, run: Run) -> str:
        """Give it its final name, never overwriting; read back what lies there."""
        archive, files = self._archive, self._client.files
        assert archive is not None
        taken = {item.name for item in await files.list(self._folder)}
        now = self._context.server_now
        while True:
            identity = new_id(now, self._client.ref.name, taken)
            path = posixpath.join(self._folder, archive_name(identity))
            try:
                await files.link_new(self._temporary, path)
                break
            except FileExistsError:
                taken |= {archive_name(identity), manifest_name(identity)}
        run.remember("archive", path)
        run.shell_commands(
            self._client.file_line("ln", self._temporary, path),
            self._client.file_line("rm", self._temporary),
        )
        stat = await files.stat(path)
        if (stat.size, stat.sha256) != (archive.size, archive.sha256):
            raise NotVerifiedError(f"{path} reads back with another checksum")
        await files.remove(self._temporary)
        if self._undo_temporary is not None:
            run.discard(self._undo_temporary)
        mount = files.mount_of(path)
        self._saved = Saved(
            id=identity,
            path=path,
            size=archive.size,
            sha256=archive.sha256,
            level="L2",
            jobs=tuple(_jobs(archive)),
            mount=str(mount or "the container's own file system, which dies with it"),
        )
        return path

    async def manifest(self, run: Run, started: list[str]) -> str:
        """Write the manifest last, and read the catalog back with it."""
        saved, client = self.saved, self._client
        key = await signing(self._context, client.ref.namespace)
        manifest = signed(self._manifest(saved, started), key.key)
        path = posixpath.join(self._folder, manifest_name(saved.id))
        place = (client.ref.name, saved.path, "-n", client.ref.namespace)
        adopt = shlex.join(["fluxstate-tui", "archives", "adopt", *place])
        run.shell_commands(adopt)
        try:
            await client.files.write_new(path, to_bytes(manifest))
        except RemoteFileError as error:
            raise FluxstateError(
                f"{saved.id} has no manifest: {error.message}",
                safe=f"The archive itself is complete and was verified: {saved.path}.",
                advice=f"Make room on the volume, then: {adopt}",
                exit_code=error.exit_code,
            ) from error
        entries = await read_catalog(client.files, self._folder)
        mine = next((entry for entry in entries if entry.id == saved.id), None)
        self._entry = mine
        if mine is None or mine.problem or mine.manifest != manifest:
            problem = mine.problem if mine else "it is not listed"
            raise NotVerifiedError(
                f"the catalog does not read back: {problem or 'another manifest'}"
            )
        self._record(manifest)
        if self._restore_paused:
            run.shell_commands(client.flux_line("kvs", "unlink", CHECKPOINT_KEY))
            # Otherwise a restart of this container would come up paused as well.
            await self._remove_checkpoint()
            for undo in list(run.undos):
                if undo.action == self._remove_checkpoint:
                    run.discard(undo)
        how = f"; {key.says}" if key.says else ""
        return f"{saved.id}: {saved.words}, verified {saved.level}{how}"

    def _manifest(self, saved: Saved, started: list[str]) -> Manifest:
        client = self._client
        name = posixpath.basename(saved.path)
        archive = self._archive
        assert archive is not None
        annotations = client.minicluster.raw["metadata"].get("annotations") or {}
        before = annotations.get(RESTORED_FROM, "")
        return Manifest(
            id=saved.id,
            minicluster=client.ref.name,
            namespace=client.ref.namespace,
            uid=client.ref.uid,
            size=client.minicluster.size,
            created=self._context.server_now,
            created_by=self._context.who,
            core_version=archive.core_version,
            counts=counts(saved.jobs),
            verified=saved.level,
            idle=self._idle,
            came_from=f"{DUMPED}; restored from {before}" if before else DUMPED,
            parts=(Part("queue", name, saved.size, saved.sha256),),
            extra=notes(
                minicluster=client.minicluster.raw,
                queues_started=started,
                restore_paused=self._restore_paused,
            ),
        )

    def _record(self, manifest: Manifest) -> None:
        """What this computer saw and verified itself, for later decisions."""
        archive, client, context = self._archive, self._client, self._context
        assert archive is not None
        path, server = client.minicluster.archive_path, context.cluster.server
        owner = Owner(
            client.ref.namespace, client.ref.name, client.ref.uid, path, server, recorded=True
        )
        came_from = records.restored(context.state_dir, client.ref.uid)
        contents = replace(
            contents_of(archive, manifest.verified),
            made=manifest.created,
            saved_by=owner,
            parent=came_from.sha256 if came_from is not None else "",
            born=came_from.at if came_from is not None else 0.0,
        )
        records.remember(context.state_dir, contents)

    async def _remove_checkpoint(self) -> str:
        await self._client.kvs_unlink(CHECKPOINT_KEY)
        return "removed"


def _jobs(archive: Archive) -> list[Job]:
    return [archived.job for archived in archive.jobs]


# What a save is going to do: a pure function of what was seen and chosen.

PAUSE = Step("pause", "Stop the queue", "flux queue stop --all -m REASON")
WAIT = Step("wait", "Wait for running jobs", "flux queue idle")
COMMIT = Step("commit", "Commit the state to the KVS", "flux kvs put --sync fluxstate.saved=TIME")
DUMP = Step("dump", "Dump to a temporary name", "flux dump FOLDER/.part-ID.tar.gz")
VERIFY = Step(
    "verify", "Read it out and compare every job", "flux start --recovery=ARCHIVE flux jobs -a"
)
ENTER = Step("enter", "Enter it into the catalog", "ln FOLDER/.part-ID.tar.gz FOLDER/ID.tar.gz")
MANIFEST = Step("manifest", "Write the manifest and read it back", "cat FOLDER/ID.json")
RESUME = Step("resume", "Put the queue back", "flux queue start --all")

# What a job adds to a .tar.gz: 200 to 480 bytes with little output (ARCHITECTURE.md#F13). How
# much output there is tells only the archive before.
BYTES_PER_JOB = 512
BYTES_PER_WAITING_JOB = 320
FIXED_BYTES = 4096
SMALLEST_BYTES = 300  # an empty queue's archive has 355


def plan(seen: Snapshot, choices: Choices) -> Plan:
    """The steps of a save and what they mean for the jobs. Raises when it cannot be done."""
    require_saveable(seen)
    steps = [PAUSE, WAIT, COMMIT, DUMP, VERIFY, ENTER, MANIFEST]
    if not choices.keep_paused:
        steps.append(RESUME)
    consent = Consent(ConsentKind.NONE, "Save the queue?")
    if scarce_room(seen):
        consent = Consent(ConsentKind.CONFIRM, f"{scarce_room(seen)} Try it?")
    if seen.running and choices.running is Running.LEAVE:
        consent = Consent(ConsentKind.CONFIRM, f"{_running_line(seen, choices)} Go on?")
    elif cancelled(seen, choices):
        question = f"Saving {seen.minicluster.ref} {cancelled(seen, choices)}."
        word = seen.minicluster.ref.name
        consent = Consent(ConsentKind.TYPE_NAME, question, word, len(seen.running))
    return Plan(
        OperationKind.SAVE, seen.minicluster.ref, tuple(steps), preview(seen, choices), consent
    )


def preview(seen: Snapshot, choices: Choices) -> tuple[str, ...]:
    """In plain lines: what is saved where, who has to wait, and how it comes up again."""
    afterwards = (
        "The queue stays paused afterwards."
        if choices.keep_paused
        else "Afterwards the queue is as it is now."
    )
    return (*preview_of_dump(seen, choices), afterwards, *preview_of_restore(seen, choices))


def preview_of_dump(seen: Snapshot, choices: Choices) -> list[str]:
    """What is saved where, and who has to wait."""
    lines = [
        f"Save {describe(seen.jobs or ())} into {folder_of(seen.minicluster.archive_path)}.",
    ]
    if scarce_room(seen):
        lines.append(scarce_room(seen))
    if seen.started:
        lines.append(f"Stop {queue_words(seen.started)} until it is done; pending jobs wait.")
    if seen.running:
        lines.append(_running_line(seen, choices))
    return lines


def preview_of_restore(seen: Snapshot, choices: Choices) -> list[str]:
    """How it comes up again, and what is dangerous about that now."""
    lines = []
    if choices.restore_paused and not restores_stopped(seen.core_version, seen.queues or ()):
        lines.append(f"flux-core {seen.core_version} cannot do that: it comes up started.")
    elif choices.restore_paused:
        lines.append("A restore of it comes up paused (an unofficial interface of flux-core).")
    elif comes_up_stopped(seen.checkpoint):
        lines.append(
            "An old checkpoint in the KVS would make a restore come up stopped: it is removed."
        )
    if seen.armed:
        lines.append(
            f"DANGER: an archive is armed at {seen.minicluster.archive_path}: a restarted lead "
            "container would load it and throw away its queue. Disarm it."
        )
    return lines


def require_saveable(seen: Snapshot) -> None:
    """Raise FluxstateError with the reason when this MiniCluster cannot be saved."""
    if seen.jobs is None or seen.queues is None:
        raise FluxstateError(
            f"Flux cannot be asked for its queue: {seen.unreachable or 'no broker'}",
            safe="Nothing was done.",
            advice="Wait until the MiniCluster is Up; its archives in the catalog stay usable.",
        )
    if not seen.minicluster.archive_path:
        raise FluxstateError(
            f"{seen.minicluster.ref} has no spec.archive.path, so it has no place for archives",
            safe="Nothing was done.",
            advice="Create it with spec.archive.path on a volume that outlives the pods; until "
            "then `flux dump FILE` in the pod and `kubectl cp` save it by hand.",
            exit_code=ExitCode.REFUSED,
        )
    if not posixpath.isabs(seen.minicluster.archive_path):
        raise FluxstateError(
            f"spec.archive.path is not an absolute path: {seen.minicluster.archive_path}",
            safe="Nothing was done.",
            exit_code=ExitCode.REFUSED,
        )
    if seen.free is not None and seen.free < SMALLEST_BYTES:
        raise FluxstateError(
            f"the volume has {seen.free:,} bytes free: not even an empty archive fits",
            safe="Nothing was done; the archives there are untouched.",
            advice="Remove archives that are not needed, or enlarge the volume.",
        )


def room_needed(seen: Snapshot) -> int:
    """About how many bytes an archive takes: by the jobs that the KVS has now.

    At least as many for each as in the archive before, where that says how many it has.
    """
    waiting, known = len(seen.pending), len(seen.jobs or ())
    estimate = BYTES_PER_JOB * (known - waiting) + BYTES_PER_WAITING_JOB * waiting
    me = identity_of(seen.minicluster.ref, seen.minicluster.raw)
    mine = not_of_others(seen.catalog, me)
    newest = max(mine, key=lambda entry: entry.modified, default=None)
    if newest is not None:
        manifest = newest.manifest
        there = sum(manifest.counts.values()) if manifest is not None else 0
        estimate = max(estimate, newest.size * known // there if there else newest.size)
    return FIXED_BYTES + estimate


def scarce_room(seen: Snapshot) -> str:
    """That it may not fit, '' if there is room. A dump that does not fit is taken away again."""
    need = room_needed(seen)
    if seen.free is None or seen.free >= need:
        return ""
    return (
        f"It may not fit: the volume has {seen.free:,} bytes free, and it takes about {need:,}. "
        "If it does not, the save ends with that, and no archive there is changed."
    )


def cancelled(seen: Snapshot, choices: Choices) -> str:
    """Which work is lost for good by what was chosen, '' if none is: that takes typing a name."""
    if not seen.running or choices.running is not Running.CANCEL:
        return ""
    work = sum(job.runtime(seen.now) or 0.0 for job in seen.running)
    jobs = plural(len(seen.running), "running job")
    return f"cancels {jobs}; {duration(work)} of work is lost"


def _running_line(seen: Snapshot, choices: Choices) -> str:
    jobs = plural(len(seen.running), "running job")
    expected = expect(seen.running, seen.now)
    match choices.running:
        case Running.WAIT:
            return f"Wait for {jobs} ({expected})."
        case Running.WAIT_AT_MOST:
            limit = duration(choices.wait_seconds or 0)
            return f"Wait at most {limit} for {jobs} ({expected})."
        case Running.CANCEL:
            return f"CANCEL {jobs}: they end as CANCELED."
        case Running.LEAVE:
            return f"After a restore, {jobs} will be FAILED, without output."


SAFE = "No archive that was there is changed or removed by a save."


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
        client: MiniClusterClient,
        choices: Choices,
        running: Iterable[Job],
        *,
        settle_pause: bool = True,
        closed: str = "",
    ) -> None:
        self._settle_pause = settle_pause
        self._context = context
        self._client = client
        self._choices = choices
        self._agreed = tuple(job.id for job in running)
        paused = choices.restore_paused
        self._dumper = ArchiveDumper(context, client, restore_paused=paused, closed=closed)
        self._started: list[str] = []
        self._wanted: list[str] = []
        self._undo: Undo | None = None
        self._idle = False

    @property
    def saved(self) -> Saved:
        """What lies in the catalog now."""
        return self._dumper.saved

    @property
    def entry(self) -> CatalogEntry | None:
        """The same as the catalog reads back, once its manifest is written."""
        return self._dumper.entry

    @property
    def started(self) -> tuple[str, ...]:
        """Names of the queues that were started when it began."""
        return tuple(self._started)

    def tasks(self, plan: Plan) -> list[Task]:
        """One task per step of the plan."""
        actions = self.actions()
        return [Task(step, actions[step.id], required=step.id != RESUME.id) for step in plan.steps]

    def actions(self) -> dict[str, Action]:
        """What to do at which step."""
        return {
            PAUSE.id: self.pause,
            WAIT.id: self.wait,
            COMMIT.id: self._dumper.commit,
            DUMP.id: self.dump,
            VERIFY.id: self._dumper.verify,
            ENTER.id: self._dumper.enter,
            MANIFEST.id: self.manifest,
            RESUME.id: self.resume,
        }

    def success(self) -> str:
        """The sentence of the completed outcome."""
        saved = self.saved
        size = f"{saved.size:,} bytes, verified {saved.level}"
        return f"saved {saved.words} as {saved.id} ({size}, read back from {saved.mount})"

    async def pause(self, run: Run) -> str:
        """Stop the queues, and promise to start them again if this does not end well."""
        queues = await self._client.queues()
        self._started = [queue.name for queue in queues if queue.started]
        # Named queues come up stopped after a restore: these it starts again. One that a pause
        # stopped counts as started, as the anonymous queue does, which a restore starts anyway.
        self._wanted = [queue.name for queue in queues if queue.started or stopped_by_us(queue)]
        text, self._undo = await stop_queues(run, self._client, self._started, self._context.who)
        return text

    async def wait(self, run: Run) -> str:
        """Until no job runs, or as was chosen."""
        if self._choices.running is Running.CANCEL and self._agreed:
            run.shell_commands(self._client.flux_line("cancel", *map(f58_ascii, self._agreed)))
        if self._choices.running is not Running.LEAVE:
            run.shell_commands(self._client.flux_line("queue", "idle"))
        self._idle = await drain(self._client, self._choices, self._agreed, run.tell)
        return "no job runs" if self._idle else "jobs still run: they come back FAILED"

    async def dump(self, run: Run) -> str:
        """Dump to a temporary name."""
        return await self._dumper.dump(run, idle=self._idle)

    async def manifest(self, run: Run) -> str:
        """Write the manifest; from here on the archive is complete and the pause may stay."""
        text = await self._dumper.manifest(run, self._wanted)
        stays = self._choices.keep_paused and self._settle_pause
        if stays and self._undo is not None:
            run.discard(self._undo)
        return text

    async def resume(self, run: Run) -> str:
        """Put the queues back to what they were."""
        if self._started:
            run.shell_commands(*self._client.queue_lines("start", self._started))
        text = await start_again(self._client, self._started)
        if self._undo is not None:
            run.discard(self._undo)
        return text


def paused(choices: Choices) -> Choices:
    """The same choices for a save whose queue must stay paused, as before a delete."""
    return replace(choices, keep_paused=True)
