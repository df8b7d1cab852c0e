"""What a migration means, in plain lines: what moves, what waits, what is lost, how to go back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fluxstate_tui.model.job import Job
from fluxstate_tui.model.queue import restores_stopped
from fluxstate_tui.operations.catalogue.place import archive_volume
from fluxstate_tui.operations.choices import Choices, Running
from fluxstate_tui.operations.queue.running_jobs import expect
from fluxstate_tui.operations.world.observation import Observation, counted, describe, queue_words

if TYPE_CHECKING:
    from fluxstate_tui.operations.migrate.plan import Target


def preview(
    seen: Observation, target: Target, choices: Choices, wide: Sequence[Job]
) -> tuple[str, ...]:
    """`wide` are the waiting jobs that do not fit the new size and do fit the old one."""
    sizes = f"from {pods(seen.minicluster.size)} to {pods(target.size)}"
    lines = [
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


def _running(seen: Observation, choices: Choices) -> list[str]:
    if not seen.running:
        return []
    count = len(seen.running)
    if choices.running is Running.CANCEL:
        return [f"CANCEL {counted(count, 'running job')} first."]
    return [f"Wait for {counted(count, 'running job')} first ({expect(seen.running, seen.now)})."]


def _fit(seen: Observation, target: Target, choices: Choices, wide: Sequence[Job]) -> list[str]:
    if wide:
        return [f"LOST: {counted(len(wide), 'job')} that need more nodes come back FAILED."]
    waiting = len(seen.pending)
    lines = [f"{counted(waiting, 'waiting job')} will wait there."] if waiting else []
    if not (seen.running and choices.running is Running.CANCEL):
        lines.append("Nothing is lost.")
    return lines


def _volume(seen: Observation, target: Target) -> str:
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


def _way(seen: Observation, target: Target) -> list[str]:
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


def _unofficial(seen: Observation) -> str:
    if restores_stopped(seen.core_version, seen.queues or ()):
        return "That is an unofficial interface of flux-core; should it fail, it is stopped then."
    return (
        f"flux-core {seen.core_version} cannot do that: it is stopped as soon as it answers, and "
        "jobs that begin there before run again here if you stop the migration."
    )


def _end(seen: Observation) -> str:
    if not seen.started:
        return "The queue stays stopped there, as it is here."
    words = queue_words(seen.started)
    return f"The last step starts {words} there."


def pods(count: int) -> str:
    """`1 pod`, `4 pods`."""
    return counted(count, "pod")
