"""Actions on jobs and their output, with the remote program running for real."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from fluxstate_tui.broker.rpc import list_jobs, read_jobspec
from fluxstate_tui.broker.submit import SubmitOptions
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.live.actions import JobRequest, SubmitRequest
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.job_actions import (
    act,
    follow_output,
    read_detail,
    submit_all,
    submit_and_log,
)
from fluxstate_tui.operations import audit
from fluxstate_tui.tasks import Course
from tests.unit.live_queues.test_in_simulation import stage
from tests.unit.live_queues.told import context_of


async def test_every_action_is_read_back_from_the_eventlog(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        session, clock = on.feed.session, on.sim.clock
        assert session is not None
        runs, waits = await on.submit(
            SubmitOptions(("sleep", "9999")),
            SubmitOptions(("sleep", "9999"), dependencies=("begin-time:9999999999",)),
        )
        for request, expected in (
            (JobRequest("hold"), "its eventlog says urgency: urgency 0"),
            (JobRequest("release"), "its eventlog says urgency: urgency 16"),
            (JobRequest("urgency", urgency=20), "its eventlog says urgency: urgency 20"),
            (JobRequest("limit", limit=600), "its eventlog says jobspec-update: duration 600"),
            (JobRequest("raise", type="look", severity=3), "exception: type look severity 3"),
        ):
            (answer,) = await act(session, (waits,), request, clock)
            assert answer.taken
            assert expected in answer.said
        (again,) = await act(session, (runs,), JobRequest("again"), clock)
        assert again.said.startswith("submitted again as ƒ")
        both = await act(session, (runs, waits), JobRequest("cancel", note="enough"), clock)
        assert [answer.taken for answer in both] == [True, True]
        await on.all_ended([runs, waits])
        late = await act(session, (runs, 42), JobRequest("hold"), clock)
        assert [answer.taken for answer in late] == [False, False]
        assert all(answer.said for answer in late)
        detail = await read_detail(session, waits)
        assert "exception" in [event.name for event in detail.events]


async def test_a_held_job_submitted_again_is_held_and_another_has_its_urgency(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        session, clock = on.feed.session, on.sim.clock
        assert session is not None
        held, urgent = await on.submit(
            SubmitOptions(("sleep", "9999"), urgency=0),
            SubmitOptions(("sleep", "9999"), dependencies=("begin-time:9999999999",)),
        )
        await act(session, (urgent,), JobRequest("urgency", urgency=20), clock)
        again = await act(session, (held, urgent), JobRequest("again"), clock)
        assert all(answer.taken and answer.seen for answer in again)
        assert "(held, as it is); its eventlog says submit: urgency 0" in again[0].said
        assert "its eventlog says submit: urgency 20" in again[1].said
        jobs = {job.id: job for job in await list_jobs(session)}
        first, second = (jobs[answer.new] for answer in again if answer.new is not None)
        assert first.urgency == 0
        assert first.state.pending
        assert second.urgency == 20


async def test_a_job_submitted_again_has_its_limit_and_its_directory_of_now(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        session, clock = on.feed.session, on.sim.clock
        assert session is not None
        options = SubmitOptions(("sleep", "9999"), duration=60.0, cwd="/tmp", name="first")
        (first,) = await on.submit(options)
        await act(session, (first,), JobRequest("limit", limit=7200), clock)
        await act(session, (first,), JobRequest("again"), clock)
        await on.told.until(lambda _event: len(on.told.jobs) == 2)
        (new,) = set(on.told.jobs) - {first}
        assert (on.told.jobs[new].name, on.told.jobs[new].duration) == ("first", 7200.0)
        system = (await read_jobspec(session, new))[0]["attributes"]["system"]
        assert system["cwd"] == "/tmp"


async def test_output_is_followed_until_the_job_has_ended(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        session = on.feed.session
        assert session is not None
        command = ("sh", "-c", "echo one; sleep 10; echo two")
        (job_id,) = (await submit_all(on.feed, SubmitRequest(command, name="talk", limit=600))).ids
        said = ""
        async with asyncio.timeout(20), follow_output(session, job_id) as pieces:
            async for some in pieces:
                said += "".join(piece.text for piece in some)
        assert said == "one\ntwo\n"


async def test_following_can_be_left_and_the_session_goes_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        session = on.feed.session
        assert session is not None
        (job_id,) = await on.submit(SubmitOptions(("sh", "-c", "echo one; sleep 99999")))
        async with asyncio.timeout(20), follow_output(session, job_id) as pieces:
            async for some in pieces:
                assert some[0].text == "one\n"
                break
        assert await session.now()


async def test_flux_says_itself_why_it_refuses_a_job(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        session = on.feed.session
        assert session is not None
        with pytest.raises(FluxstateError, match="Flux refused 1"):
            await submit_all(on.feed, SubmitRequest(("true",), queue="nowhere"))
        with pytest.raises(FluxstateError, match="is no dependency"):
            await submit_all(on.feed, SubmitRequest(("true",), dependencies=("whatever",)))


class Watched(Course):
    """Stopped when so many have ended; notes how many were begun and not ended at once."""

    def __init__(self, stop_at: int) -> None:
        super().__init__()
        self.stop_at = stop_at

    def count(self, good: bool) -> None:
        super().count(good)
        if self.done + self.failed >= self.stop_at:
            self.stop()


async def test_a_million_copies_are_stopped_and_exactly_those_that_flux_has_are_told(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        session = on.feed.session
        assert session is not None
        before = {job.id for job in await list_jobs(session)}
        request = SubmitRequest(("sleep", "9999"), copies=1_000_000)
        context, course = (
            replace(context_of(on.cluster, on.sim.clock), state_dir=tmp_path),
            Watched(300),
        )
        answer = await submit_and_log(on.feed, context, request, course)
        assert 300 <= len(answer.ids) < 600
        assert set(answer.ids) == {job.id for job in await list_jobs(session)} - before
        assert answer.unsent == 1_000_000 - len(answer.ids)
        (entry,) = audit.read(tmp_path).entries
        assert (entry.what, entry.outcome) == ("submit", "Cancelled")
        assert f"{len(answer.ids)} of 1,000,000 jobs were submitted" in entry.reason
        assert "--cc=1-1000000" in entry.commands[0]


async def test_a_million_copies_that_flux_refuses_are_not_all_sent(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        context, course = (
            replace(context_of(on.cluster, on.sim.clock), state_dir=tmp_path),
            Course(),
        )
        request = SubmitRequest(("true",), queue="nowhere", copies=1_000_000)
        with pytest.raises(FluxstateError, match="Flux refused"):
            await submit_and_log(on.feed, context, request, course)
        assert course.failed < 1000
        (entry,) = audit.read(tmp_path).entries
        assert (entry.what, entry.outcome) == ("submit", "Failed")


async def test_an_action_on_many_jobs_is_stopped_and_only_those_it_was_done_to_have_answers(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        session, clock = on.feed.session, on.sim.clock
        assert session is not None
        late = ("begin-time:9999999999",)
        ids = await on.submit(SubmitOptions(("true",), dependencies=late, copies=100))
        course = Watched(30)
        course.of = 100
        answers = await act(session, ids, JobRequest("hold"), clock, course)
        assert 30 <= len(answers) < 100
        held = {job.id for job in await list_jobs(session) if job.id in ids and job.urgency == 0}
        assert held == {answer.id for answer in answers}
        assert [answer.id for answer in answers] == [id for id in ids if id in held]
