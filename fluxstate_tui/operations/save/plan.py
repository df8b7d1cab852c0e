"""What a save is going to do: a pure function of what was seen and chosen."""

from __future__ import annotations

import posixpath

from fluxstate_tui.archive.catalogue import folder_of
from fluxstate_tui.archive.ownership import identity_of, not_of_others
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.model.queue import restores_stopped
from fluxstate_tui.operations.choices import Choices, Running
from fluxstate_tui.operations.plan import Consent, ConsentKind, Plan, Step
from fluxstate_tui.operations.queue.checkpoint import comes_up_stopped
from fluxstate_tui.operations.queue.running_jobs import duration, expect
from fluxstate_tui.operations.world.observation import Observation, counted, describe, queue_words

PAUSE = Step("pause", "Stop the queue", "flux queue stop --all -m REASON")
WAIT = Step("wait", "Wait for running jobs", "flux queue idle")
COMMIT = Step("commit", "Commit the state to the KVS", "flux kvs put --sync fluxstate.saved=TIME")
DUMP = Step("dump", "Dump to a temporary name", "flux dump FOLDER/.part-ID.tar.gz")
VERIFY = Step(
    "verify", "Read it out and compare every job", "flux start --recovery=ARCHIVE flux jobs -a"
)
ENTER = Step("enter", "Enter it into the catalogue", "ln FOLDER/.part-ID.tar.gz FOLDER/ID.tar.gz")
MANIFEST = Step("manifest", "Write the manifest and read it back", "cat FOLDER/ID.json")
RESUME = Step("resume", "Put the queue back", "flux queue start --all")

# A rough upper bound of what one job adds to a .tar.gz (facts/flux.md, f: 290 bytes measured),
# with room for long command lines and for output, which is archived too.
BYTES_PER_JOB = 4096
FIXED_BYTES = 65536


def plan(seen: Observation, choices: Choices) -> Plan:
    """The steps of a save and what they mean for the jobs. Raises when it cannot be done."""
    require_saveable(seen)
    steps = [PAUSE, WAIT, COMMIT, DUMP, VERIFY, ENTER, MANIFEST]
    if not choices.keep_paused:
        steps.append(RESUME)
    consent = Consent(ConsentKind.NONE, "Save the queue?")
    if seen.running and choices.running is Running.LEAVE:
        consent = Consent(ConsentKind.CONFIRM, f"{_running_line(seen, choices)} Go on?")
    elif cancelled(seen, choices):
        question = f"Saving {seen.minicluster.ref} {cancelled(seen, choices)}."
        word = seen.minicluster.ref.name
        consent = Consent(ConsentKind.TYPE_NAME, question, word, len(seen.running))
    return Plan("save", seen.minicluster.ref, tuple(steps), preview(seen, choices), consent)


def preview(seen: Observation, choices: Choices) -> tuple[str, ...]:
    """In plain lines: what is saved where, who has to wait, and how it comes up again."""
    afterwards = (
        "The queue stays paused afterwards."
        if choices.keep_paused
        else "Afterwards the queue is as it is now."
    )
    return (*preview_of_dump(seen, choices), afterwards, *preview_of_restore(seen, choices))


def preview_of_dump(seen: Observation, choices: Choices) -> list[str]:
    """What is saved where, and who has to wait."""
    lines = [
        f"Save {describe(seen.jobs or ())} into {folder_of(seen.minicluster.archive_path)}.",
    ]
    if seen.started:
        lines.append(f"Stop {queue_words(seen.started)} until it is done; pending jobs wait.")
    if seen.running:
        lines.append(_running_line(seen, choices))
    return lines


def preview_of_restore(seen: Observation, choices: Choices) -> list[str]:
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


def require_saveable(seen: Observation) -> None:
    """Raise FluxstateError with the reason when this MiniCluster cannot be saved."""
    if seen.jobs is None or seen.queues is None:
        raise FluxstateError(
            f"Flux cannot be asked for its queue: {seen.unreachable or 'no broker'}",
            safe="Nothing was done.",
            advice="Wait until the MiniCluster is Up; its archives in the catalogue stay usable.",
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
    need = room_needed(seen)
    if seen.free is not None and seen.free < need:
        raise FluxstateError(
            f"the volume has {seen.free:,} bytes free; an archive may need {need:,}",
            safe="Nothing was done; the archives there are untouched.",
            advice="Remove archives that are not needed, or enlarge the volume.",
        )


def room_needed(seen: Observation) -> int:
    """Bytes that an archive may take: estimated from the jobs, at least twice the last archive."""
    me = identity_of(seen.minicluster.ref, seen.minicluster.raw)
    mine = not_of_others(seen.catalogue, me)
    newest = max(mine, key=lambda entry: entry.modified, default=None)
    estimate = FIXED_BYTES + BYTES_PER_JOB * len(seen.jobs or ())
    return max(estimate, 2 * newest.size if newest else 0)


def cancelled(seen: Observation, choices: Choices) -> str:
    """Which work is lost for good by what was chosen, '' if none is: that takes typing a name."""
    if not seen.running or choices.running is not Running.CANCEL:
        return ""
    work = sum(job.runtime(seen.now) or 0.0 for job in seen.running)
    jobs = counted(len(seen.running), "running job")
    return f"cancels {jobs}; {duration(work)} of work is lost"


def _running_line(seen: Observation, choices: Choices) -> str:
    jobs = counted(len(seen.running), "running job")
    expected = expect(seen.running, seen.now)
    match choices.running:
        case Running.WAIT:
            return f"Wait for {jobs} ({expected})."
        case Running.WAIT_AT_MOST:
            limit = duration(choices.wait_seconds or 0)
            return f"Wait for {jobs}, at most {limit} (they may take {expected})."
        case Running.CANCEL:
            return f"CANCEL {jobs}: they end as CANCELED."
        case Running.LEAVE:
            return f"After a restore, {jobs} will be FAILED, without output."
