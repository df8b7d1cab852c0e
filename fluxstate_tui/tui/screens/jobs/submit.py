"""Submit a job, many copies of it, or the tutorials' loop."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.jobspec import parse_duration
from fluxstate_tui.formatting import plural
from fluxstate_tui.live.actions import SubmitRequest
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.tui.screens.dialog import Dialog
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.widgets.inputs import Tick, in_background
from fluxstate_tui.tui.widgets.lines import Line, Panel

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


class SubmitDialog(Dialog[None]):
    """Stays open when Flux refuses, with Flux's own words under the fields."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "submit", id="submit.go", key_display="↵", priority=True),
    ]

    def __init__(self, services: Services, ref: ClusterRef) -> None:
        super().__init__(f"Submit to {ref.name}")
        self.services = services
        self.ref = ref
        self._busy = False

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

    def action_submit(self) -> None:
        """Submit, unless it is on its way already."""
        try:
            request = self._request()
        except SubmitMistakeError as mistake:
            self._say(str(mistake), "$state-warn")
            return
        if not self._busy:
            self._busy = True
            self._say("Submitting …", "$muted")
            in_background(self, partial(self._submit, request))

    async def _submit(self, request: SubmitRequest) -> None:
        try:
            ids = await self.services.actions.submit(self.ref, request)
        except FluxstateError as error:
            self._say(f"{error.message} {error.advice}", "$state-bad")
            self._busy = False
            return
        self.services.tell(f"{plural(len(ids), 'job')} submitted.", self.ref.name, "information")
        self.dismiss(None)

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
        self.query_one("#submit-said", Panel).say([[(text, style)]])
