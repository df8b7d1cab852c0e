"""Actions on one job and on all marked jobs: menu, preview, and what was read back."""

from __future__ import annotations

import pytest

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.live import events
from fluxstate_tui.live.actions import JobRequest, OutputLine
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import LARGE, SIZES, SMALL, make_app, screen_text, see, until

SAMPLE = feed.ref("flux-sample")
QUEUE = (
    feed.job(1, JobState.INACTIVE),
    feed.job(2),
    feed.job(3, JobState.RUN),
)


def small_queue() -> list[events.StoreEvent]:
    """A running, a waiting and an ended job, from the first row to the last."""
    return feed.running_cluster("flux-sample", 4, QUEUE)


async def test_a_grey_key_of_a_job_that_is_pressed_says_why_and_says_it_once() -> None:
    actions = RehearsedActions()
    app = make_app(small_queue(), actions)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("enter", "end", "c", "c")
        await see(pilot, f"{f58(QUEUE[0].id)} is over.")
        await pilot.press("c")
        assert screen_text(app).count("Not now: cancel") == 1
        await pilot.press("home", "h")
        await see(pilot, f"{f58(QUEUE[2].id)} has its resources already.")
        assert actions.asked == []


async def test_a_grey_key_of_a_job_says_that_all_is_read_only() -> None:
    app = make_app(small_queue(), read_only=True)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("enter", "c")
        await see(pilot, "Not now: cancel")
        await see(pilot, "Read-only:")


MARK_ALL = ("enter", "space", "space", "space")


@pytest.mark.parametrize("size", SIZES)
async def test_the_preview_lists_what_is_touched_and_what_is_skipped_and_why(
    size: tuple[int, int],
) -> None:
    actions = RehearsedActions()
    app = make_app(small_queue(), actions)
    async with app.run_test(size=size, notifications=True) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press(*MARK_ALL, "c")
        await see(pilot, "Cancel 3 jobs of flux-sample?")
        await see(pilot, "Skipped: 1 job")
        await see(pilot, f"{f58(QUEUE[0].id)}  is over")
        await see(pilot, "Cancel: 2 jobs")
        await pilot.press(*"because", "enter", "down", "enter")
        await see(pilot, "2 of 2 jobs: read back")
        assert actions.asked == [("cancel", (QUEUE[1].id, QUEUE[2].id))]
        assert actions.requests == [JobRequest("cancel", note="because")]


async def test_the_menu_greys_what_cannot_be_done_and_says_why() -> None:
    app = make_app(small_queue())
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("enter", "end", "a")
        await see(pilot, "1 job of flux-sample")
        line = next(x for x in screen_text(app).splitlines() if "Cancel  " in x)
        assert "is over" in line
        await pilot.press("enter")
        await see(pilot, "Submit again 1 job of flux-sample?")
        await see(pilot, "and the environment of the lead container: a job's own is private.")


async def test_an_exception_is_raised_with_type_severity_and_note() -> None:
    actions = RehearsedActions()
    app = make_app(small_queue(), actions)
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("enter", "a", "down", "down", "enter")
        await see(pilot, "Raise 1 job of flux-sample?")
        await see(pilot, "Write the type of the exception")
        await pilot.press(*"look", "tab", "backspace", "3", "tab", *"hot", "enter", "down", "enter")
        await until(pilot, lambda: bool(actions.requests))
        assert actions.requests == [JobRequest("raise", "look", 3, "hot")]


async def test_a_mistake_in_a_field_is_explained_and_nothing_is_done() -> None:
    actions = RehearsedActions()
    app = make_app(small_queue(), actions)
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("enter", "down", "a")
        await see(pilot, "1 job of flux-sample")
        await pilot.press(*["down"] * 3, "enter")
        await see(pilot, "Urgency 1 job of flux-sample?")
        await pilot.press("backspace", "backspace", *"99")
        await see(pilot, "urgency is a number from 0 to 31.")
        await pilot.press("enter", "down", "enter")
        await until(pilot, lambda: "31." not in screen_text(app))
        assert actions.asked == []


async def test_what_flux_refuses_is_said_in_its_own_words() -> None:
    actions = RehearsedActions()
    actions.refuses = {QUEUE[2].id: "job is [/busy]"}
    app = make_app(small_queue(), actions)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press(*MARK_ALL, "c", "enter", "down", "enter")
        await see(pilot, f"{f58(QUEUE[2].id)} refused: job is [/busy]")


async def test_of_many_jobs_each_that_is_told_something_else_is_said() -> None:
    actions = RehearsedActions()
    actions.says = {job.id: f"submitted again as copy-of-{f58(job.id)}" for job in QUEUE}
    app = make_app(small_queue(), actions)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press(*MARK_ALL, "c", "enter", "down", "enter")
        for job in QUEUE[1:]:
            await see(pilot, f"submitted again as copy-of-{f58(job.id)}")


async def test_nothing_can_be_done_to_jobs_when_read_only() -> None:
    app = make_app(small_queue(), read_only=True)
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("enter", "a")
        await pilot.pause()
        await pilot.press("c", "h")
        await see(pilot, "▶ RUN")
        assert "jobs of flux-sample" not in screen_text(app)


async def test_output_is_followed_while_the_job_is_open_and_not_longer() -> None:
    actions = RehearsedActions()
    app = make_app(small_queue(), actions)
    async with app.run_test(size=LARGE) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("enter", "enter")
        await see(pilot, "hello")
        actions.writes.put_nowait((OutputLine("stdout", "0", "step 1 of 3\n"),))
        await see(pilot, "step 1 of 3")
        actions.writes.put_nowait((OutputLine("stdout", "0", "y\n" * 100_000),))
        await see(pilot, "OUTPUT")
        await pilot.press("f")
        await until(pilot, lambda: screen_text(app).count(" y ") > 20)
        assert actions.following == 1
        await pilot.press("escape")
        await until(pilot, lambda: actions.following == 0)


async def test_a_job_has_the_actions_too() -> None:
    actions = RehearsedActions()
    app = make_app(small_queue(), actions)
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("enter", "enter", "a")
        await see(pilot, "Time limit")
        await pilot.press("escape", "c", "enter", "down", "enter")
        await until(pilot, lambda: ("cancel", (QUEUE[2].id,)) in actions.asked)


async def test_letters_in_a_field_for_a_number_are_no_number_and_submit_nothing() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("home", "down", "n")
        await see(pilot, "Submit to flux-sample")
        await pilot.press(*"true", "tab", *"abc", "enter")
        await see(pilot, "tasks must be a number from 1 on.")


async def test_an_action_on_many_jobs_counts_and_escape_stops_it_with_an_outcome() -> None:
    actions = RehearsedActions()
    actions.most = 1234
    jobs = tuple(feed.job(number) for number in range(20_000))
    app = make_app(feed.running_cluster("flux-sample", 4, jobs), actions)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("enter")
        await see(pilot, "20000 pending")
        await pilot.press("asterisk", "c")
        await see(pilot, "Each of 20,000 jobs is asked for and read back.")
        await pilot.press("enter", "down", "enter")
        await see(pilot, "of 20,000")
        await see(pilot, "esc stop")
        await pilot.press("escape")
        await see(pilot, "Stopped: 18,766 of 20,000 jobs were")
        await see(pilot, "1234 of 20000 jobs: read back")
