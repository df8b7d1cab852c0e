"""Everything that can be done to the chosen jobs; what cannot be done now is grey."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList

from fluxstate_tui.model.job import Job
from fluxstate_tui.screens.dialog import Dialog
from fluxstate_tui.screens.job_requests import VERBS, JobRequest, JobVerb, plan
from fluxstate_tui.widgets.choice_list import ChoiceList
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
