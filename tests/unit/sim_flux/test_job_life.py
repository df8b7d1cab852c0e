"""Jobs through their states: eventlogs, results, dependencies, time limits."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from fluxstate_tui.flux.job import JobResult, JobState
from fluxstate_tui.flux.job_json import returncode
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.sim.flux.job import SimJob
from tests.unit.sim_flux.world import MiniClusterClient, events, world

SUCCESS = [
    *("submit", "validate", "depend", "priority", "alloc", "start", "finish", "release"),
    *("free", "clean"),
]


async def done(w: MiniClusterClient, arguments: str, seconds: float = 30.0) -> SimJob:
    job = await w.submit(arguments)
    await w.clock.advance(seconds)
    return job


async def test_a_plain_success_has_the_events_of_rfc_21_in_order_of_time() -> None:
    async with world() as w:
        job = await done(w, "hostname")
        assert events(job) == SUCCESS
        times = [event.timestamp for event in job.events()]
        assert all(before < after for before, after in pairwise(times))


async def test_ids_are_milliseconds_since_the_start_shifted_by_24() -> None:
    async with world() as w:
        await w.clock.advance(100)
        job = await w.submit("true")
        age = job.draft.t_submit - w.instance.started_at
        assert job.id >> 24 == int(age * 1000)
        assert job.id & 0xFFFFFF == 0


async def test_sleep_runs_as_long_as_it_says() -> None:
    async with world() as w:
        runtime = (await done(w, "sleep 7")).freeze().runtime(0)
        assert runtime is not None
        assert 7.0 < runtime < 7.3


@pytest.mark.parametrize(
    ("command", "status", "code"),
    [
        ("false", 256, 1),
        ("sh -c 'exit 3'", 768, 3),
        ("sh -c 'kill -SEGV $$'", 35584, 139),
        ("sh -c 'kill -TERM $$'", 36608, 143),
        ("/nonexistent/program", 32512, 127),
    ],
)
async def test_failing_commands_end_as_recorded(command: str, status: int, code: int) -> None:
    async with world() as w:
        job = (await done(w, command)).freeze()
        assert (job.waitstatus, job.result) == (status, JobResult.FAILED)
        assert returncode(job) == code


async def test_a_missing_program_raises_an_exec_exception() -> None:
    async with world() as w:
        job = await done(w, "/nonexistent/program")
        assert events(job)[5:8] == ["start", "exception", "finish"]
        exception = job.freeze().exception
        assert exception is not None
        assert exception.note == (
            "task 0 (host flux-sample-0): start failed: /nonexistent/program: "
            "No such file or directory"
        )


async def test_the_time_limit_ends_a_job_as_timeout() -> None:
    async with world() as w:
        job = await done(w, "-t 2s sleep 60")
        assert job.freeze().result is JobResult.TIMEOUT
        assert job.freeze().waitstatus == 36352
        exception = next(event for event in job.events() if event.name == "exception")
        assert exception.context["note"] == "resource allocation expired"


async def test_a_longer_limit_lets_it_live() -> None:
    async with world() as w:
        job = await w.submit("-t 2s sleep 5")
        await w.sh(f"sleep 1; flux update {job.id} duration=10s")
        await w.clock.advance(30)
        assert job.freeze().result is JobResult.COMPLETED
        assert "resource-update" in events(job)


async def test_a_canceled_running_job_was_terminated() -> None:
    async with world() as w:
        job = await w.submit("sleep 100")
        await w.sh(f"sleep 1; flux cancel -m 'no longer needed' {job.id}")
        await w.clock.advance(5)
        assert job.freeze().result is JobResult.CANCELED
        assert job.freeze().waitstatus == 36608
        assert events(job)[-5:] == ["exception", "finish", "release", "free", "clean"]


async def test_a_canceled_pending_job_never_ran() -> None:
    async with world() as w:
        job = await w.submit("--urgency=hold true")
        await w.sh(f"sleep 1; flux cancel {job.id}")
        assert events(job) == ["submit", "validate", "depend", "priority", "exception", "clean"]


async def test_a_note_of_a_higher_severity_does_not_end_it() -> None:
    async with world() as w:
        job = await w.submit("sleep 3")
        await w.sh(f"sleep 1; flux job raise -t warn -s 7 {job.id} 'just a note'")
        await w.clock.advance(10)
        assert job.freeze().result is JobResult.COMPLETED
        exception = job.freeze().exception
        assert exception is not None
        assert (exception.severity, exception.note) == (7, "just a note")


async def test_memos_are_merged() -> None:
    async with world() as w:
        job = await w.submit("sleep 3")
        await w.sh(f"flux job memo {job.id} stage=two gone=1; flux job memo {job.id} gone=-")
        assert job.freeze().annotations["user"] == {"stage": "two"}


async def test_dependencies_are_met_failed_or_refused() -> None:
    async with world() as w:
        first = await w.submit("--job-name=first sh -c 'sleep 2; exit 1'")
        ids = f58(first.id)
        await w.sh(f"flux submit --job-name=ok --dependency=afterok:{ids} true")
        await w.sh(f"flux submit --job-name=notok --dependency=afternotok:{ids} true")
        await w.sh(f"flux submit --job-name=any --dependency=afterany:{ids} true")
        await w.clock.advance(20)
        assert w.job("notok").freeze().result is JobResult.COMPLETED
        assert w.job("any").freeze().result is JobResult.COMPLETED
        exception = w.job("ok").freeze().exception
        assert exception is not None
        assert exception.type == "dependency"
        assert exception.note == f"dependency after-success={ids} can never be satisfied"
        ran = await w.sh(f"flux submit --dependency=afterok:{ids} true")
        assert ran.code == 1
        assert ran.err == f"[Errno 22] dependency: afterok: job {ids} failed or was canceled\n"


async def test_a_begin_time_is_waited_for() -> None:
    async with world() as w:
        job = await w.submit("--begin-time=+1h true")
        await w.clock.advance(3500)
        assert job.state is JobState.DEPEND
        await w.clock.advance(200)
        assert job.freeze().result is JobResult.COMPLETED


async def test_urgent_jobs_go_first_and_held_ones_not_at_all() -> None:
    async with world(size=1, cores_per_node=1) as w:
        await w.sh("flux queue stop")
        for name, urgency in (("low", "3"), ("plain", "16"), ("fast", "31"), ("held", "hold")):
            await w.sh(f"flux submit --job-name={name} --urgency={urgency} sleep 10")
        await w.sh("flux queue start")
        await w.clock.advance(5)
        assert w.names(JobState.RUN) == {"fast"}
        assert w.job("fast").freeze().priority == 4294967295
        await w.clock.advance(11)
        assert w.names(JobState.RUN) == {"plain"}
        await w.clock.advance(30)
        assert w.job("held").state is JobState.SCHED
        await w.sh(f"flux job urgency {w.job('held').id} 20")
        await w.clock.advance(5)
        assert w.job("held").state is JobState.RUN


async def test_output_is_kept_line_by_line_in_the_guest_namespace() -> None:
    async with world() as w:
        job = await done(w, "-n2 sh -c 'echo \"task $FLUX_TASK_RANK\"; echo err >&2'")
        assert job.guest is not None
        lines = [json.loads(line) for line in job.guest["output"].splitlines()]
        assert lines[0]["context"]["count"] == {"stdout": 2, "stderr": 2}
        data = [line["context"] for line in lines if "data" in line.get("context", {})]
        assert {"stream": "stdout", "rank": "1", "data": "task 1\n"} in data
        assert {"stream": "stderr", "rank": "0", "data": "err\n"} in data
        names = [json.loads(line)["name"] for line in job.guest["exec/eventlog"].splitlines()]
        assert names == [
            *("init", "starting", "shell.init", "shell.start", "shell.task-exit"),
            *("shell-exit", "complete", "done"),
        ]


async def test_binary_output_is_kept_as_base64() -> None:
    async with world() as w:
        job = await done(w, "sh -c 'printf \"\\377\\376\\000bin\"; exit 1'")
        assert job.guest is not None
        assert b'"encoding":"base64","data":"//4AYmlu"' in job.guest["output"]


async def test_an_output_file_is_written_where_the_job_ran() -> None:
    async with world() as w:
        w.instance.tasks.machine_of = lambda rank: w.machine if rank == 0 else None
        job = await done(w, "--output=/tmp/out-{{id}}.txt echo to-a-file")
        assert w.files.read(f"/tmp/out-{f58(job.id)}.txt") == b"to-a-file\n"
        assert job.guest is not None
        assert b'"name":"redirect"' in job.guest["output"]


async def test_the_mock_executor_writes_no_output() -> None:
    async with world() as w:
        job = await done(w, "--setattr=system.exec.test.run_duration=0.5s true")
        assert job.guest is not None
        assert set(job.guest) == {"exec/eventlog"}
        assert 0.5 < (job.freeze().runtime(0) or 0) < 0.6


async def test_an_inactive_job_cannot_be_changed_any_more() -> None:
    async with world() as w:
        job = await done(w, "true")
        for command, text in (
            (f"flux cancel {job.id}", f"flux-cancel: ERROR: {f58(job.id)}: job is inactive"),
            (f"flux job memo {job.id} a=b", "flux-job: memo: job is inactive"),
            (f"flux update {job.id} duration=1m", "flux-update: ERROR: job is inactive"),
        ):
            ran = await w.sh(command)
            assert (ran.code, ran.err.strip()) == (1, text)
