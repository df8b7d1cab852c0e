"""What is asked before something is done to jobs: which of them, with what, and a clear yes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, OptionList

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.screens.dialog import Dialog
from fluxstate_tui.screens.job_fields import FIELDS, MistakeError, read_request
from fluxstate_tui.screens.job_requests import VERBS, JobAnswer, JobPlan, JobRequest, JobVerb, plan
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.choice_list import ChoiceList
from fluxstate_tui.widgets.job_words import job_word
from fluxstate_tui.widgets.line import Line, Part
from fluxstate_tui.widgets.panel import Panel
from fluxstate_tui.widgets.tones import color
from fluxstate_tui.widgets.words import plural

if TYPE_CHECKING:
    from fluxstate_tui.model.reference import ClusterRef
    from fluxstate_tui.screens.services import Services

MOST_SHOWN = 6
MOST_REFUSED = 3
MOST_SAID = 3
AGAIN = (
    "Each has its job's jobspec and directory, with later changes of the limit,",
    "and the environment of the lead container: a job's own is private.",
)


class JobActionDialog(Dialog[JobRequest]):
    """Fields of the action if it has any, the jobs that it will touch and skip, and a choice.

    What cannot be undone has "no" as its default.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "choose", id="job-action.choose", key_display="↵", priority=True)
    ]

    def __init__(self, name: str, verb: JobVerb, jobs: tuple[Job, ...]) -> None:
        what = f"1 job of {name}" if len(jobs) == 1 else f"{len(jobs)} jobs of {name}"
        super().__init__(f"{VERBS[verb].label} {what}?")
        self.verb = verb
        self.jobs = jobs

    def content(self) -> Iterable[Widget]:
        """Fields, preview, choices."""
        for name, label, start, hint in FIELDS.get(self.verb, ()):
            title, note = Line(classes="dialog-label"), Line(classes="dialog-note")
            title.say([(label, "$muted")])
            note.say([(hint, "$muted")])
            yield Horizontal(title, Input(start, id=name, compact=True), note, classes="dialog-row")
        yield Panel(id="job-preview", classes="dialog-text")
        yield ChoiceList()

    def on_mount(self) -> None:
        """Write the first field first, if there is one."""
        self._preview()
        first = next(iter(FIELDS.get(self.verb, ())), None)
        target = self.query_one(f"#{first[0]}") if first else self.query_one(ChoiceList)
        target.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Other fields, another preview."""
        event.stop()
        self._preview()

    def action_choose(self) -> None:
        """From a field go to the choices; there, do what is under the cursor."""
        options = self.query_one(ChoiceList)
        if not options.has_focus:
            options.focus()
            return
        self._chosen(options.highlighted)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click on a choice."""
        event.stop()
        self._chosen(event.option_index)

    def _chosen(self, index: int | None) -> None:
        if index == 0:
            self.dismiss(None)
        elif index == 1 and not self.query_one(ChoiceList).get_option_at_index(1).disabled:
            self.dismiss(self._request())

    def _request(self) -> JobRequest:
        fields = FIELDS.get(self.verb, ())
        written = {name: self.query_one(f"#{name}", Input).value for name, *_ in fields}
        return read_request(self.verb, written)

    def _preview(self) -> None:
        panel, options = self.query_one("#job-preview", Panel), self.query_one(ChoiceList)
        decided: JobPlan | None = None
        try:
            decided = plan(self._request(), self.jobs)
            panel.say(plan_rows(decided))
        except MistakeError as mistake:
            panel.say([[(str(mistake), "$state-warn")]])
        touched = len(decided.touched) if decided is not None else 0
        info = VERBS[self.verb]
        yes = f"{info.label}: {plural(touched, 'job')}"
        kept = options.highlighted
        offers = [Content("No, leave them alone"), Content(yes)]
        options.offer(offers, () if touched else (1,))
        start = 0 if info.final or touched == 0 else 1
        options.highlighted = start if kept is None or touched == 0 else max(kept, start)


def ask_and_act(
    app: App[Any], services: Services, ref: ClusterRef, verb: JobVerb, jobs: tuple[Job, ...]
) -> None:
    """Show what will happen to which jobs, and do it on a clear yes."""

    def answered(request: JobRequest | None) -> None:
        if request is not None:
            touched = plan(request, jobs).touched
            in_background(app, partial(act_on_jobs, services, ref, touched, request), "jobs")

    app.push_screen(JobActionDialog(ref.name, verb, jobs), answered)


async def act_on_jobs(
    services: Services, ref: ClusterRef, jobs: tuple[Job, ...], request: JobRequest
) -> None:
    """Do it, and say of each job what was read back or why it was refused."""
    ids = tuple(job.id for job in jobs)
    label = VERBS[request.verb].label
    try:
        answers = await services.actions.act_on_jobs(ref, ids, request)
    except FluxstateError as error:
        services.tell(f"{error.message} {error.advice}", f"Not done: {label}", "error")
        return
    refused = [answer for answer in answers if not answer.taken]
    lines = [f"{f58(a.id)} refused: {a.said}" for a in refused[:MOST_REFUSED]]
    if len(refused) > MOST_REFUSED:
        lines.append(f"and {len(refused) - MOST_REFUSED} more were refused")
    taken = [answer for answer in answers if answer.taken]
    lines[:0] = _said(taken, len(ids))
    title = f"{label} · {ref.name}"
    services.tell("\n".join(lines), title, "warning" if refused else "information")


def _said(taken: Sequence[JobAnswer], asked: int) -> list[str]:
    """One sentence where all say the same; else what was read back of each, of the first few."""
    if len(taken) > 1 and len({answer.said for answer in taken}) == 1:
        return [f"{len(taken)} of {plural(asked, 'job')}: {taken[0].said}"]
    lines = [f"{f58(answer.id)}: {answer.said}" for answer in taken[:MOST_SAID]]
    return [*lines, f"and {len(taken) - MOST_SAID} more"] if len(taken) > MOST_SAID else lines


def plan_rows(decided: JobPlan) -> list[list[Part]]:
    """The jobs that are touched, then those that are skipped and why, a few of each."""
    rows: list[list[Part]] = [_job_row(job) for job in decided.touched[:MOST_SHOWN]]
    rows += _and_more(len(decided.touched))
    if not decided.touched:
        rows.append([("None of these jobs.", "$state-warn")])
    if decided.skipped:
        left_alone = f"Skipped: {plural(len(decided.skipped), 'job')}"
        rows.append([(left_alone, "$state-warn")])
        for job, why in decided.skipped[:MOST_SHOWN]:
            rows.append([(f"{f58(job.id)}  {why}  ", "$muted"), (job.name, "$muted")])
        rows += _and_more(len(decided.skipped))
    if decided.request.verb == "again":
        rows += [[(text, "$muted")] for text in AGAIN]
    return rows


def _job_row(job: Job) -> list[Part]:
    word = job_word(job)
    state = (f"{word!s:<11} ", color(word.tone))
    return [(f"{f58(job.id)}  ", "$accent"), state, (job.name, "")]


def _and_more(count: int) -> list[list[Part]]:
    return [[(f"and {count - MOST_SHOWN} more", "$muted")]] if count > MOST_SHOWN else []
