"""What a migration is going to do: pure functions of what was seen and of what is wanted."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.archive.preview import Fate, RestorePreview
from fluxstate_tui.kube.manifest import for_create
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue.place import container_of, dies_with_it
from fluxstate_tui.operations.choices import Choices, Running
from fluxstate_tui.operations.delete import plan as delete_plan
from fluxstate_tui.operations.migrate import preview as migrate_preview
from fluxstate_tui.operations.plan import Arrival, Consent, ConsentKind, Plan, Step
from fluxstate_tui.operations.restore import plan as restore_plan
from fluxstate_tui.operations.save import plan as save_plan
from fluxstate_tui.operations.script import RefusedError
from fluxstate_tui.operations.world.observation import Observation, counted

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
    def archive_path(self) -> str:
        """Where its brokers look for an archive when they start."""
        return str(self.manifest["spec"]["archive"]["path"])

    def __str__(self) -> str:
        return f"{self.ref}" + (f" in context {self.place}" if self.place else "")


def target_of(seen: Observation, choices: Choices, place: str, token: str) -> Target:
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
    """In the same folder, so that both share one catalogue if they share the volume."""
    folder = posixpath.dirname(old)
    for candidate in (name, f"{namespace}-{name}", f"{namespace}-{name}-new"):
        path = posixpath.join(folder, f"{candidate}.tar.gz")
        if path != posixpath.normpath(old):
            break
    return path


def plan(seen: Observation, target: Target, choices: Choices) -> Plan:
    """The steps of a migration. Raises FluxstateError when it cannot be done, and why."""
    ref = seen.minicluster.ref
    _require(seen, target, choices)
    before = [*delete_plan.saving_steps(), delete_plan.COMPARE, REACH]
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
        steps = [*before, *arrive, AGREE, delete_plan.DELETE, OPEN, delete_plan.GONE]
    else:
        steps = [*before, delete_plan.DELETE, delete_plan.GONE, *arrive, OPEN]
    lines = migrate_preview.preview(seen, target, choices, too_wide(seen, target))
    arrival = Arrival(target.ref, target.size, target.beside, choices.image, target.place)
    consent = _consent(seen, target, choices)
    return Plan("migrate", ref, tuple(steps), lines, consent, arrival)


def saving_choices(choices: Choices) -> Choices:
    """How the queue is saved: nothing may run in the new one before every job is accounted for."""
    return Choices(choices.running, choices.wait_seconds, keep_paused=True, restore_paused=True)


def _require(seen: Observation, target: Target, choices: Choices) -> None:
    save_plan.require_saveable(seen)
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


def too_wide(seen: Observation, target: Target) -> tuple[Job, ...]:
    """Waiting jobs that fit the old size and not the new one: Flux would fail them for good."""
    old = seen.minicluster.size
    return tuple(job for job in seen.pending if target.size < (job.nnodes or 1) <= old)


def newly_refused(before: RestorePreview, after: RestorePreview) -> frozenset[int]:
    """Jobs that would not run on the new size but do on the old one."""
    bad = (Fate.NEVER_FITS, Fate.FAILED, Fate.NO_QUEUE)

    def ids(one: RestorePreview) -> frozenset[int]:
        return frozenset(found.job.id for fate in bad for found in one.of(fate))

    return ids(after) - ids(before)


def _consent(seen: Observation, target: Target, choices: Choices) -> Consent:
    ref = seen.minicluster.ref
    lost = []
    cancelled = len(seen.running) if choices.running is Running.CANCEL else 0
    if cancelled:
        lost.append(f"cancels {counted(cancelled, 'running job')}")
    wide = len(too_wide(seen, target))
    if wide:
        lost.append(f"fails {counted(wide, 'waiting job')} that never fit")
    if lost:
        question = f"Migrating {ref} {' and '.join(lost)}."
        return Consent(ConsentKind.TYPE_NAME, question, ref.name, cancelled + wide)
    size = migrate_preview.pods(target.size)
    return Consent(ConsentKind.CONFIRM, f"Migrate {ref} to {target} with {size}?")
