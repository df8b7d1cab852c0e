"""What a delete is going to do and what would be lost: pure functions of what was seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fluxstate_tui.archive.manifest import CatalogueEntry
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue.place import dies_with_it
from fluxstate_tui.operations.choices import Choices, Running
from fluxstate_tui.operations.delete.loss import Loss
from fluxstate_tui.operations.plan import Consent, ConsentKind, Plan, Step
from fluxstate_tui.operations.save import plan as save_plan
from fluxstate_tui.operations.world.observation import Observation, describe

CLOSE = Step("close", "Stop the queue and refuse new jobs", "flux queue disable --all -m REASON")
COMPARE = Step("compare", "Compare the live queue with the archive", "flux jobs -a -c0 --json")
DELETE = Step("delete", "Delete the MiniCluster", "kubectl delete minicluster NAME")
GONE = Step("gone", "Wait until everything it owned is gone", "kubectl get pods,jobs,cm,svc")

SOUND_LEVELS = ("L1", "L2", "L3")


@dataclass(frozen=True, slots=True)
class Cover:
    """The archive that a delete relies on, and what it does not have. None: there is no such.

    `beyond` says which archives hold jobs that the live queue does not: it may have gone back.
    """

    entry: CatalogueEntry | None
    loss: Loss
    problem: str = ""
    beyond: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """True when every live job is in a verified archive as it is now."""
        return self.entry is not None and not self.problem and self.loss.nothing


def candidates(catalogue: Iterable[CatalogueEntry], ref: ClusterRef) -> list[CatalogueEntry]:
    """Archives that may stand for this MiniCluster: same uid, idle, verified. Newest first."""
    fitting = [
        entry
        for entry in catalogue
        if entry.manifest is not None
        and not entry.problem
        and entry.manifest.uid == ref.uid
        and entry.manifest.idle
        and entry.manifest.verified in SOUND_LEVELS
    ]
    return sorted(fitting, key=lambda entry: entry.manifest.created if entry.manifest else 0.0)[
        ::-1
    ]


def plan(seen: Observation, cover: Cover, choices: Choices) -> Plan:
    """The steps of a delete. Without a complete cover the name must be typed."""
    ref = seen.minicluster.ref
    steps = [CLOSE, COMPARE, DELETE, GONE]
    if seen.jobs is None:
        steps = [DELETE, GONE]
    if choices.save_first:
        # Raises when it cannot be saved: then there is nothing to offer.
        save_plan.require_saveable(seen)
        steps = [*saving_steps(), COMPARE, DELETE, GONE]
    return Plan(
        "delete", ref, tuple(steps), preview(seen, cover, choices), _consent(seen, cover, choices)
    )


def saving_steps() -> list[Step]:
    """A save before a delete. No new job is accepted from before the dump on: none is missed."""
    steps = [save_plan.PAUSE, save_plan.WAIT, CLOSE]
    return [
        *steps,
        save_plan.COMMIT,
        save_plan.DUMP,
        save_plan.VERIFY,
        save_plan.ENTER,
        save_plan.MANIFEST,
    ]


def preview(seen: Observation, cover: Cover, choices: Choices) -> tuple[str, ...]:
    """What will be gone, by state, and what stays."""
    ref = seen.minicluster.ref
    lines = [f"Delete {ref} (uid {ref.uid[:8]}): its pods, its brokers and its live queue."]
    if seen.jobs is None:
        lines.append(f"Its queue cannot be read ({seen.unreachable}): what is lost is UNKNOWN.")
    if choices.save_first:
        lines += save_plan.preview_of_dump(seen, choices)
        lines += save_plan.preview_of_restore(seen, choices)
        lines.append("It is deleted only if every job was read back out of that archive.")
    elif cover.complete and cover.entry is not None:
        jobs = describe(seen.jobs or ())
        what = "Nothing of the live queue" if cover.beyond else "Nothing"
        lines.append(f"{what} is lost: {cover.entry.id} has every job as it is now ({jobs}).")
    else:
        lines += [cover.problem] if cover.problem else []
        if cover.entry is not None:
            lines.append(f"The verified archive that has most of it is {cover.entry.id}:")
        lines += cover.loss.explain()
    lines += cover.beyond
    lines.append(_volume_line(seen))
    return tuple(lines)


def _volume_line(seen: Observation) -> str:
    if seen.going_claim:
        return (
            f"DANGER: the volume claim {seen.going_claim} is being deleted. It goes with the last "
            "pod, and every archive may go with it. Copy them first: fluxstate-tui archives fetch."
        )
    if not _volume_dies(seen):
        return "The volume and the catalogue stay."
    return (
        "DANGER: the volume belongs to the MiniCluster (v1alpha1): the operator removes it with "
        "every archive on it, unless its storage keeps the files. Copy them first."
    )


def _volume_dies(seen: Observation) -> bool:
    return bool(seen.going_claim) or dies_with_it(seen.minicluster.raw.get("spec") or {})


def _consent(seen: Observation, cover: Cover, choices: Choices) -> Consent:
    ref = seen.minicluster.ref
    if _volume_dies(seen):
        what = f"Deleting {ref} removes the volume with its archives."
        return Consent(ConsentKind.TYPE_NAME, what, ref.name, None)
    if choices.save_first:
        if seen.running and choices.running in (Running.CANCEL, Running.LEAVE):
            loses = save_plan.cancelled(seen, choices)
            loses = loses or f"leaves {len(seen.running)} running jobs, which come back FAILED"
            question = f"Deleting {ref} {loses}."
            return Consent(ConsentKind.TYPE_NAME, question, ref.name, len(seen.running))
        return Consent(ConsentKind.CONFIRM, f"Save {ref} and then delete it?")
    if cover.complete:
        return Consent(ConsentKind.CONFIRM, f"Delete {ref}? Every job is in a verified archive.")
    lost = None if seen.jobs is None else len(cover.loss.ids)
    what = "an unknown number of jobs" if lost is None else f"{lost} jobs"
    return Consent(
        ConsentKind.TYPE_NAME,
        f"Deleting {ref} loses {what if lost != 0 else 'its unsaved state'} that no archive has.",
        ref.name,
        lost,
    )
