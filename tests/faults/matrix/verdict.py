"""What must hold after a fault, whatever it was: the five conditions of issue 5."""

from __future__ import annotations

from fluxstate_tui.operations import audit, journal
from fluxstate_tui.operations import recovery as recover
from fluxstate_tui.operations.base import OutcomeKind
from fluxstate_tui.operations.recovery import Finding

from .look import helpers, in_archives, in_copies, jobs_now, living
from .trial import Trial


async def verdict(trial: Trial, findings: list[Finding]) -> list[str]:
    """All that is wrong; `findings` is what the next start of the program says."""
    return [
        *_no_job_is_lost(trial),
        *_good_archives_are_there(trial),
        *_no_queue_stays_stopped_unnoticed(trial, findings),
        *_the_journal_tells_the_truth(trial, findings),
    ]


def _no_job_is_lost(trial: Trial) -> list[str]:
    copied = in_copies(trial.me.context.state_dir)
    lost = trial.required - jobs_now(trial.stage) - in_archives(trial.stage) - copied
    return [f"LOST: {len(lost)} jobs are in no queue and in no sound archive"] if lost else []


def _good_archives_are_there(trial: Trial) -> list[str]:
    now, may_go = trial.stage.finished(), trial.scenario.removes(trial.attic)
    found = []
    for name, sha256 in trial.good.items():
        if name in trial.damaged or (name in may_go and name not in now):
            continue
        if now.get(name) != sha256:
            found.append(f"ARCHIVE: {name} is {'changed' if name in now else 'gone'}")
    return found


def _no_queue_stays_stopped_unnoticed(trial: Trial, findings: list[Finding]) -> list[str]:
    told = {(one.record.target.name, one.next) for one in findings}
    pausing = trial.scenario.name == "pause"
    meant = pausing and (trial.completed or trial.taken_up or bool(trial.rivals or findings))
    meant |= pausing and trial.killed and _says_completed(trial)
    found = []
    for one in living(trial.stage).values():
        was_open = trial.was_open.get(one.name, True)
        if one.jobs is None or one.open or one.leaving or not was_open or meant:
            continue
        said = any(f"/{one.name} " in " ".join(finding.says) for finding in findings)
        if (one.name, "resume") not in told and not said:
            found.append(f"STOPPED: the queue of {one.name}, and nobody is told")
    if trial.stage.armed() and not trial.was_armed and not any(word for _, word in told):
        found.append("ARMED: an archive, and nobody is told")
    return found


def _says_completed(trial: Trial) -> bool:
    """It was killed after it had written its outcome."""
    paths = (trial.me.context.state_dir / "journal").glob("*.jsonl")
    records = [record for path in paths if (record := journal.read(path)) is not None]
    return any((one.outcome or {}).get("ended") == "Completed" for one in records)


def _the_journal_tells_the_truth(trial: Trial, findings: list[Finding]) -> list[str]:
    state_dir = trial.me.context.state_dir
    records = [journal.read(path) for path in sorted((state_dir / "journal").glob("*.jsonl"))]
    found = []
    if problem := audit.read(state_dir).problem:
        found.append(f"AUDIT: {problem}")
    if None in records:
        found.append("JOURNAL: one cannot be read")
    if any(not one.says for one in findings):
        found.append("JOURNAL: nothing is said about an unfinished operation")
    known = {one.record.path for one in findings}
    if any(one.outcome is None and one.path not in known for one in records if one is not None):
        found.append("JOURNAL: no outcome, and not found")
    return found if trial.killed else found + _the_outcome_is_true(trial, findings)


def _the_outcome_is_true(trial: Trial, findings: list[Finding]) -> list[str]:
    stage, outcome = trial.stage, trial.outcome
    found = []
    if helpers(stage) and not trial.may_litter:
        found.append(f"LEFT: {helpers(stage)}")
    if outcome is None:
        return found + (["JOURNAL: unfinished, though nothing began"] if findings else [])
    if outcome.kind is not OutcomeKind.COMPLETED:
        return found if outcome.reason else [*found, "SILENT: no reason is given"]
    if findings:
        found.append("JOURNAL: completed, but unfinished")
    missing = trial.scenario.reached(stage, trial.attic, trial.wanted)
    if missing and not trial.changed_since:
        found.append(f"FALSE: it says completed, but {missing}")
    return found


async def look_again(trial: Trial) -> list[Finding]:
    """What a fresh start of the program finds."""
    context = trial.me.context
    return [await recover.look(context, one) for one in journal.unfinished(context.state_dir)]
