"""The states and results of jobs as people see them."""

from __future__ import annotations

from typing import Final

from fluxstate_tui.flux.job import Job, JobResult, JobState
from fluxstate_tui.formatting import Word

JOB_STATES: Final[dict[JobState, Word]] = {
    JobState.NEW: Word("·", "NEW", "off"),
    JobState.DEPEND: Word("◇", "DEPEND", "wait"),
    JobState.PRIORITY: Word("◌", "PRIORITY", "wait"),
    JobState.SCHED: Word("◌", "SCHED", "wait"),
    JobState.RUN: Word("▶", "RUN", "busy"),
    JobState.CLEANUP: Word("▷", "CLEANUP", "busy"),
    JobState.INACTIVE: Word("·", "INACTIVE", "off"),
}
JOB_RESULTS: Final[dict[JobResult, Word]] = {
    JobResult.COMPLETED: Word("✓", "COMPLETED", "ok"),
    JobResult.FAILED: Word("✗", "FAILED", "bad"),
    JobResult.CANCELED: Word("⊘", "CANCELED", "off"),
    JobResult.TIMEOUT: Word("◷", "TIMEOUT", "bad"),
}


def job_word(job: Job) -> Word:
    """The result of an inactive job, else its state."""
    if job.state is JobState.INACTIVE and job.result is not None:
        return JOB_RESULTS[job.result]
    return JOB_STATES[job.state]
