"""The remote program in a real Flux: what the stand-in and the simulation claim, held against it.

Any flux-core does; before 0.68 the jobs come by polling.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fluxstate_tui.broker.commands import FluxFailed
from fluxstate_tui.broker.rpc import (
    list_jobs,
    make_checkpoint,
    read_jobspec,
    read_queues,
    read_state,
    read_value,
    remove_value,
    start_queues,
    write_value,
)
from fluxstate_tui.broker.session import FluxSession, SessionLost
from fluxstate_tui.broker.submit import SubmitOptions, submit
from fluxstate_tui.clock import SystemClock
from fluxstate_tui.flux.job import Job, JobResult, JobState
from fluxstate_tui.flux.job_json import job_from_json
from fluxstate_tui.flux.jobid import f58_ascii
from fluxstate_tui.live.actions import JobRequest
from fluxstate_tui.live.events import QueuesSeen, StoreEvent
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.job_actions import act, follow_output, read_detail
from fluxstate_tui.live.queue_feed import QueueFeed
from tests.unit.broker.local import LocalExecutor
from tests.unit.broker.real import FLUX, RealFlux, instance, needs_flux
from tests.unit.live_queues.cluster import OneLead, minicluster
from tests.unit.live_queues.told import Told, context_of

pytestmark = needs_flux


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealFlux]:
    with instance(tmp_path_factory.mktemp("flux")) as running:
        yield running


class RealLead(OneLead):
    """A cluster whose lead container is where the real Flux runs."""

    def __init__(self, *before: str) -> None:
        LocalExecutor.__init__(self)
        self.before = before
        self.job_owner = "mc-uid"
        self.has_job = self.lead_runs = True
        self.refusal = None

    def _argv(self, argv: Sequence[str]) -> list[str]:
        return [*self.before, *super()._argv(argv)]


class Watched:
    """A feed on a real Flux, and what it told."""

    def __init__(self, flux: RealFlux, *before: str) -> None:
        self.told = Told()
        self.cluster = RealLead(*before)
        found = minicluster(flux.endpoint.place)
        self.feed = QueueFeed(context_of(self.cluster, SystemClock()), self.told.emit, found)

    @property
    def session(self) -> FluxSession:
        assert self.feed.session is not None
        return self.feed.session

    async def until(self, test: Callable[[dict[int, Job]], bool]) -> None:
        """The picture of the jobs is like this."""
        if not test(self.told.jobs):
            await self.told.until(lambda _event: test(self.told.jobs))

    async def all_ended(self, ids: set[int]) -> None:
        await self.until(
            lambda jobs: all(id in jobs and jobs[id].state is JobState.INACTIVE for id in ids)
        )


@asynccontextmanager
async def watching(flux: RealFlux, *before: str, words: str = "") -> AsyncIterator[Watched]:
    """`before` comes before each command line; `words` are in the detail of the live source."""
    watched = Watched(flux, *before)
    task = asyncio.create_task(watched.feed.run())
    try:
        await watched.told.source(Freshness.LIVE, words)
        yield watched
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def listed(flux: RealFlux) -> dict[int, Job]:
    """Flux's own account of all jobs."""
    fields = json.loads(flux.flux("jobs", "-a", "-A", "-c0", "--json"))["jobs"]
    return {job.id: job for job in map(job_from_json, fields)}


async def test_a_watch_that_begins_among_changes_misses_none_and_counts_none_twice(
    flux: RealFlux,
) -> None:
    async with FluxSession.open(flux.executor, flux.endpoint) as session:
        before = set((await submit(session, SubmitOptions(("true",), copies=15))).ids)
        async with watching(flux) as on:
            after = set((await submit(session, SubmitOptions(("true",), copies=15))).ids)
            await on.all_ended(before | after)
            theirs = listed(flux)
            assert set(on.told.jobs) == set(theirs)
            for id in before | after:
                mine = on.told.jobs[id]
                assert (mine.result, mine.t_run) == (theirs[id].result, theirs[id].t_run)


async def test_every_action_is_read_back(flux: RealFlux) -> None:
    later = ("begin-time:9999999999",)
    async with FluxSession.open(flux.executor, flux.endpoint) as session:
        [runs] = (await submit(session, SubmitOptions(("sleep", "300"), name="runs"))).ids
        options = SubmitOptions(("sleep", "300"), dependencies=later, cwd="/tmp", duration=60.0)
        [waits] = (await submit(session, options)).ids
        for request, expected in (
            (JobRequest("hold"), "urgency 0"),
            (JobRequest("release"), "urgency 16"),
            (JobRequest("urgency", urgency=20), "urgency 20"),
            (JobRequest("limit", limit=600), "duration 600"),
            (JobRequest("raise", type="look", severity=3), "severity 3"),
        ):
            (answer,) = await act(session, (waits,), request, SystemClock())
            assert answer.taken
            assert expected in answer.said
        (again,) = await act(session, (waits,), JobRequest("again"), SystemClock())
        newest = max(job.id for job in await list_jobs(session))
        jobspec, _ = await read_jobspec(session, newest)
        system = jobspec["attributes"]["system"]
        assert (system["duration"], system["cwd"]) == (600, "/tmp")
        assert again.taken
        everything = (runs, waits, newest)
        answers = await act(session, everything, JobRequest("cancel", note="enough"), SystemClock())
        assert [answer.taken for answer in answers] == [True, True, True]
        (late,) = await act(session, (runs,), JobRequest("hold"), SystemClock())
        assert not late.taken
        assert "exception" in [event.name for event in (await read_detail(session, waits)).events]


async def test_output_is_followed_while_the_job_runs_and_can_be_left(flux: RealFlux) -> None:
    command = ("sh", "-c", "echo '[/foo]\x1b[31m ƒ'; read x < /proc/self/stat; sleep 0.5; echo two")
    async with FluxSession.open(flux.executor, flux.endpoint) as session:
        [job] = (await submit(session, SubmitOptions(command))).ids
        said = ""
        async with asyncio.timeout(30), follow_output(session, job) as pieces:
            async for some in pieces:
                said += "".join(piece.text for piece in some)
        assert said == "[/foo]\x1b[31m ƒ\ntwo\n"
        [endless] = (await submit(session, SubmitOptions(("sh", "-c", "echo 1; sleep 99")))).ids
        async with asyncio.timeout(30), follow_output(session, endless) as pieces:
            async for some in pieces:
                assert some[0].text == "1\n"
                break
        assert await session.now() > 0
        await act(session, (endless,), JobRequest("cancel"), SystemClock())


async def test_hostile_names_and_commands_come_back_as_they_are(flux: RealFlux) -> None:
    name = "[/foo] \x1b[31m\u202e\n😀" + "x" * 500
    async with watching(flux) as on:
        options = SubmitOptions(("true", "[red]", "\x07", "a\nb"), name=name)
        [job] = (await submit(on.session, options)).ids
        await on.all_ended({job})
        assert on.told.jobs[job].name == name
        detail = await read_detail(on.session, job)
        assert detail.jobspec is not None
        assert detail.jobspec["tasks"][0]["command"] == list(options.command)


async def test_what_flux_refuses_is_said_in_its_words_and_the_rest_goes_on(flux: RealFlux) -> None:
    async with FluxSession.open(flux.executor, flux.endpoint) as session:
        done = await submit(session, SubmitOptions(("true",), queue="nowhere", copies=2))
        assert done.ids == ()
        assert len(done.errors) == 2
        assert "queue" in done.errors[0]
        with pytest.raises(FluxFailed, match="Unknown service method"):
            await session.rpc("job-manager.nonsense")
        with pytest.raises(FluxFailed, match="No service matching nonsense"):
            await session.rpc("nonsense.x")
        with pytest.raises(FluxFailed):
            await read_detail(session, 42)


async def test_dependencies_are_kept(flux: RealFlux) -> None:
    async with watching(flux) as on:
        [first] = (await submit(on.session, SubmitOptions(("sleep", "0.3")))).ids
        after = SubmitOptions(("true",), dependencies=(f"afterok:{f58_ascii(first)}",))
        [second] = (await submit(on.session, after)).ids
        await on.all_ended({first, second})
        assert on.told.jobs[second].result is JobResult.COMPLETED
        ended, began = on.told.jobs[first].t_inactive, on.told.jobs[second].t_run
        assert ended is not None and began is not None and began > on.told.jobs[first].t_run  # type: ignore[operator]


async def test_a_checkpoint_has_what_was_committed(flux: RealFlux) -> None:
    async with FluxSession.open(flux.executor, flux.endpoint) as session:
        assert await read_value(session, "fluxstate.test") is None
        assert (await write_value(session, "fluxstate.test", {"a": "ƒ"})).fresh
        assert json.loads(await read_value(session, "fluxstate.test") or "") == {"a": "ƒ"}
        await submit(session, SubmitOptions(("true",), urgency=0))
        async with asyncio.timeout(20):
            while (await read_state(session)).fresh:
                pass  # the job manager commits in batches
        assert (await make_checkpoint(session)).fresh
        await remove_value(session, "fluxstate.test")
        assert await read_value(session, "fluxstate.test") is None


async def test_named_queues_are_stopped_and_started_one_by_one(tmp_path: Path) -> None:
    with instance(tmp_path, "[queues.batch]\n[queues.debug]\n", size=1) as flux:
        async with watching(flux) as on:
            await start_queues(on.session, [], started=True)
            await start_queues(on.session, ["batch"], started=False, reason="[/why]")
            batch, debug = sorted(await read_queues(on.session), key=lambda queue: queue.name)
            assert (batch.started, batch.stop_reason, debug.started) == (False, "[/why]", True)

            def seen(event: StoreEvent) -> bool:
                return isinstance(event, QueuesSeen) and {
                    (queue.name, queue.started) for queue in event.queues
                } == {("batch", False), ("debug", True)}

            await on.told.until(seen)
            [waits] = (await submit(on.session, SubmitOptions(("true",), queue="batch"))).ids
            [runs] = (await submit(on.session, SubmitOptions(("true",), queue="debug"))).ids
            await on.all_ended({runs})
            assert on.told.jobs[waits].state is JobState.SCHED
            with pytest.raises(FluxFailed):
                await start_queues(on.session, ["nowhere"], started=True)


async def test_a_killed_broker_is_lost_in_words_and_one_that_lost_jobs_says_so(
    tmp_path: Path,
) -> None:
    with instance(tmp_path, size=1) as first:
        async with watching(first) as on:
            kept = set((await submit(on.session, SubmitOptions(("true",), copies=3))).ids)
            await on.all_ended(kept)
            await make_checkpoint(on.session)
            lost = set((await submit(on.session, SubmitOptions(("true",), copies=2))).ids)
            await on.all_ended(lost)
            session = on.session
            first.kill()
            await on.told.source(Freshness.STALE)
            with pytest.raises(SessionLost):
                await session.now()
            with instance(tmp_path, size=1):  # in the same state directory
                live = await on.told.source(Freshness.LIVE, "back in time")
                assert "2 of 5 jobs are gone" in live.detail
                assert set(on.told.jobs) == kept


GUESTS = "[access]\nallow-guest-user = true\nallow-root-owner = true\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
async def test_a_guest_sees_the_queue_by_polling_and_is_told_why_it_may_not_change_it(
    tmp_path: Path,
) -> None:
    guest = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    with instance(tmp_path, GUESTS, size=1) as flux:
        open_to_others(tmp_path, Path(flux.uri.removeprefix("local://")))
        job = int(flux.flux("job", "id", "--to=dec", flux.flux("submit", "sleep", "0.5").strip()))
        async with watching(flux, *guest, words="Polling") as on:
            await on.all_ended({job})
            with pytest.raises(FluxFailed, match="owner credentials"):
                await start_queues(on.session, [], started=False)
            done = await submit(on.session, SubmitOptions(("true",)))
            assert "owner" in done.errors[0]
            with pytest.raises(FluxFailed):
                await make_checkpoint(on.session)


def open_to_others(folder: Path, socket: Path) -> None:
    """Temporary folders are private, and a guest of the instance has to come to its socket."""
    for place in (folder, *folder.parents, socket.parent, socket.parent.parent):
        if place != Path("/") and place.stat().st_uid == os.getuid():
            place.chmod(place.stat().st_mode | 0o055)


async def test_a_flux_without_bindings_is_asked_and_changed_by_its_commands(
    flux: RealFlux, tmp_path: Path
) -> None:
    """`flux python` fails there, and everything else is real."""
    script = f'#!/bin/sh\nif [ "$1" = python ]; then exit 127; fi\nexec {FLUX} "$@"\n'
    (tmp_path / "flux").write_text(script, "utf-8")
    (tmp_path / "flux").chmod(0o755)
    view = f"export PATH={tmp_path}:$PATH fluxsocket={flux.uri}\n"
    (tmp_path / "flux-view.sh").write_text(view, "utf-8")
    crippled = RealFlux(flux.process, flux.uri, tmp_path)
    (tmp_path / "flux-view.sh").write_text(view, "utf-8")
    async with watching(crippled, words="Polling `flux jobs`") as on:
        theirs = listed(flux)
        assert {id: (job.name, job.state) for id, job in on.told.jobs.items()} == {
            id: (job.name, job.state) for id, job in theirs.items()
        }
        options = SubmitOptions(
            ("sh", "-c", "echo '{cc}' $A"), name="-[x] ƒ", environment={"A": "b c"}
        )
        for copies in (1, 2):
            done = await on.feed.submit(replace(options, copies=copies, cwd="/tmp", duration=90.0))
            assert (len(done.ids), done.errors) == (copies, ())
        await on.all_ended(set(done.ids))
        job = on.told.jobs[done.ids[0]]
        assert (job.name, job.duration) == ("-[x] ƒ", 90.0)
        assert flux.flux("job", "attach", f58_ascii(job.id)) == "{cc} b c\n"
        many = await on.feed.submit(SubmitOptions(("true",), copies=4))
        assert len(many.ids) == 4
        refused = await on.feed.submit(SubmitOptions(("true",), queue="nowhere", copies=2))
        assert (refused.ids, len(refused.errors)) == ((), 2)
        checkpoints = on.feed.checkpoints()
        assert checkpoints is not None
        made = await checkpoints.make()
        async with FluxSession.open(flux.executor, flux.endpoint) as session:
            assert (await read_state(session)).made is not None
        assert made.root
