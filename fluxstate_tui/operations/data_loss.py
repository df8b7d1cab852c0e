"""What would be gone if a MiniCluster was deleted now: its live queue against an archive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fluxstate_tui.archive.manifest import CatalogEntry, Signature, folder_of
from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.catalog.access import Reach, volume_files
from fluxstate_tui.catalog.contents import JobKey, Known, key_of, missing_from, newest_first
from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.catalog.ownership import Identity
from fluxstate_tui.catalog.records import identity, maybe_ours, missing_lines, ours, read_known
from fluxstate_tui.catalog.signed import read_signed
from fluxstate_tui.catalog.transfer import fetch
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.running_jobs import duration
from fluxstate_tui.formatting import plural
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.minicluster.phase import QueueEnd
from fluxstate_tui.operations.snapshot import Snapshot, describe


@dataclass(frozen=True, slots=True)
class DataLoss:
    """Live jobs that the archive does not have as they are now.

    `missing` are in no archive; `again` ran or finished since, so that a restore would run them
    once more (or fail them) and their results would be gone; `changed` are pending with another
    urgency, time limit or memo than the archived ones.
    """

    missing: tuple[Job, ...] = ()
    again: tuple[Job, ...] = ()
    changed: tuple[Job, ...] = ()

    @property
    def nothing(self) -> bool:
        """True when the archive has every job as it is now."""
        return not (self.missing or self.again or self.changed)

    @property
    def ids(self) -> frozenset[int]:
        """All jobs that are affected."""
        return frozenset(job.id for job in (*self.missing, *self.again, *self.changed))

    @property
    def words(self) -> str:
        """`2 jobs that no archive has and the results of 1 job`; '' when nothing is lost."""
        parts = []
        if self.missing:
            parts.append(f"{plural(len(self.missing), 'job')} that no archive has")
        if self.again:
            parts.append(f"the results of {plural(len(self.again), 'job')}")
        if self.changed:
            parts.append(f"changes of {plural(len(self.changed), 'job')}")
        return " and ".join(parts)

    def explain(self) -> tuple[str, ...]:
        """One line per kind of loss, by state."""
        lines = []
        if self.missing:
            lines.append(f"LOST, in no archive: {describe(self.missing)}")
        if self.again:
            lines.append(f"LOST result, would run again or fail: {describe(self.again)}")
        if self.changed:
            lines.append(f"LOST change (urgency, memo, ...): {describe(self.changed)}")
        return tuple(lines)


def loss(live: Iterable[Job], saved: Iterable[Job]) -> DataLoss:
    """Compare the live jobs with those of an archive of the same MiniCluster (same uid)."""
    archived = {job.id: job for job in saved}
    missing: list[Job] = []
    again: list[Job] = []
    changed: list[Job] = []
    for job in live:
        there = archived.get(job.id)
        if there is None:
            missing.append(job)
        elif there.state.running:
            # Jobs that run at a dump come back FAILED (ARCHITECTURE.md#F6).
            again.append(job)
        elif job.status != there.status:
            # DEPEND, PRIORITY and SCHED are all "waiting": going between them loses nothing.
            if not (job.state.pending and there.state.pending):
                again.append(job)
        elif job.state is not JobState.INACTIVE and _settings(job) != _settings(there):
            changed.append(job)
    return DataLoss(tuple(missing), tuple(again), tuple(changed))


def _settings(job: Job) -> tuple[object, ...]:
    return (job.urgency, job.duration, job.annotations.get("user") or {})


# Which archives a delete may rely on.

SOUND_LEVELS = ("L1", "L2", "L3")


@dataclass(frozen=True, slots=True)
class BackupCoverage:
    """The archive that a delete relies on, and what it does not have. None: there is no such.

    `beyond` says which archives hold jobs that the live queue does not: it may have gone back.
    `end` says why there is no queue at all that could be lost.
    """

    entry: CatalogEntry | None
    loss: DataLoss
    problem: str = ""
    beyond: tuple[str, ...] = ()
    end: QueueEnd | None = None

    @property
    def complete(self) -> bool:
        """True when every live job is in a verified archive as it is now."""
        return self.entry is not None and not self.problem and self.loss.nothing


def candidates(catalog: Iterable[CatalogEntry], ref: ClusterRef) -> list[CatalogEntry]:
    """Archives that may stand for this MiniCluster: same uid, verified, not forged. Newest first.

    One that was taken while jobs ran has all the others exactly; those are told apart job by job.
    """
    fitting = [
        entry
        for entry in catalog
        if entry.manifest is not None
        and not entry.problem
        and entry.signature is not Signature.WRONG
        and entry.manifest.uid == ref.uid
        and entry.manifest.verified in SOUND_LEVELS
    ]
    return sorted(fitting, key=lambda entry: entry.manifest.created if entry.manifest else 0.0)[
        ::-1
    ]


# The archive that a delete may rely on: found, read out, and compared with the live queue.

# Archives that this computer has no record of: nothing is lost where they are not read.
MOST_READ_FOR_A_DELETE = 8


async def find_coverage(
    context: OperationContext, client: MiniClusterClient | None, seen: Snapshot, reach: Reach
) -> tuple[BackupCoverage, tuple[Job, ...]]:
    """The newest fitting archive, read out and compared with the live queue, and its jobs."""
    live = seen.jobs or ()
    nothing = DataLoss(missing=tuple(live))
    ref, raw = seen.minicluster.ref, seen.minicluster.raw
    me = identity(context, ref, raw)
    if client is None:
        return await _what_is_saved(context, seen, me, reach), ()
    if why := not_lasting(client, seen.minicluster.archive_path):
        return BackupCoverage(None, nothing, f"{why[0].upper()}{why[1:]}."), ()
    state_dir = context.state_dir
    maybe = maybe_ours(seen.catalog, me, state_dir)
    versions = ours(await read_known(client.files, maybe, state_dir, MOST_READ_FOR_A_DELETE), me)
    keys = frozenset(map(key_of, live))
    beyond = missing_lines(missing_from(keys, versions), "the live queue")
    nothing_of_it = BackupCoverage(None, nothing, beyond=beyond)
    fitting = _most_of(keys, candidates(seen.catalog, ref), versions)
    if not fitting:
        why = "No verified archive of this MiniCluster (same uid) is there."
        return replace(nothing_of_it, problem=why), ()
    entry = fitting[0]
    try:
        async with fetch(client.files, entry.path, context.state_dir, lambda text: None) as archive:
            pass
    except FluxstateError as error:
        why = f"{entry.id} cannot be verified: {error.message}"
        return replace(nothing_of_it, problem=why), ()
    parts = entry.manifest.parts if entry.manifest else ()
    if archive.findings or all(part.sha256 != archive.sha256 for part in parts):
        return replace(nothing_of_it, problem=f"{entry.id} is not what its manifest says."), ()
    saved = tuple(archived.job for archived in archive.jobs)
    return BackupCoverage(entry, loss(live, saved), beyond=beyond), saved


def _most_of(
    live: frozenset[JobKey], fitting: list[CatalogEntry], versions: tuple[Known, ...]
) -> list[CatalogEntry]:
    """Those that have most of these jobs first, by what was read; among equals the latest.

    What was not read comes last: its manifest may say anything.
    """
    read = {one.entry.path: one.contents for one in versions if one.contents is not None}

    def rank(entry: CatalogEntry) -> tuple[bool, int, float]:
        contents = read.get(entry.path)
        if contents is None:
            return (False, 0, 0.0)
        return (True, len(live & contents.jobs), contents.made)

    return sorted(fitting, key=rank, reverse=True)


def not_lasting(client: MiniClusterClient, path: str) -> str:
    """Why what lies at `path` goes when the pods go, '' when it stays."""
    mount = client.files.mount_of(path) if path else None
    if not path or (mount is not None and mount.lasting):
        return ""
    where = str(mount) if mount is not None else "no volume, but the container's own file system"
    return f"spec.archive.path {path} lies on {where}: the archives there die with the pod"


async def _what_is_saved(
    context: OperationContext, seen: Snapshot, me: Identity, reach: Reach
) -> BackupCoverage:
    """For a MiniCluster whose brokers are dead: what its volume has of it, in sentences."""
    minicluster, state_dir = seen.minicluster, context.state_dir
    limit, nothing = MOST_READ_FOR_A_DELETE, DataLoss(missing=tuple(seen.jobs or ()))
    try:
        async with volume_files(context, minicluster, minicluster.ref.name, reach) as (files, path):
            namespace = minicluster.ref.namespace
            entries = await read_signed(context, namespace, files, folder_of(path))
            entries = tuple(maybe_ours(entries, me, state_dir))
            versions = ours(await read_known(files, entries, state_dir, limit), me)
    except HelperPodNeededError as needed:
        why = f"Its catalog was not looked at: that would need {needed.pod}."
        return BackupCoverage(None, nothing, why)
    except FluxstateError as error:
        return BackupCoverage(None, nothing, f"Its catalog cannot be read either: {error.message}")
    ordered = newest_first(versions, seen.now)
    if not ordered:
        return BackupCoverage(None, nothing, "No verified archive of it is in the catalog.")
    newest, contents = ordered[0]
    age = duration(seen.now - contents.made)
    jobs = plural(len(contents.jobs), "job")
    said = f"The newest verified archive is {newest.entry.id}, {age} old, with {jobs}"
    others = [known for known, _ in ordered[1:]]
    beyond = missing_lines(missing_from(contents.jobs, others), newest.entry.id)
    return BackupCoverage(None, nothing, f"{said}; what came since is not in it.", beyond)
