"""A waiting job says why it waits: what comes before it, what it needs, and when that is over."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.job_json import dependency_words
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.live.picture import ClusterPicture
from fluxstate_tui.tui.screens.jobs.job import waiting_text
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.stage import LARGE, make_app, see

NOW = feed.NOW


def picture_of(*jobs: Job, **known: Any) -> ClusterPicture:
    """A queue of these jobs on four nodes of eight cores."""
    made = ClusterPicture(feed.ref("flux-sample"), feed.minicluster("flux-sample"), **known)
    made.nodes = feed.nodes("flux-sample")
    made.list_jobs(feed.by_id(jobs), NOW)
    return made


def test_a_job_that_does_not_wait_says_nothing() -> None:
    running = feed.job(1, JobState.RUN)
    assert waiting_text(picture_of(running), running, NOW) == ""


def test_its_place_in_line_is_by_priority_and_then_by_age() -> None:
    running = feed.job(1, JobState.RUN, ncores=30, duration=600.0)
    older, mine = feed.job(2, duration=60.0), feed.job(3, ncores=4)
    urgent = feed.job(4, priority=31, urgency=31, duration=60.0)
    held, later = feed.job(5, urgency=0), feed.job(6)
    said = waiting_text(picture_of(running, older, mine, urgent, held, later), mine, NOW)
    assert said.startswith("2 jobs of 4 in line come before it; what goes before it is over in")
    assert "about 8m by time limits" in said
    assert said.endswith("it asks for 4 cores, 2 of 32 are free")


def test_what_is_not_known_of_a_job_before_it_is_not_guessed() -> None:
    mine = feed.job(3)
    said = waiting_text(picture_of(feed.job(1, JobState.RUN), mine), mine, NOW)
    assert said.startswith("it is the next in line; it asks for")


def test_more_cores_than_there_are_is_said() -> None:
    mine = feed.job(3, ncores=64)
    assert "64 cores, and all nodes that are up have 32" in waiting_text(
        picture_of(mine), mine, NOW
    )


def test_a_dependency_says_how_that_job_is() -> None:
    other = feed.job(1, JobState.RUN)
    needs = f"after-success={f58(other.id)}"
    mine = feed.job(2, JobState.DEPEND, dependencies=(needs, "begin-time=1795000300.0"))
    said = waiting_text(picture_of(other, mine), mine, NOW)
    begin = dependency_words("begin-time=1795000300.0", NOW)
    assert begin.startswith("begin@")
    assert said == f"for {needs}, which is ▶ RUN for 91s, {begin}"


def test_a_held_job_and_a_stopped_queue_say_what_to_do() -> None:
    held, mine = feed.job(1, urgency=0), feed.job(2)
    stopped = (Queue("", True, False, stop_reason="maintenance"),)
    picture = picture_of(held, mine, queues=stopped)
    assert "h releases it" in waiting_text(picture, held, NOW)
    assert "stopped (maintenance)" in waiting_text(picture, mine, NOW)


async def test_the_job_screen_says_why_it_waits() -> None:
    mine = feed.job(2, JobState.SCHED, ncores=64)
    app = make_app(feed.running_cluster("flux-sample", 4, (mine,)))
    async with app.run_test(size=LARGE) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("enter")
        await see(pilot, f58(mine.id))
        await pilot.press("enter")
        await see(pilot, "It is the next in line; it asks for 64 cores")
