"""Everything that can be done to the chosen jobs; what cannot be done now is grey."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from fluxstate_tui.model.job import Job
from fluxstate_tui.screens.dialog import Dialog
from fluxstate_tui.screens.job_requests import VERBS, JobRequest, JobVerb, plan
from fluxstate_tui.widgets.words import plural


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
        yield OptionList(*(self._option(verb) for verb in VERBS), compact=True)

    def on_mount(self) -> None:
        """The first possible action is under the cursor."""
        options = self.query_one(OptionList)
        options.focus()
        options.action_first()

    def action_choose(self) -> None:
        """Give the action under the cursor."""
        options = self.query_one(OptionList)
        at = options.highlighted
        if at is not None and not options.get_option_at_index(at).disabled:
            self.dismiss(tuple(VERBS)[at])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click on an action."""
        event.stop()
        self.dismiss(tuple(VERBS)[event.option_index])

    def _option(self, verb: JobVerb) -> Option:
        decided = plan(JobRequest(verb), self.jobs)
        info, touched = VERBS[verb], len(decided.touched)
        hint = info.hint
        if not touched:
            reasons = {why for _, why in decided.skipped}
            hint = " or ".join(sorted(reasons))
        elif decided.skipped:
            hint = f"{touched} of {len(self.jobs)}: {hint}"
        text = Content.assemble(f"{info.label:<14}", (hint, "$muted not bold"))
        return Option(text, disabled=not touched)
