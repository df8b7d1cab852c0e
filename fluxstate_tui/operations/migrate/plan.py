"""What a migration is going to do: pure functions of what was seen and of what is wanted."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.archive.preview import Blocker, PredictedOutcome, RestorePreview
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.queue import restores_stopped
from fluxstate_tui.flux.running_jobs import expect
from fluxstate_tui.flux.scheduler import turn
from fluxstate_tui.formatting import plural
from fluxstate_tui.kube.errors import Forbidden, RequestInfo
from fluxstate_tui.kube.manifest import for_create
from fluxstate_tui.kube.objects import PODS, Resource
from fluxstate_tui.minicluster.archive_volume import archive_volume, container_of, dies_with_it
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import delete, saving
from fluxstate_tui.operations.base import (
    Arrival,
    Choices,
    Consent,
    ConsentKind,
    OperationKind,
    Plan,
    Running,
    Step,
)
from fluxstate_tui.operations.restore import plan as restore_plan
from fluxstate_tui.operations.snapshot import Snapshot, describe, queue_words
from fluxstate_tui.operations.steps import RefusedError

# What a migration means, in plain lines: what moves, what waits, what is lost, how to go back.


def preview(
    seen: Snapshot, target: Target, choices: Choices, wide: Sequence[Job]
) -> tuple[str, ...]:
    """`wide` are the waiting jobs that do not fit the new size and do fit the old one."""
    sizes = f"from {pods(seen.minicluster.size)} to {pods(target.size)}"
    stuck = blocking(seen, target)
    lines = [
        f"STUCK: {stuck}." if stuck else "",
        f"{describe(seen.jobs or ())} move {sizes}.",
        *_fit(seen, target, choices, wide),
        *_running(seen, choices),
        "From then on the old queue is stopped and refuses new jobs.",
        f"The new one runs the image {choices.image}." if choices.image else "",
        _volume(seen, target),
        *_way(seen, target),
        _end(seen),
    ]
    return tuple(line for line in lines if line)


def _running(seen: Snapshot, choices: Choices) -> list[str]:
    if not seen.running:
        return []
    count = len(seen.running)
    if choices.running is Running.CANCEL:
        return [f"CANCEL {plural(count, 'running job')} first."]
    return [f"Wait for {plural(count, 'running job')} first ({expect(seen.running, seen.now)})."]


def _fit(seen: Snapshot, target: Target, choices: Choices, wide: Sequence[Job]) -> list[str]:
    if wide:
        return [f"LOST: {plural(len(wide), 'job')} that need more nodes come back FAILED."]
    waiting = len(seen.pending)
    lines = [f"{plural(waiting, 'waiting job')} will wait there."] if waiting else []
    if not (seen.running and choices.running is Running.CANCEL):
        lines.append("Nothing is lost.")
    return lines


def _volume(seen: Snapshot, target: Target) -> str:
    """Whether both sides see the same files; what is done is the same: they are compared."""
    volume = archive_volume(seen.minicluster.raw.get("spec") or {}) or {}
    claim, path = volume.get("claimName"), volume.get("hostPath")
    same_namespace = target.ref.namespace == seen.minicluster.ref.namespace
    if target.place or (claim and not same_namespace):
        return "It has another volume: the archive is copied there and compared by sha256."
    if claim:
        return f"Both share the volume claim {claim}: the archive is read from there."
    if path:
        return (
            f"The archive is read from {path} of the new one's node, and copied there if that is "
            "another node."
        )
    return "The archive is copied to the new one's volume if it is another one."


def _way(seen: Snapshot, target: Target) -> list[str]:
    ref = seen.minicluster.ref
    if target.beside:
        return [
            f"The name {target.ref.name} is free: it is created beside {ref.name}, queue stopped.",
            _unofficial(seen),
            f"It is armed at {target.archive_path} until every job is accounted for.",
            "The old one is deleted only when every job is accounted for in the new one.",
            "Stopped before that, the new one is removed and the old one goes on as it was.",
        ]
    return [
        f"The name is needed, so the old {ref.name} is deleted before the new one is created.",
        "Until that one runs, the verified archive holds every job.",
        "Stopped before that, the old one is restored from it as it was.",
    ]


def _unofficial(seen: Snapshot) -> str:
    if restores_stopped(seen.core_version, seen.queues or ()):
        return "That is an unofficial interface of flux-core; should it fail, it is stopped then."
    return (
        f"flux-core {seen.core_version} cannot do that: it is stopped as soon as it answers, and "
        "jobs that begin there before run again here if you stop the migration."
    )


def _end(seen: Snapshot) -> str:
    if not seen.started:
        return "The queue stays stopped there, as it is here."
    words = queue_words(seen.started)
    return f"The last step starts {words} there."


def pods(count: int) -> str:
    """`1 pod`, `4 pods`."""
    return plural(count, "pod")


REACH = Step("reach", "Read the archive from the new one's volume", "sha256sum FOLDER/ID.tar.gz")
AGREE = Step("agree", "Compare both sides once more", "flux jobs -a -c0 --json")
OPEN = Step("open", "Put the queue back as it was", "flux queue start --all")

# Tells an undo which MiniCluster is the one that this very migration created.
TOKEN = "fluxstate/migration"


@dataclass(frozen=True, slots=True)
class Target:
    """The MiniCluster to create. `beside` says that it can live at the same time as the old one.

    `place` names the other context for people, '' for the same one.
    """

    manifest: dict[str, Any]
    beside: bool
    place: str = ""

    @property
    def ref(self) -> ClusterRef:
        """Its namespace and name; the uid is not known yet."""
        metadata = self.manifest["metadata"]
        return ClusterRef(metadata["namespace"], metadata["name"], "")

    @property
    def size(self) -> int:
        """Number of pods."""
        return int(self.manifest["spec"].get("size", 1))

    @property
    def ranks(self) -> int:
        """Number of ranks that its Flux knows of, up or down."""
        return max(self.size, int(self.manifest["spec"].get("maxSize") or 0))

    @property
    def archive_path(self) -> str:
        """Where its brokers look for an archive when they start."""
        return str(self.manifest["spec"]["archive"]["path"])

    def __str__(self) -> str:
        return f"{self.ref}" + (f" in context {self.place}" if self.place else "")


def target_of(seen: Snapshot, choices: Choices, place: str, token: str) -> Target:
    """The old MiniCluster's own manifest with what was chosen. Raises ManifestError, RefusedError.

    Beside a living one it gets another archive.path: an archive that is armed for the new one must
    never lie where a restarted container of the old one would load it.
    """
    source = seen.minicluster
    name = choices.to_name or source.ref.name
    namespace = choices.to_namespace or source.ref.namespace
    beside = bool(place) or (namespace, name) != (source.ref.namespace, source.ref.name)
    manifest = for_create(source.raw, name=name, size=choices.size)
    manifest["metadata"]["namespace"] = namespace
    manifest["metadata"].setdefault("annotations", {})[TOKEN] = token
    if choices.image:
        container = container_of(manifest["spec"])
        if container is None:
            raise RefusedError("no single container of it runs Flux", safe="Nothing was done.")
        container["image"] = choices.image
    if beside and source.archive_path:
        path = _own_path(source.archive_path, namespace, name)
        manifest["spec"]["archive"] = {**manifest["spec"]["archive"], "path": path}
    return Target(manifest, beside, place)


def _own_path(old: str, namespace: str, name: str) -> str:
    """In the same folder, so that both share one catalog if they share the volume."""
    folder = posixpath.dirname(old)
    for candidate in (name, f"{namespace}-{name}", f"{namespace}-{name}-new"):
        path = posixpath.join(folder, f"{candidate}.tar.gz")
        if path != posixpath.normpath(old):
            break
    return path


def plan(seen: Snapshot, target: Target, choices: Choices) -> Plan:
    """The steps of a migration. Raises FluxstateError when it cannot be done, and why."""
    ref = seen.minicluster.ref
    _require(seen, target, choices)
    before = [*delete.saving_steps(), delete.COMPARE, REACH]
    arrive = [
        restore_plan.CHECK,
        restore_plan.ARM,
        restore_plan.CREATE,
        restore_plan.START,
        restore_plan.ACCOUNT,
        restore_plan.CHECKPOINT,
        restore_plan.DISARM,
    ]
    if target.beside:
        steps = [*before, *arrive, AGREE, delete.DELETE, OPEN, delete.GONE]
    else:
        steps = [*before, delete.DELETE, delete.GONE, *arrive, OPEN]
    lines = preview(seen, target, choices, too_wide(seen, target))
    arrival = Arrival(target.ref, target.size, target.beside, choices.image, target.place)
    consent = _consent(seen, target, choices)
    return Plan(
        operation=OperationKind.MIGRATE,
        target=ref,
        steps=tuple(steps),
        preview=lines,
        consent=consent,
        arrival=arrival,
    )


def saving_choices(choices: Choices) -> Choices:
    """How the queue is saved: nothing may run in the new one before every job is accounted for."""
    return Choices(choices.running, choices.wait_seconds, keep_paused=True, restore_paused=True)


def _require(seen: Snapshot, target: Target, choices: Choices) -> None:
    saving.require_saveable(seen)
    if choices.running is Running.LEAVE:
        raise RefusedError(
            "a migration does not leave running jobs behind",
            safe="Nothing was done.",
            advice="Wait for them, or cancel them (--cancel-running).",
        )
    if dies_with_it(seen.minicluster.raw.get("spec") or {}):
        raise RefusedError(
            "the volume of its archives belongs to the MiniCluster and is removed with it",
            safe="Nothing was done.",
            advice="Copy an archive to another volume (fluxstate-tui archives fetch), and restore.",
        )
    if seen.going_claim:
        raise RefusedError(
            f"the volume claim {seen.going_claim} of its archives is being deleted",
            safe="Nothing was done.",
            advice="Copy an archive to this computer (fluxstate-tui archives fetch).",
        )
    if target.size < 1:
        raise RefusedError("a MiniCluster has at least one pod", safe="Nothing was done.")


def too_wide(seen: Snapshot, target: Target) -> tuple[Job, ...]:
    """Waiting jobs that fit the old size and not the new one: Flux would fail them for good."""
    old = max(seen.minicluster.size, seen.minicluster.max_size or 0)
    return tuple(job for job in seen.pending if target.ranks < (job.nnodes or 1) <= old)


def blocking(seen: Snapshot, target: Target) -> str:
    """That a job waits there for nodes that are down, with all behind it; '' if none does."""
    waiting = [job for job in seen.pending if job.urgency > 0 and not job.dependencies]
    wide = [job for job in waiting if target.size < (job.nnodes or 1) <= target.ranks]
    if not wide:
        return ""
    first = min(wide, key=turn)
    behind = sum(turn(job) > turn(first) for job in waiting)
    return str(Blocker(first, first.nnodes or 1, target.size, behind))


def newly_refused(before: RestorePreview, after: RestorePreview) -> frozenset[int]:
    """Jobs that would not run on the new size but do on the old one."""
    bad = (PredictedOutcome.NEVER_FITS, PredictedOutcome.FAILED, PredictedOutcome.NO_QUEUE)

    def ids(one: RestorePreview) -> frozenset[int]:
        return frozenset(found.job.id for fate in bad for found in one.of(fate))

    return ids(after) - ids(before)


def _consent(seen: Snapshot, target: Target, choices: Choices) -> Consent:
    ref = seen.minicluster.ref
    lost = []
    cancelled = len(seen.running) if choices.running is Running.CANCEL else 0
    if cancelled:
        lost.append(f"cancels {plural(cancelled, 'running job')}")
    wide = len(too_wide(seen, target))
    if wide:
        lost.append(f"fails {plural(wide, 'waiting job')} that never fit")
    stuck = blocking(seen, target)
    stuck = f" {stuck}." if stuck else ""
    if lost:
        question = f"Migrating {ref} {' and '.join(lost)}.{stuck}"
        return Consent(ConsentKind.TYPE_NAME, question, ref.name, cancelled + wide)
    size = pods(target.size)
    return Consent(ConsentKind.CONFIRM, f"Migrate {ref} to {target} with {size}?{stuck}")


# What a migration may need to do on both sides, asked before anything is touched.
#
# Refused in the middle it would be undone, after the queue was closed, saved and restored for
# nothing.


async def require_rights(
    source: OperationContext, old: str, destination: OperationContext, new: str
) -> None:
    """Raise Forbidden for the first right that is missing; `old` and `new` are the namespaces.

    The helper pod, exec and the undo belong to the new side, the delete to the old one.
    """
    for context, namespace, verbs in (
        (source, old, ("delete",)),
        (destination, new, ("create", "delete")),
    ):
        resource = await context.cluster.minicluster_resource()
        for verb in verbs:
            await _rights_require(context, verb, resource, namespace)
    for verb in ("create", "delete"):
        await _rights_require(destination, verb, PODS, new)
    for verb in ("get", "create"):
        await _rights_require(destination, verb, PODS, new, "exec")


async def _rights_require(
    context: OperationContext, verb: str, resource: Resource, namespace: str, sub: str = ""
) -> None:
    access = context.cluster.access
    try:
        allowed = await access.can(verb, resource, namespace, subresource=sub)
    except FluxstateError:
        return  # where it may not be asked, the request itself will say
    if not allowed:
        name = f"{resource.plural}/{sub}" if sub else resource.plural
        info = RequestInfo(verb, resource.group, name, namespace, "")
        raise Forbidden(info, "", context.cluster.user)
