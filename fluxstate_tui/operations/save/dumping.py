"""From the live queue to a verified archive in the catalogue: each step read back.

Order (facts/client.md D1, restic and borg): temporary name in the same folder, verify, flush,
link to the final name without overwriting, manifest last. A kill at any point leaves either
nothing visible or a complete archive.
"""

from __future__ import annotations

import json
import posixpath
import re
import secrets
import shlex
from contextlib import suppress
from dataclasses import dataclass, replace

from fluxstate_tui.archive.catalogue import archive_name, folder_of, manifest_name, new_id
from fluxstate_tui.archive.contents import contents_of
from fluxstate_tui.archive.manifest import DUMPED, CatalogueEntry, Manifest, Part, to_bytes
from fluxstate_tui.archive.ownership import RESTORED_FROM, Owner
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.feeds.catalogues import read_catalogue
from fluxstate_tui.flux.files import RemoteFileError
from fluxstate_tui.model.job import Job
from fluxstate_tui.operations.catalogue import records
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.delete.loss import loss
from fluxstate_tui.operations.queue.checkpoint import (
    CHECKPOINT_KEY,
    SYNC_KEY,
    comes_up_stopped,
    paused_checkpoint,
)
from fluxstate_tui.operations.save.fetch import LEFTOVER_SECONDS, fetch
from fluxstate_tui.operations.save.room import free_bytes
from fluxstate_tui.operations.script import Run, Undo
from fluxstate_tui.operations.world.observation import Observation, counts, describe
from fluxstate_tui.operations.world.patience import BROKEN
from fluxstate_tui.operations.world.world import DumpFailedError, World

DUMP_TRIES = 3
PART = ".part-"
_LEFTOVER = re.compile(re.escape(PART) + r"[0-9a-f]{12,}(\.\w+)*")


class NotVerifiedError(FluxstateError):
    """What was read back is not what was saved."""

    exit_code = ExitCode.VERIFICATION


@dataclass(frozen=True, slots=True)
class Saved:
    """An archive that is in the catalogue. `jobs` are those that were read back out of it.

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


class Saver:
    """Dumps one MiniCluster's queue. The steps must be called in the order of the file."""

    def __init__(
        self, context: OperationContext, world: World, *, restore_paused: bool, closed: str = ""
    ) -> None:
        """A restore of it comes up as it is now; or paused; or also refusing jobs (`closed`)."""
        self._context = context
        self._world = world
        self._restore_paused = restore_paused
        self._closed = closed
        self._folder = folder_of(world.minicluster.archive_path)
        self._temporary = ""
        self._undo_temporary: Undo | None = None
        self._idle = False
        self._before: tuple[Job, ...] = ()
        self._archive: Archive | None = None
        self._saved: Saved | None = None
        self._entry: CatalogueEntry | None = None

    @property
    def saved(self) -> Saved:
        """The result. Raises FluxstateError before `enter` was done."""
        if self._saved is None:
            raise FluxstateError("nothing was saved")
        return self._saved

    @property
    def entry(self) -> CatalogueEntry | None:
        """The same as the catalogue reads back, once its manifest is written."""
        return self._entry

    async def commit(self, run: Run) -> str:
        """Flush the KVS, and make `checkpoint.job-manager` say how a restore shall come up.

        A live dump carries along whatever checkpoint an earlier life left (facts/flux.md, 2).
        """
        world = self._world
        current = await world.kvs_get(CHECKPOINT_KEY)
        text = "no checkpoint: a restore comes up started"
        if self._restore_paused:
            seen = Observation(
                world.minicluster,
                world.clock.now(),
                queues=await world.queues(),
                jobs=await world.jobs(),
            )
            run.undo(
                "the checkpoint for a paused restore is removed from the live KVS",
                self._remove_checkpoint,
                f"Run in the pod: flux kvs unlink {CHECKPOINT_KEY}",
            )
            checkpoint = paused_checkpoint(seen, self._closed)
            value = f"{CHECKPOINT_KEY}={json.dumps(checkpoint)}"
            run.by_hand(world.flux_line("kvs", "put", value))
            await world.kvs_put(CHECKPOINT_KEY, checkpoint)
            text = "checkpoint: a restore comes up paused"
        elif comes_up_stopped(current):
            run.by_hand(world.flux_line("kvs", "unlink", CHECKPOINT_KEY))
            await world.kvs_unlink(CHECKPOINT_KEY)
            text = "an old checkpoint that says stopped was removed"
        run.by_hand(world.flux_line("kvs", "put", "--sync", f"{SYNC_KEY}=1"))
        await world.kvs_sync()
        wanted = await world.kvs_get(CHECKPOINT_KEY)
        if comes_up_stopped(wanted) is not self._restore_paused:
            raise NotVerifiedError(f"{CHECKPOINT_KEY} reads back as {wanted!r}")
        return text

    async def dump(self, run: Run, *, idle: bool) -> str:
        """`flux dump` to a temporary name beside the archives; returns its size."""
        self._idle = idle
        run.by_hand(self._world.file_line("mkdir", "-p", self._folder))
        await self._world.files.mkdir(self._folder)
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
        """Remove what a killed program left half-written long ago; nothing else has such names.

        Saves write in the catalogue, restores beside `archive.path`.
        """
        files = self._world.files
        long_ago = await self._world.cluster_now() - LEFTOVER_SECONDS
        for folder in (self._folder, posixpath.dirname(self._world.minicluster.archive_path)):
            for item in await files.list(folder):
                if _LEFTOVER.fullmatch(item.name) and item.mtime < long_ago:
                    await files.remove(posixpath.join(folder, item.name))

    async def _dump_once(self, run: Run) -> str:
        temporary = posixpath.join(self._folder, f"{PART}{secrets.token_hex(6)}.tar.gz")
        files = self._world.files

        async def remove() -> str:
            await self._world.files.remove(temporary)  # its pod may be another one by then
            return "removed"

        self._undo_temporary = run.undo(
            "the unfinished dump is removed", remove, f"Remove {temporary} by hand."
        )
        self._temporary = temporary
        self._before = await self._world.jobs()
        run.by_hand(self._world.flux_line("dump", "-q", temporary))
        try:
            await self._world.dump(temporary)
        except DumpFailedError as error:
            # Flux only says "Write error": on a full volume this says why.
            with suppress(FluxstateError):  # its container may be gone
                free = await free_bytes(files, self._folder)
                error.message += f" ({free:,} bytes are free on the volume)"
            raise
        stat = await files.stat(temporary)
        if stat.size == 0:
            raise NotVerifiedError(
                "flux dump left an empty file", safe="It has no name in the catalogue."
            )
        return f"{stat.size:,} bytes"

    async def verify(self, run: Run) -> str:
        """Read the dump out, parse it, and compare every job with the live ones (L2)."""
        for attempt in range(DUMP_TRIES):
            state_dir = self._context.state_dir
            async with fetch(self._world.files, self._temporary, state_dir, run.tell) as archive:
                self._archive = archive
            run.by_hand(self._world.file_line("sha256sum", self._temporary))
            problem = self._difference(archive)
            if not problem:
                return (
                    f"{describe(_jobs(archive))}; sha256 {archive.sha256[:12]}; "
                    f"all {len(self._before)} live jobs are in it"
                )
            if attempt < DUMP_TRIES - 1:
                # The job manager commits in batches: the last milliseconds may have been missing.
                run.tell(f"{problem}; dumping again")
                await self._world.settle()
                await self._dump_once(run)
        raise NotVerifiedError(
            f"the dump is not what the queue is: {problem}",
            safe="It is not entered into the catalogue.",
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
        archive, files = self._archive, self._world.files
        assert archive is not None
        taken = {item.name for item in await files.list(self._folder)}
        now = self._context.server_now
        while True:
            identity = new_id(now, self._world.ref.name, taken)
            path = posixpath.join(self._folder, archive_name(identity))
            try:
                await files.link_new(self._temporary, path)
                break
            except FileExistsError:
                taken |= {archive_name(identity), manifest_name(identity)}
        run.remember("archive", path)
        run.by_hand(
            self._world.file_line("ln", self._temporary, path),
            self._world.file_line("rm", self._temporary),
        )
        stat = await files.stat(path)
        if (stat.size, stat.sha256) != (archive.size, archive.sha256):
            raise NotVerifiedError(f"{path} reads back with another checksum")
        await files.remove(self._temporary)
        if self._undo_temporary is not None:
            run.settled(self._undo_temporary)
        mount = files.mount_of(path)
        self._saved = Saved(
            identity, path, archive.size, archive.sha256, "L2", tuple(_jobs(archive)),
            str(mount or "the container's own file system, which dies with it"),
        )  # fmt: skip
        return path

    async def manifest(self, run: Run, started: list[str]) -> str:
        """Write the manifest last, and read the catalogue back with it."""
        saved, world = self.saved, self._world
        manifest = self._manifest(saved, started)
        path = posixpath.join(self._folder, manifest_name(saved.id))
        place = (world.ref.name, saved.path, "-n", world.ref.namespace)
        adopt = shlex.join(["fluxstate-tui", "archives", "adopt", *place])
        run.by_hand(adopt)
        try:
            await world.files.write_new(path, to_bytes(manifest))
        except RemoteFileError as error:
            raise FluxstateError(
                f"{saved.id} has no manifest: {error.message}",
                safe=f"The archive itself is complete and was verified: {saved.path}.",
                advice=f"Make room on the volume, then: {adopt}",
                exit_code=error.exit_code,
            ) from error
        entries = await read_catalogue(world.files, self._folder)
        mine = next((entry for entry in entries if entry.id == saved.id), None)
        self._entry = mine
        if mine is None or mine.problem or mine.manifest != manifest:
            problem = mine.problem if mine else "it is not listed"
            raise NotVerifiedError(
                f"the catalogue does not read back: {problem or 'another manifest'}"
            )
        self._record(manifest)
        if self._restore_paused:
            run.by_hand(world.flux_line("kvs", "unlink", CHECKPOINT_KEY))
            # Otherwise a restart of this container would come up paused as well.
            await self._remove_checkpoint()
            for undo in list(run.undos):
                if undo.action == self._remove_checkpoint:
                    run.settled(undo)
        return f"{saved.id}: {saved.words}, verified {saved.level}"

    def _manifest(self, saved: Saved, started: list[str]) -> Manifest:
        world = self._world
        name = posixpath.basename(saved.path)
        extra = {
            "minicluster": json.dumps(world.minicluster.raw, sort_keys=True),
            "queues_started": json.dumps(started),
        }
        if self._restore_paused:
            extra["restore"] = "paused"
        archive = self._archive
        assert archive is not None
        annotations = world.minicluster.raw["metadata"].get("annotations") or {}
        before = annotations.get(RESTORED_FROM, "")
        return Manifest(
            id=saved.id,
            minicluster=world.ref.name,
            namespace=world.ref.namespace,
            uid=world.ref.uid,
            size=world.minicluster.size,
            created=self._context.server_now,
            created_by=self._context.who,
            core_version=archive.core_version,
            counts=counts(saved.jobs),
            verified=saved.level,
            idle=self._idle,
            came_from=f"{DUMPED}; restored from {before}" if before else DUMPED,
            parts=(Part("queue", name, saved.size, saved.sha256),),
            extra=extra,
        )

    def _record(self, manifest: Manifest) -> None:
        """What this computer saw and verified itself, for later decisions."""
        archive, world, context = self._archive, self._world, self._context
        assert archive is not None
        path, server = world.minicluster.archive_path, context.cluster.server
        owner = Owner(
            world.ref.namespace, world.ref.name, world.ref.uid, path, server, recorded=True
        )
        came_from = records.restored(context.state_dir, world.ref.uid)
        contents = replace(
            contents_of(archive, manifest.verified),
            made=manifest.created,
            saved_by=owner,
            parent=came_from.sha256 if came_from is not None else "",
            born=came_from.at if came_from is not None else 0.0,
        )
        records.remember(context.state_dir, contents)

    async def _remove_checkpoint(self) -> str:
        await self._world.kvs_unlink(CHECKPOINT_KEY)
        return "removed"


def _jobs(archive: Archive) -> list[Job]:
    return [archived.job for archived in archive.jobs]
