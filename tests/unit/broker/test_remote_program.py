"""The remote program alone, as a real process with a stand-in for the flux module."""

from __future__ import annotations

import asyncio
import errno
import time
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.broker.commands import FluxFailed
from fluxstate_tui.broker.live_jobs import LiveJobs
from fluxstate_tui.broker.protocol import Beat, Fact, JobEvents, JobsPiece, Message, Mode
from fluxstate_tui.broker.rpc import (
    count_jobs,
    follow_output,
    make_checkpoint,
    raise_exception,
    read_queues,
    read_state,
    start_queues,
)
from fluxstate_tui.broker.session import CannotStart, FluxSession, SessionLost
from fluxstate_tui.broker.submit import SubmitOptions, Submitted, submit
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.queue import Queue
from tests.unit.broker.script import JOBSPEC, R, Script, event, lifetime, listed


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


async def _until(session: FluxSession, *kinds: type) -> list[Message]:
    """All messages up to and including the first of each kind."""
    missing, messages = set(kinds), []
    async with asyncio.timeout(10):
        while missing:
            messages.append(await session.message())
            missing.discard(type(messages[-1]))
    return messages


async def test_it_says_who_is_there_before_it_is_asked_anything(script: Script) -> None:
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        hello = session.hello
        assert (hello.version, hello.size, hello.state) == ("0.88.0", 2, "run")
        assert hello.hostlist == "flux-sample-[0-1]"


async def test_what_a_profile_script_prints_first_does_no_harm(script: Script) -> None:
    script.greeting = "echo 'Welcome [/foo]'; printf '\\377 half a line {'; echo\n"
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        assert session.hello.size == 2


async def test_it_ends_by_itself_when_stdin_closes(script: Script) -> None:
    executor = script.executor()
    async with FluxSession.open(executor, script.endpoint) as session:
        await session.now()
    assert executor.streams[0].exit_code == 0


async def test_the_program_travels_by_stdin_because_arguments_are_part_of_a_url(
    script: Script,
) -> None:
    executor = script.executor()
    async with FluxSession.open(executor, script.endpoint):
        assert sum(len(word) for word in executor.commands[0]) < 2000


async def test_watching_tells_jobs_queues_resources_and_the_clock(script: Script) -> None:
    script.answers["job-list.list"] = [{"jobs": [listed(16, 64, result=1)]}]
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        messages = await _until(session, Mode, JobsPiece, Beat, Fact)
        kinds = {message.kind for message in messages if isinstance(message, Fact)}
        while not {"queues", "resources", "stats"} <= kinds:
            message = await session.message()
            if isinstance(message, Fact):
                kinds.add(message.kind)


async def test_a_fact_that_did_not_change_is_told_once(script: Script) -> None:
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        beats, queues = 0, 0
        async with asyncio.timeout(10):
            while beats < 5:
                message = await session.message()
                beats += isinstance(message, Beat)
                queues += isinstance(message, Fact) and message.kind == "queues"
        assert queues == 1


async def test_a_job_that_the_list_has_not_seen_comes_from_the_journal(script: Script) -> None:
    """job-list lags behind: the list is empty, but the journal had the job's history."""
    now = time.time() - 1_795_300_000.0
    history = lifetime(start=now - 2)[:6]
    script.answers["job-manager.events-journal"] = [
        {"id": 16, "events": history, "jobspec": JOBSPEC, "R": R},
        {"id": -1, "events": []},
        {"id": 16, "events": [event("finish", now, status=0)]},
    ]
    live = LiveJobs()
    job = None
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        async with asyncio.timeout(10):
            while job is None or job.state is not JobState.CLEANUP:
                for job in _fold(live, await session.message()):
                    assert (job.id, job.name, job.nnodes) == (16, "sleep", 2)
    assert live.counts() == {"pending": 0, "running": 1, "inactive": 0}


def _fold(live: LiveJobs, message: Message) -> tuple[Job, ...]:
    if isinstance(message, JobEvents):
        live.events(message)
    elif isinstance(message, Mode):
        live.active(message.active)
    elif isinstance(message, JobsPiece) and (snapshot := live.piece(message)):
        return snapshot.jobs
    return live.changes()


async def test_the_history_of_old_jobs_is_not_sent_only_their_ids(script: Script) -> None:
    script.answers["job-manager.events-journal"] = [
        {"id": 16, "events": lifetime()[:4], "jobspec": JOBSPEC},
        {"id": -1, "events": []},
    ]
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        messages = await _until(session, Mode, JobsPiece, Beat)
    assert Mode("journal", "", frozenset({16})) in messages
    assert not any(isinstance(message, JobEvents) for message in messages)


async def test_an_old_flux_core_is_polled_and_it_says_so(script: Script) -> None:
    script.attributes["version"] = "0.66.0-30-gabc"
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        messages = await _until(session, Mode)
        assert any(isinstance(m, Mode) and m.mode == "poll" and "0.68" in m.why for m in messages)
        await session.want_jobs()
        all_jobs = (await _until(session, JobsPiece))[-1]
        await session.want_jobs(since=5.0)
        later_jobs = (await _until(session, JobsPiece))[-1]
        assert [isinstance(m, JobsPiece) and m.part for m in (all_jobs, later_jobs)] == [
            False,
            True,
        ]
        assert [call["since"] for call in script.calls("job-list.list")] == [0.0, 5.0]
    assert not script.calls("job-manager.events-journal")


async def test_a_guest_is_polled_and_told_why(script: Script) -> None:
    refusal = {"errno": errno.EPERM, "text": "Request requires owner credentials"}
    script.answers["job-manager.events-journal"] = [refusal]
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        messages = await _until(session, Mode)
    assert any(isinstance(m, Mode) and m.mode == "poll" and "owner" in m.why for m in messages)


async def test_jobs_are_not_asked_for_while_the_broker_loads_its_modules(script: Script) -> None:
    script.answers["state-machine.get"] = [{"state": "init"}] * 5 + [{"state": "run"}]
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        await _until(session, JobsPiece)
    asked = script.topics()
    assert asked.count("state-machine.get") > 5
    assert "job" not in "".join(asked[: asked.index("job-manager.events-journal")])


async def test_the_ranks_of_a_new_broker_state_are_told_before_it(script: Script) -> None:
    script.answers["state-machine.get"] = [{"state": "quorum"}] * 2 + [{"state": "run"}]
    late, all_here = (
        {"R": R, "online": ranks, "offline": "", "drain": {}} for ranks in ("0", "0-1")
    )
    script.answers["resource.status"] = [late, all_here]
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        messages: list[Message] = []
        while not (messages and isinstance(messages[-1], Beat) and messages[-1].state == "run"):
            messages += await _until(session, Beat)
    told = [m.fact["online"] for m in messages if isinstance(m, Fact) and m.kind == "resources"]
    assert told == ["0", "0-1"]


async def test_a_broken_request_gets_an_error_and_the_program_lives_on(script: Script) -> None:
    executor = script.executor()
    async with FluxSession.open(executor, script.endpoint) as session:
        for rubbish in (b"{broken\n", b"\xff\xfe\n", b"[1]\n", b'{"id": 1}\n', b"\n\n", b"null\n"):
            await executor.streams[0].write(rubbish)
        with pytest.raises(FluxFailed, match="No service matching nonsense"):
            await session.rpc("nonsense")
        with pytest.raises(FluxFailed, match="list"):
            await session.submit([], 16, timeout=5.0)  # type: ignore[arg-type]
        assert await session.now() > 0


async def test_flux_errors_come_as_they_are(script: Script) -> None:
    words = "[/foo] only instance owner can do that ƒ\n"
    script.answers["job-manager.raise"] = [{"errno": errno.EPERM, "text": words}]
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        with pytest.raises(FluxFailed) as caught:
            await raise_exception(session, 16, note="why")
    assert (caught.value.said, caught.value.errno) == (words, errno.EPERM)
    assert script.calls("job-manager.raise") == [
        {"id": 16, "type": "cancel", "severity": 0, "note": "why"}
    ]


async def test_stopping_replies_what_was_read_back(script: Script) -> None:
    script.answers["job-manager.queue-status"] = [
        {"enable": True, "start": False, "stop_reason": "fluxstate: x"}
    ]
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await start_queues(session, [], started=False, reason="fluxstate: x")
        assert await read_queues(session) == (Queue("", True, False, stop_reason="fluxstate: x"),)
    assert script.calls("job-manager.queue-start") == [
        {"start": False, "nocheckpoint": False, "reason": "fluxstate: x", "all": True}
    ]


async def test_named_queues_are_started_one_by_one(script: Script) -> None:
    script.answers["job-manager.queue-list"] = [{"queues": ["batch", "debug"]}]
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await start_queues(session, ["batch", "debug"], started=True)
        assert [queue.name for queue in await read_queues(session)] == ["batch", "debug"]
    sent = script.calls("job-manager.queue-start")
    assert [(call["name"], call["all"]) for call in sent] == [("batch", False), ("debug", False)]


async def test_a_checkpoint_counts_only_when_it_holds_the_commit(script: Script) -> None:
    script.answers["kvs.commit"] = [{"rootref": "sha1-b", "rootseq": 9}]
    script.answers["content.checkpoint-get"] = [
        {"value": [{"rootref": "sha1-a", "sequence": 8}]},
        {"value": [{"rootref": "sha1-c", "sequence": 10}]},
        {"value": {"rootref": "sha1-b"}},
    ]
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        with pytest.raises(FluxstateError, match="does not read back"):
            await make_checkpoint(session)
        assert [(await make_checkpoint(session)).fresh for _ in range(2)] == [True, True]
    assert script.calls("kvs.commit")[0] == {"namespace": "primary", "flags": 4, "ops": []}


async def test_a_checkpoint_is_fresh_while_the_root_is_the_one_that_it_holds(
    script: Script,
) -> None:
    newest = {"rootref": "sha1-a", "sequence": 4, "timestamp": 7.0}
    checkpoints = {"value": [newest, {"rootref": "sha1-0", "sequence": 1}]}
    script.answers["kvs.getroot"] = [
        {"rootref": "sha1-a", "rootseq": 5},
        {"rootref": "sha1-b", "rootseq": 14},
    ]
    script.answers["content.checkpoint-get"] = [
        checkpoints,
        checkpoints,
        {"errno": errno.ENOENT, "text": "No such file or directory"},
        {"errno": errno.EPERM, "text": "Request requires owner credentials"},
    ]
    executor = script.executor()
    executor.read_only = True  # looking changes nothing
    async with FluxSession.open(executor, script.endpoint) as session:
        states = [await read_state(session) for _ in range(3)]
        with pytest.raises(FluxstateError, match="owner credentials"):
            await read_state(session)
    asked = script.calls("content.checkpoint-get")[0]
    assert asked == {"key": "kvs-primary"}, "flux-core 0.66 refuses to go without"
    assert [(state.fresh, state.made) for state in states] == [
        (True, 7.0),
        (False, 7.0),
        (False, None),
    ]
    assert not script.calls("kvs.commit")


async def test_submitted_jobs_get_the_containers_environment_and_their_errors(
    script: Script,
) -> None:
    refused = {"errno": errno.EINVAL, "text": "Named queues are defined, no queue given"}
    script.answers["job-ingest.submit"] = [{"id": 32}, refused, {"id": 16}]
    script.environment["MARK"] = "here"
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        submitted = await submit(session, SubmitOptions(("true",), copies=3, urgency=0))
    assert submitted == Submitted((16, 32), (str(refused["text"]),))
    sent = script.calls("job-ingest.submit")[0]
    environment = sent["jobspec"]["attributes"]["system"]["environment"]
    assert sent["urgency"] == 0
    assert environment["MARK"] == "here"
    assert "FLUX_F58_FORCE_ASCII" not in environment


async def test_it_runs_no_program_that_it_is_asked_for(script: Script) -> None:
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        with pytest.raises(FluxFailed, match="there is no request 'run'"):
            await session._ask("run", {"argv": ["true"]})


async def test_output_is_followed_until_the_job_ends(script: Script) -> None:
    ended = {"errno": errno.ENODATA, "text": "no data"}
    script.answers["job-info.eventlog-watch"] = [{"event": "1\n"}, {"event": "2\n"}, ended]
    heard: list[str] = []
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await follow_output(session, 16, heard.append)
    assert heard == ["1\n", "2\n"]


@pytest.mark.parametrize(
    ("reason", "code"), [("broker socket /run/flux/local was not found", 1), ("", 3)]
)
async def test_it_says_why_it_cannot_start(script: Script, reason: str, code: int) -> None:
    if code == 3:
        script.environment["STANDIN_NO_BINDINGS"] = "1"
    script.cannot_connect = reason
    with pytest.raises(CannotStart) as caught:
        async with FluxSession.open(script.executor(), script.endpoint):
            raise AssertionError("it started")
    assert caught.value.code == code
    assert caught.value.no_bindings == (code == 3)
    assert (reason or "no Python bindings") in caught.value.message


async def test_a_lost_broker_ends_the_conversation_in_words(script: Script) -> None:
    script.answers["job-manager.events-journal"] = [
        {"id": -1, "events": []},
        {"errno": errno.ENODATA, "text": "No data available"},
    ]
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        with pytest.raises(SessionLost, match="the journal ended"):
            await _until(session, int)
        with pytest.raises(SessionLost):
            await session.now()


async def test_a_killed_broker_ends_the_conversation_in_words_too(script: Script) -> None:
    script.answers["job-list.job-stats"] = ["hangup"]
    executor = script.executor()
    async with FluxSession.open(executor, script.endpoint) as session:
        with pytest.raises(SessionLost, match="the connection to the broker broke"):
            await count_jobs(session)
    assert executor.streams[0].exit_code == 1


async def test_read_only_lets_nothing_out_that_changes_something(script: Script) -> None:
    executor = script.executor()
    executor.read_only = True
    async with FluxSession.open(executor, script.endpoint) as session:
        assert await read_queues(session)
        with pytest.raises(FluxstateError) as caught:
            await start_queues(session, [], started=False)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert not script.calls("job-manager.queue-start")


async def test_a_hundred_thousand_characters_of_jobs_come_in_pieces(script: Script) -> None:
    jobs: list[dict[str, Any]] = [
        listed(16 * i, 64, result=1, name="[/foo] ƒ 😀 \x1b[31m" + "x" * 500) for i in range(2000)
    ]
    script.answers["job-list.list"] = [{"jobs": jobs}]
    live, pieces = LiveJobs(), 0
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        async with asyncio.timeout(10):
            snapshot = None
            while snapshot is None:
                message = await session.message()
                if isinstance(message, JobsPiece):
                    pieces += 1
                    snapshot = live.piece(message)
    assert pieces > 3
    assert [job.name for job in snapshot.jobs] == [job["name"] for job in jobs]
