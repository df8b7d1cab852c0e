"""The keys that act on jobs: the same in the queue, for all marked jobs, and on one job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.dom import DOMNode

from fluxstate_tui.model.jobid import f58
from fluxstate_tui.screens.cluster_actions import READ_ONLY
from fluxstate_tui.screens.job_requests import (
    JobRequest,
    JobVerb,
    holds_or_releases,
    plan,
    why_not,
)
from fluxstate_tui.widgets.background import in_background

if TYPE_CHECKING:
    from fluxstate_tui.model.job import Job
    from fluxstate_tui.model.reference import ClusterRef
    from fluxstate_tui.screens.services import Services

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
        from fluxstate_tui.screens.job_menu import JobMenu

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
        from fluxstate_tui.screens.job_dialog import act_on_jobs

        touched = plan(JobRequest(verb), jobs).touched
        work = partial(act_on_jobs, self.services, ref, touched, JobRequest(verb))
        in_background(self, work, "hold")

    def _ask(self, verb: JobVerb, jobs: tuple[Job, ...]) -> None:
        from fluxstate_tui.screens.job_dialog import ask_and_act

        if self.acts_on is not None:
            ask_and_act(self.app, self.services, self.acts_on, verb, jobs)
