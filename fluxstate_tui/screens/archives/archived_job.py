"""Open one job of an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.screen import Screen

    from fluxstate_tui.screens.archives.opened import Opened
    from fluxstate_tui.screens.services import Services


def push_job(screen: Screen[Any], services: Services, opened: Opened, job_id: int) -> None:
    """Show that job over this screen, if the archive has it."""
    from fluxstate_tui.screens.job import JobScreen
    from fluxstate_tui.screens.job_source import JobOfArchive

    archived = opened.verdict.archive.job(job_id)
    if archived is not None:
        source = JobOfArchive(archived, opened.name, opened.verdict.archive.dumped_at)
        screen.app.push_screen(JobScreen(services, source))
