"""Submit a job, many copies of it, or the tutorials' loop."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.jobspec import parse_duration
from fluxstate_tui.live.actions import SubmitRequest
from fluxstate_tui.live.job_actions import submit_lines
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.tasks import Course
from fluxstate_tui.tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.tui.screens.jobs.course import (
    MANY,
    PAINT,
    STOP_KEPT,
    CourseKeys,
    begin,
    progress,
)
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.widgets.inputs import Tick
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part

FIELDS = (
    ("command", "command", "sleep 30", ""),
    ("tasks", "tasks", "1", "-n"),
    ("nodes", "nodes", "Flux decides", "-N"),
    ("cores", "cores", "1 per task", "-c"),
    ("limit", "time limit", "none; 90s 10m 1.5h 2d", "-t"),
    ("name", "name", "that of the command", "--job-name"),
    ("queue", "queue", "the default queue", "-q"),
    ("dependency", "depends on", "afterok:ƒ2Kf9, begin-time:…", "--dependency"),
    ("copies", "how many", "1", "--cc"),
)


class SubmitMistakeError(ValueError):
    """A field cannot be read; the message says which and why."""


class SubmitDialog(CourseKeys):
    """Counts while it submits; stays open when not all were submitted, and says how many."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "submit", id="submit.go", key_display="↵", priority=True),
    ]

    def __init__(self, services: Services, ref: ClusterRef) -> None:
        super().__init__(f"Submit to {ref.name}")
        self.services = services
        self.ref = ref
        self._since = 0.0

    def content(self) -> Iterable[Widget]:
        """One line per field."""
        for name, label, placeholder, flag in FIELDS:
            title, hint = Line(classes="dialog-label"), Line(classes="dialog-hint")
            title.say([(label, "$muted")])
            hint.say([(flag, "$muted")])
            # No field of numbers alone: that would swallow letters, and submit what is left.
            entry = Input(placeholder=placeholder, id=name, compact=True)
            yield Horizontal(title, entry, hint, classes="dialog-row")
        yield Tick("the tutorials' loop: sleep i and whoami, 5 times", id="tutorial", compact=True)
        yield Panel(id="submit-said", classes="block")

    def on_mount(self) -> None:
        """Write the command first."""
        self.query_one("#command", Input).focus()
        self.set_interval(PAINT, self._count)

    def action_submit(self) -> None:
        """Submit, unless it is on its way already; very many are a question first."""
        try:
            request = self._request()
        except SubmitMistakeError as mistake:
            self._say(str(mistake), "$state-warn")
            return
        if self.busy:
            return
        if request.copies <= MANY:
            self._begin(request)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._begin(request)

        self.app.push_screen(very_many(self.ref, request), answered)

    def _begin(self, request: SubmitRequest) -> None:
        course = Course(request.copies)
        title = f"Submit {request.copies:,} to {self.ref.name}"
        work = partial(self._submit, request, course)
        self.run_shown = begin(self.services, title, course, work)
        self._since = time.monotonic()
        self._say("Submitting …", "$muted")
        self.refresh_bindings()

    def _count(self) -> None:
        if self.run_shown is not None and self.busy:
            rows = [progress(self.run_shown.course, self._since)]
            self.query_one("#submit-said", Panel).say(rows)

    async def _submit(self, request: SubmitRequest, course: Course) -> None:
        """It may end when the dialog is not there any more."""
        try:
            answer = await self.services.actions.submit(self.ref, request, course)
        except FluxstateError as error:
            self._end(" ".join(filter(None, (error.message, error.safe, error.advice))))
            return
        if len(answer.ids) == answer.of:
            says = f"{len(answer.ids):,} jobs" if len(answer.ids) > 1 else "1 job"
            self.services.tell(f"{says} submitted.", self.ref.name, "information")
            if self.is_attached:
                self.dismiss(None)
        else:
            self._end("\n".join(submit_lines(answer)))

    def _end(self, says: str) -> None:
        self.run_shown = None
        if self.is_attached:
            self._say(says, "$state-bad")
            self.refresh_bindings()
        else:
            self.services.tell(says, self.ref.name, "warning")

    def _request(self) -> SubmitRequest:
        if self.query_one("#tutorial", Tick).value:
            return SubmitRequest(tutorial=True)
        try:
            command = tuple(shlex.split(self.query_one("#command", Input).value))
        except ValueError as error:
            raise SubmitMistakeError(f"The command cannot be read: {error}.") from error
        if not command:
            raise SubmitMistakeError("Write a command, for example sleep 30.")
        return SubmitRequest(
            command,
            self._number("tasks") or 1,
            self._number("nodes"),
            self._number("copies") or 1,
            cores=self._number("cores") or 1,
            limit=self._limit(),
            name=self._text("name"),
            queue=self._text("queue"),
            dependencies=tuple(self._text("dependency").replace(",", " ").split()),
        )

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def _limit(self) -> float:
        text = self._text("limit")
        try:
            return parse_duration(text) if text else 0.0
        except ValueError as error:
            raise SubmitMistakeError(str(error)) from error

    def _number(self, name: str) -> int | None:
        text = self._text(name)
        if not text:
            return None
        if not (text.isascii() and text.isdigit()) or int(text) < 1:
            raise SubmitMistakeError(f"{name} must be a number from 1 on.")
        return int(text)

    def _say(self, text: str, style: str) -> None:
        rows = [[(line, style)] for line in text.split("\n")]
        self.query_one("#submit-said", Panel).say(rows)


def very_many(ref: ClusterRef, request: SubmitRequest) -> ChoiceDialog[bool]:
    """Whether so many are meant, and what they cost."""
    copies = request.copies
    lines: list[list[Part]] = [
        [(f"{copies:,} jobs, each with its own request to Flux.", "")],
        [("Each stays in the queue's KVS, in every save, and in every list of jobs.", "")],
        [(STOP_KEPT, "$muted")],
    ]
    yes = Choice(True, f"Submit {copies:,} jobs")
    return ChoiceDialog(f"Submit {copies:,} jobs to {ref.name}?", lines, (Choice(False, "No"), yes))
