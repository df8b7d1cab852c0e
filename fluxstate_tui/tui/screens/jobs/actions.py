"""The keys that act on jobs: the same in the queue, for all marked jobs, and on one job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.app import App
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.dom import DOMNode
from textual.widget import Widget
from textual.widgets import Input, OptionList

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.formatting import plural
from fluxstate_tui.live.actions import (
    VERBS,
    JobAnswer,
    JobPlan,
    JobRequest,
    JobVerb,
    MistakeError,
    holds_or_releases,
    plan,
    read_request,
    why_not,
)
from fluxstate_tui.tasks import Course
from fluxstate_tui.tui.screens.dialog import Dialog
from fluxstate_tui.tui.screens.jobs.course import MANY, SHOWN, STOP_KEPT, CourseDialog, begin
from fluxstate_tui.tui.screens.words import READ_ONLY
from fluxstate_tui.tui.theme import color
from fluxstate_tui.tui.widgets.inputs import ChoiceList
from fluxstate_tui.tui.widgets.job_words import job_word
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part

if TYPE_CHECKING:
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.tui.screens.services import Services


_KEYS = ("menu", "cancel", "hold")


class JobKeys(DOMNode):
    """Subclasses say which jobs (`job_targets`) of which MiniCluster (`acts_on`) are meant.

    They bind `menu`, `cancel` and `hold`.
    """

    services: Services

    @property
    def acts_on(self) -> ClusterRef | None:
        """The MiniCluster whose jobs these are, None where nothing can be done to them."""
        raise NotImplementedError

    def job_targets(self) -> tuple[Job, ...]:
        """The marked jobs, or the one under the cursor."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what cannot be done to any of these jobs now, or to none at all (read-only)."""
        if action not in _KEYS:
            return super().check_action(action, parameters)
        if self.acts_on is None:
            return False
        jobs = self.job_targets()
        if self.services.read_only or not jobs:
            return None
        if action == "cancel":
            return True if any(not why_not("cancel", job) for job in jobs) else None
        if action == "hold":
            return True if holds_or_releases(jobs) is not None else None
        return True

    def why_grey(self, action: str) -> str:
        """Why a key with that action is grey, in a sentence; '' if that is not known."""
        if action not in _KEYS:
            ask = getattr(super(), "why_grey", None)
            return ask(action) if ask is not None else ""
        if self.services.read_only:
            return READ_ONLY
        jobs = self.job_targets()
        if not jobs:
            return "There is no job under the cursor."
        verb: JobVerb = "cancel" if action == "cancel" else "hold"
        whys = " or ".join(sorted({why for job in jobs if (why := why_not(verb, job))}))
        who = f58(jobs[0].id) if len(jobs) == 1 else f"Each of these {len(jobs)} jobs"
        return f"{who} {whys}." if whys else ""

    def action_menu(self) -> None:
        """Everything that can be done to these jobs."""

        ref, jobs = self.acts_on, self.job_targets()
        if ref is None or not jobs:
            return

        def chosen(verb: JobVerb | None) -> None:
            if verb is not None:
                self._ask(verb, jobs)

        self.app.push_screen(JobMenu(ref.name, jobs), chosen)

    def action_cancel(self) -> None:
        """Ask whether these jobs shall be cancelled."""
        if jobs := self.job_targets():
            self._ask("cancel", jobs)

    def action_hold(self) -> None:
        """Hold these jobs, or release them if all are held. One job at once, many with preview."""
        jobs, ref = self.job_targets(), self.acts_on
        verb = holds_or_releases(jobs)
        if verb is None or ref is None:
            return
        if len(jobs) > 1:
            self._ask(verb, jobs)
            return

        touched = plan(JobRequest(verb), jobs).touched
        begin_on_jobs(self.app, self.services, ref, touched, JobRequest(verb))

    def _ask(self, verb: JobVerb, jobs: tuple[Job, ...]) -> None:

        if self.acts_on is not None:
            ask_and_act(self.app, self.services, self.acts_on, verb, jobs)


# Everything that can be done to the chosen jobs; what cannot be done now is grey.


class JobMenu(Dialog[JobVerb]):
    """One line per action: what it means, and how many of the jobs it can be done to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "choose", id="job-menu.choose", key_display="↵", priority=True)
    ]

    def __init__(self, name: str, jobs: tuple[Job, ...]) -> None:
        super().__init__(f"{plural(len(jobs), 'job')} of {name}")
        self.jobs = jobs

    def content(self) -> Iterable[Widget]:
        """The actions."""
        yield ChoiceList()

    def on_mount(self) -> None:
        """The first possible action is under the cursor."""
        options = self.query_one(ChoiceList)
        offers = [self._offer(verb) for verb in VERBS]
        impossible = [number for number, (_, touched) in enumerate(offers) if not touched]
        options.offer([text for text, _ in offers], impossible)
        options.focus()
        options.action_first()

    def action_choose(self) -> None:
        """Give the action under the cursor."""
        options = self.query_one(ChoiceList)
        at = options.highlighted
        if at is not None and not options.get_option_at_index(at).disabled:
            self.dismiss(tuple(VERBS)[at])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click on an action."""
        event.stop()
        self.dismiss(tuple(VERBS)[event.option_index])

    def _offer(self, verb: JobVerb) -> tuple[Content, int]:
        """What it says, and how many of the jobs it can be done to."""
        decided = plan(JobRequest(verb), self.jobs)
        info, touched = VERBS[verb], len(decided.touched)
        hint = info.hint
        if not touched:
            reasons = {why for _, why in decided.skipped}
            hint = " or ".join(sorted(reasons))
        elif decided.skipped:
            hint = f"{touched} of {len(self.jobs)}: {hint}"
        return Content.assemble(f"{info.label:<14}", (hint, "$muted not bold")), touched


# What has to be written for an action on jobs.

Field = tuple[str, str, str, str]
"""Id, label, what stands there at first, a hint."""

FIELDS: Final[Mapping[JobVerb, tuple[Field, ...]]] = {
    "cancel": (("note", "note", "", "why, for its eventlog"),),
    "raise": (
        ("type", "type", "", "a word, e.g. attention"),
        ("severity", "severity", "0", "0 ends it, 1-7 only note"),
        ("note", "note", "", "why, for its eventlog"),
    ),
    "urgency": (("urgency", "urgency", "16", "0 (held) to 31"),),
    "limit": (("limit", "limit", "", "90s 10m 1.5h; 0 = none"),),
}


# What is asked before something is done to jobs: which of them, with what, and a clear yes.

MOST_SHOWN = 6
MOST_REFUSED = 3
MOST_SAID = 3
AGAIN = (
    "Each has its job's jobspec, directory, and limit and urgency of now,",
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
            begin_on_jobs(app, services, ref, plan(request, jobs).touched, request)

    app.push_screen(JobActionDialog(ref.name, verb, jobs), answered)


def begin_on_jobs(
    app: App[Any],
    services: Services,
    ref: ClusterRef,
    jobs: tuple[Job, ...],
    request: JobRequest,
) -> None:
    """Do it as a task that nothing cuts off; many have a dialog that counts and can stop it."""
    course = Course(len(jobs))
    title = f"{VERBS[request.verb].label} {plural(len(jobs), 'job')} of {ref.name}"
    work = partial(act_on_jobs, services, ref, jobs, request, course)
    run = begin(services, title, course, work)
    if len(jobs) > SHOWN:
        app.push_screen(CourseDialog(run))


async def act_on_jobs(
    services: Services,
    ref: ClusterRef,
    jobs: tuple[Job, ...],
    request: JobRequest,
    course: Course,
) -> None:
    """Do it, and say of each job what was read back or why it was refused."""
    ids = tuple(job.id for job in jobs)
    label = VERBS[request.verb].label
    try:
        answers = await services.actions.act_on_jobs(ref, ids, request, course)
    except FluxstateError as error:
        services.tell(f"{error.message} {error.advice}", f"Not done: {label}", "error")
        return
    refused = [answer for answer in answers if not answer.taken]
    lines = [f"{f58(a.id)} refused: {a.said}" for a in refused[:MOST_REFUSED]]
    if len(refused) > MOST_REFUSED:
        lines.append(f"and {len(refused) - MOST_REFUSED} more were refused")
    taken = [answer for answer in answers if answer.taken]
    unseen = sum(not answer.seen for answer in taken)
    left = len(ids) - len(answers)
    lines[:0] = _said(taken, len(ids))
    if len(ids) > SHOWN and unseen:
        lines.append(f"{unseen:,} were taken or sent, but not read back")
    if left:
        lines.insert(0, f"Stopped: {left:,} of {len(ids):,} jobs were left alone")
    title = f"{label} · {ref.name}"
    bad = refused or left or unseen
    services.tell("\n".join(lines), title, "warning" if bad else "information")


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
    if len(decided.touched) > MANY:
        cost = f"Each of {len(decided.touched):,} jobs is asked for and read back. {STOP_KEPT}"
        rows.append([(cost, "$state-warn")])
    if decided.request.verb == "again":
        rows += [[(text, "$muted")] for text in AGAIN]
    return rows


def _job_row(job: Job) -> list[Part]:
    word = job_word(job)
    state = (f"{word!s:<11} ", color(word.tone))
    return [(f"{f58(job.id)}  ", "$accent"), state, (job.name, "")]


def _and_more(count: int) -> list[list[Part]]:
    return [[(f"and {count - MOST_SHOWN} more", "$muted")]] if count > MOST_SHOWN else []
