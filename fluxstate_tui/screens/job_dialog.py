"""What is asked before jobs are cancelled."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import App

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.job_words import job_word
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.tones import color
from fluxstate_tui.widgets.words import plural

if TYPE_CHECKING:
    from fluxstate_tui.model.reference import ClusterRef
    from fluxstate_tui.screens.actions import JobVerb
    from fluxstate_tui.screens.services import Services

MOST_SHOWN = 8


def cancel_jobs(app: App[Any], services: Services, ref: ClusterRef, jobs: tuple[Job, ...]) -> None:
    """Ask, and cancel on a clear yes."""

    def answered(yes: bool | None) -> None:
        if yes:
            in_background(app, partial(act_on_jobs, services, ref, jobs, "cancel"))

    what = plural(len(jobs), "job")
    app.push_screen(
        ChoiceDialog(
            f"Cancel {what} of {ref.name}?",
            _lines(jobs),
            (
                Choice(False, "No, leave them alone"),
                Choice(True, f"Cancel {what}", "a job that is cancelled does not come back"),
            ),
        ),
        answered,
    )


async def act_on_jobs(
    services: Services, ref: ClusterRef, jobs: tuple[Job, ...], verb: JobVerb
) -> None:
    """Do it, and say what was read back or why it was refused."""
    try:
        said = await services.actions.act_on_jobs(ref, tuple(job.id for job in jobs), verb)
    except FluxstateError as error:
        services.tell(f"{error.message} {error.advice}", f"Not done: {verb}", "error")
        return
    services.tell(said, ref.name, "information")


def _lines(jobs: tuple[Job, ...]) -> list[list[Part]]:
    rows: list[list[Part]] = []
    for job in jobs[:MOST_SHOWN]:
        word = job_word(job)
        rows.append([(f"{f58(job.id)}  ", "$accent"), (f"{word!s:<11} ", color(word.tone))])
        rows[-1].append((job.name, ""))
    if len(jobs) > MOST_SHOWN:
        rows.append([(f"and {len(jobs) - MOST_SHOWN} more", "$muted")])
    return rows
