"""What a restore is going to do: a pure function of the archive, the manifest and the choices."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.archive.manifest import CatalogEntry, Signature
from fluxstate_tui.archive.preview import Blocker, RestorePreview, preview
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.broker.commands import parse_jobs, run_flux
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.locate import locate
from fluxstate_tui.catalog import records
from fluxstate_tui.catalog.contents import JobKey, key_of
from fluxstate_tui.catalog.ownership import Owner, identity_of
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.formatting import plural
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.kube.manifest import refuse_broken
from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.minicluster.archive_volume import archive_volume, no_place
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Agrees, Consent, ConsentKind, OperationKind, Plan, Step
from fluxstate_tui.operations.moves import moves
from fluxstate_tui.operations.snapshot import describe
from fluxstate_tui.tasks import together

BRING = Step("bring", "Bring the archive to the volume", "fluxstate-tui archives put NAME FILE")
CHECK = Step("check", "Check manifest and names", "kubectl create --dry-run=server -f MANIFEST")
ARM = Step("arm", "Arm the archive", "cp FOLDER/ID.tar.gz ARCHIVE_PATH && sha256sum ARCHIVE_PATH")
CREATE = Step("create", "Create the MiniCluster", "kubectl create -f MANIFEST")
START = Step("start", "Wait for the broker", "flux uptime")
ACCOUNT = Step("account", "Account for every job", "flux jobs -a -c0 --json")
DISARM = Step("disarm", "Disarm", "rm ARCHIVE_PATH")
CHECKPOINT = Step("checkpoint", "Make a KVS checkpoint", "flux kvs put --sync KEY=VALUE")
QUEUE = Step("queue", "Put the queue back as it was saved", "flux queue start NAME...")

# A fact of the journal: the named queues that its last step starts.
TO_START = "to start"


@dataclass(frozen=True, slots=True)
class Source:
    """The archive to restore, as it was read out of the volume."""

    entry: CatalogEntry
    archive: Archive

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Its jobs."""
        return tuple(archived.job for archived in self.archive.jobs)

    @property
    def queues_to_start(self) -> tuple[str, ...]:
        """Named queues that were started when it was saved: they come up stopped (facts a)."""
        manifest = self.entry.manifest
        forged = self.entry.signature is Signature.WRONG
        if manifest is None or forged or manifest.restore_paused:
            return ()
        return tuple(filter(None, manifest.queues_started))


def require_sound(source: Source) -> None:
    """Raise FluxstateError (exit 6) when the archive must not be given to a broker.

    A truncated one lets the lead end as Completed; an empty one starts an empty queue; neither
    says so (ARCHITECTURE.md#F62, ARCHITECTURE.md#F18).
    """
    archive, entry = source.archive, source.entry
    problem = ""
    if archive.findings:
        problem = str(archive.findings[0])
    elif archive.size == 0:
        problem = "it has 0 bytes: a restore would silently start with an empty queue"
    elif entry.manifest and all(part.sha256 != archive.sha256 for part in entry.manifest.parts):
        problem = "its sha256 is not the one of its manifest"
    if problem:
        raise FluxstateError(
            f"{entry.id} is not sound: {problem}",
            safe="Nothing was done; the file is untouched.",
            advice="Choose another version.",
            exit_code=ExitCode.VERIFICATION,
        )


def preview_restore(archive: Archive, manifest: dict[str, Any]) -> RestorePreview:
    """What becomes of every job in the MiniCluster that is going to be created."""
    spec = manifest["spec"]
    return preview(
        archive,
        size=int(spec.get("size", 1)),
        max_size=spec.get("maxSize"),
        name=str(manifest["metadata"]["name"]),
    )


def require_valid(manifest: dict[str, Any], served_version: str) -> None:
    """Raise FluxstateError (exit 5) when nothing, or an empty queue, would come out of it."""
    refuse_broken(manifest, served_version)
    problem = no_place(manifest["spec"], str(manifest.get("apiVersion") or ""))
    if problem:
        raise FluxstateError(
            problem,
            safe="Nothing was created.",
            advice="Correct the manifest (--file MANIFEST).",
            exit_code=ExitCode.REFUSED,
        )


@dataclass(frozen=True, slots=True)
class Bringing:
    """An archive of this computer that goes to the volume first, by which helper pod."""

    file: str
    pod: str

    @property
    def lines(self) -> tuple[str, ...]:
        """For the plan."""
        return (
            f"{self.file} is entered into the catalog on the volume first, by {self.pod}.",
            "What lies on the volume was not looked at yet.",
        )


def plan(
    source: Source,
    manifest: dict[str, Any],
    lines: tuple[str, ...],
    bringing: Bringing | None = None,
    accept_spec: bool = False,
    blocker: Blocker | None = None,
) -> Plan:
    """The steps of a restore. `lines` say what becomes of the jobs, and of the MiniCluster.

    With `accept_spec` what its pods may do has to be agreed to by typing its name. That a
    `blocker` stops the whole queue is said first, and in the question.
    """
    metadata = manifest["metadata"]
    ref = ClusterRef(metadata["namespace"], metadata["name"], "")
    steps = [BRING] if bringing else []
    # In this order there is no moment at which it is disarmed and a container that dies would fall
    # back to the restore: whoever is killed in between finds it armed.
    steps += [CHECK, ARM, CREATE, START, ACCOUNT, CHECKPOINT, DISARM]
    # Of one without a manifest the volume may know more.
    if source.queues_to_start or (bringing and source.entry.manifest is None):
        steps.append(QUEUE)
    size = manifest["spec"].get("size", 1)
    pods = f"{size} pod" if size == 1 else f"{size} pods"
    said = (
        *([f"STUCK: {blocker}."] if blocker is not None else []),
        f"Create {ref} with {pods} from {source.entry.id}: {describe(source.jobs)}.",
        *(bringing.lines if bringing else ()),
        *lines,
        f"It is armed at {manifest['spec']['archive']['path']} until every job is accounted for.",
    )
    stuck = f" {blocker}." if blocker is not None else ""
    forged = source.entry.signature is Signature.WRONG
    wrong = " The signature of the archive's manifest is WRONG." if forged else ""
    question = f"Restore {ref} from {source.entry.id}?{stuck}{wrong}"
    consent = Consent(ConsentKind.CONFIRM, question)
    if accept_spec:
        question = f"Restore {ref} with a MiniCluster that only the archive's manifest vouches for?"
        question += stuck + wrong
        consent = Consent(ConsentKind.TYPE_NAME, question, ref.name, 0, Agrees.SPEC)
    return Plan(OperationKind.RESTORE, ref, tuple(steps), said, consent)


def blind_plan(manifest: dict[str, Any], wanted: str, pod: str, lines: tuple[str, ...]) -> Plan:
    """Of a dry run that cannot look at the archives; `pod` is what would have to be started."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    ref = ClusterRef(metadata["namespace"], metadata["name"], "")
    what = wanted or "the newest verified archive"
    size = spec.get("size", 1)
    said = (
        f"Create {ref} with {size} pod{'' if size == 1 else 's'} from {what}.",
        "The archives were not looked at: nothing that runs has their volume,",
        "and a dry run starts nothing. So nothing is known of their jobs.",
        f"To read them, a restore asks first, and then starts {pod}.",
        *lines,
        f"It is armed at {spec['archive']['path']} until every job is accounted for.",
    )
    steps = (CHECK, ARM, CREATE, START, ACCOUNT, CHECKPOINT, DISARM, QUEUE)
    return Plan(
        OperationKind.RESTORE, ref, steps, said, Consent(ConsentKind.CONFIRM, f"Restore {ref}?")
    )


# MiniClusters that live beside a restore, and what it could do to them.
#
# That jobs of an archive run or wait elsewhere is judged by these very jobs, in the live queues: a
# name says nothing, as a queue may have moved to another one, and every tutorial has the same.

MOST_ASKED = 32
_AT_ONCE = 8
_ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A living MiniCluster. `active` are jobs of its queue that are not over; None: not known.

    `related` says that its queue is known to have come from the one that the archive is of.
    """

    raw: dict[str, Any]
    active: frozenset[JobKey] | None = frozenset()
    related: bool = False
    why: str = ""

    @property
    def ref(self) -> ClusterRef:
        """Its name."""
        metadata = self.raw.get("metadata") or {}
        return ClusterRef(
            str(metadata.get("namespace", "")),
            str(metadata.get("name", "")),
            str(metadata.get("uid", "")),
        )


def dangers(
    manifest: dict[str, Any], waiting: Collection[JobKey], living: Iterable[Neighbour]
) -> tuple[str, ...]:
    """One line for each danger. `waiting` are the jobs of the archive that are not over."""
    namespace = str(manifest["metadata"].get("namespace", ""))
    place = _file(namespace, manifest["spec"])
    lines = []
    for other in living:
        ref = other.ref
        name = ref.name if ref.namespace == namespace else str(ref)
        both = len(other.active & set(waiting)) if other.active is not None else 0
        if both:
            verb = "is" if both == 1 else "are"
            lines.append(
                f"DANGER: {plural(both, 'job')} of it {verb} in the live queue of {name} now: "
                "they may run in both."
            )
        if waiting and other.active is None and other.related:
            lines.append(
                f"DANGER: {name}, whose queue came from it, lives and cannot be asked "
                f"({other.why.rstrip('.')}): {plural(len(waiting), 'job')} may run in both."
            )
        if place is not None and _file(ref.namespace, other.raw.get("spec") or {}) == place:
            lines.append(
                f"DANGER: {name} reads the same archive.path: if its lead container restarts "
                "before this is disarmed, it loads this archive and throws its own queue away."
            )
    return tuple(lines)


async def dangers_beside(
    context: OperationContext, source: Source, manifest: dict[str, Any], owner: Owner | None
) -> tuple[str, ...]:
    """What a restore could do to MiniClusters that live; nothing without the right to list them.

    `owner` is the MiniCluster that the archive was saved from. Those that may have its queue are
    asked first; Raises FluxstateError when the API server does not answer.
    """
    living = await _living(context, str(manifest["metadata"]["namespace"]))
    waiting = {key_of(job) for job in source.jobs if job.state is not JobState.INACTIVE}
    if not waiting:
        return dangers(manifest, waiting, [Neighbour(raw) for raw in living])
    uid = owner.uid if owner is not None else ""
    related = [_is_related(context, raw, uid, source.entry.id) for raw in living]
    order = sorted(range(len(living)), key=lambda at: not related[at])
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(at: int) -> Neighbour:
        async with gate:
            return await _ask(context, living[at], related=related[at])

    asked = await together(*map(ask, order[:MOST_ASKED]))
    rest = [Neighbour(living[at], None, related[at], "not asked") for at in order[MOST_ASKED:]]
    lines = [*dangers(manifest, waiting, (*asked, *rest))]
    if rest:
        lines.append(
            f"{plural(len(rest), 'other MiniCluster')} were not asked whether they have its jobs."
        )
    return (*lines, *_moved(context, owner, len(waiting)))


def _moved(context: OperationContext, owner: Owner | None, waiting: int) -> Sequence[str]:
    """To another cluster: its queue cannot be asked from here."""
    if owner is None or not owner.uid:
        return ()
    return [
        f"DANGER: {move.source} was migrated to {move.words} from here: "
        f"{plural(waiting, 'job')} may run there, which was not asked."
        for move in moves(context.state_dir)
        if move.source.uid == owner.uid and move.server != context.cluster.server
    ]


def _is_related(context: OperationContext, raw: dict[str, Any], uid: str, archive: str) -> bool:
    found = identity_of(ClusterRef("", "", ""), raw)
    if uid and uid in (found.uid, *records.predecessors(context.state_dir, found.uid)):
        return True
    return found.restored_from == archive


async def _living(context: OperationContext, namespace: str) -> list[dict[str, Any]]:
    """Of all namespaces, as far as they may be listed."""
    resource = await context.cluster.minicluster_resource()
    for where in (None, namespace):
        try:
            return await context.cluster.list(resource, where)
        except Forbidden:
            continue
    return []


async def _ask(context: OperationContext, raw: dict[str, Any], *, related: bool) -> Neighbour:
    """The jobs that are not over in its live queue."""
    try:
        endpoint = await locate(context.cluster, parse_minicluster(raw))
        text = await run_flux(
            context.cluster,
            endpoint,
            ("jobs", "-A", "-c0", "--json"),
            timeout=_ANSWER_SECONDS,
            only_reads=True,
        )
        return Neighbour(raw, frozenset(map(key_of, parse_jobs(text))), related)
    except FluxstateError as error:
        return Neighbour(raw, None, related, error.message)


def _file(namespace: str, spec: dict[str, Any]) -> tuple[str, str, str] | None:
    """The file behind `spec.archive.path`: kind and name of its volume, and the path in that."""
    volume = archive_volume(spec)
    if volume is None:
        return None
    path = posixpath.relpath(str(spec["archive"]["path"]), str(volume["path"]))
    if volume.get("claimName"):
        return "claimName", f"{namespace}/{volume['claimName']}", path
    if volume.get("hostPath"):
        return "hostPath", str(volume["hostPath"]), path
    return None
