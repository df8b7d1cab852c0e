"""Runs jobs: starts their tasks on the allocated ranks, keeps time limits, kills them.

Simple commands (`sleep 3`, `whoami`) are only timed; everything else runs in the shell of the
simulated container.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from fluxstate_tui.flux import jobspec as jobspecs
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.resources import ResourceSet
from fluxstate_tui.sim.flux.agenda import Agenda
from fluxstate_tui.sim.flux.commands import Played, TaskContext, parse_duration, quick
from fluxstate_tui.sim.flux.job import SimJob
from fluxstate_tui.sim.flux.joblogs import GuestLogs

NOT_FOUND = 127
SIGTERM, SIGALRM = 15, 14


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a job: where it runs and what."""

    rank: int
    host: str
    node: int
    argv: list[str]
    env: dict[str, str]
    cwd: str


class TaskRunner(Protocol):
    """How tasks that need a shell are run. `write(stream, data)` takes their output."""

    def knows(self, task: Task) -> bool:
        """Whether there is such a program on that host."""
        ...

    async def run(self, task: Task, write: Callable[[str, bytes], None]) -> int:
        """Run it to its end; its exit code."""
        ...

    def save_output(self, task: Task, path: str, data: bytes) -> None:
        """Write an output file on that task's host."""
        ...


@dataclass(slots=True)
class Run:
    """A running job."""

    job: SimJob
    logs: GuestLogs
    tasks: list[Task]
    pending: int
    output_file: str = ""
    saved: bytearray = field(default_factory=bytearray)
    status: int = 0
    signal: int = 0
    over: bool = False
    running: list[asyncio.Task[None]] = field(default_factory=list)


class Executor:
    """`finish(job, status, guest)` is called when a job's shells are gone."""

    def __init__(
        self,
        agenda: Agenda,
        runner: TaskRunner,
        *,
        finish: Callable[[SimJob, int, dict[str, bytes]], None],
        fail: Callable[[SimJob, str], None],
        output: Callable[[SimJob], None],
        rng: random.Random,
    ) -> None:
        self._agenda = agenda
        self._runner = runner
        self._finish = finish
        self._fail = fail
        self._output = output
        self._rng = rng
        self._runs: dict[int, Run] = {}
        self._background: set[asyncio.Task[None]] = set()

    def start(self, job: SimJob, alloc_time: float) -> None:
        """Start the job's shells (at `start`, a few ms after `alloc`)."""
        mock = jobspecs.attribute(job.jobspec, "exec", "test")
        logs = GuestLogs(mock=isinstance(mock, dict))
        logs.note(alloc_time + 0.0007, "init")
        logs.note(alloc_time + 0.0025, "starting")
        run = Run(job, logs, _tasks(job), 0)
        run.output_file = _output_file(job)
        self._runs[job.id] = run
        if isinstance(mock, dict):
            seconds = parse_duration(str(mock.get("run_duration", "0")))
            self._agenda.after(seconds, lambda: self._shell_exit(run))
        else:
            delay = self._rng.uniform(0.015, 0.03)
            self._agenda.after(delay, lambda: self._shell_init(run))

    def live(self, job: SimJob) -> GuestLogs | None:
        """The logs of a running job."""
        run = self._runs.get(job.id)
        return None if run is None else run.logs

    def kill(self, job: SimJob, signal: int) -> None:
        """Send a signal to all tasks; they end by it."""
        run = self._runs.get(job.id)
        if run is None or run.over or run.signal:
            return
        run.signal = signal
        for running in run.running:
            running.cancel()
        now = self._agenda.now()
        if not run.logs.mock:
            for task in run.tasks:
                self._end_streams(run, now, task.rank)
            run.logs.task_exit(now + 0.002, self._rng.randrange(1000, 32000), 128 + signal)
        run.status = (128 + signal) << 8
        run.over = True
        self._agenda.after(0.005, lambda: self._shell_exit(run))

    async def close(self) -> None:
        """Stop all tasks."""
        self.stop()
        await asyncio.gather(*self._background, return_exceptions=True)

    def stop(self) -> None:
        """Let nothing run any more."""
        for running in tuple(self._background):
            running.cancel()
        self._runs.clear()

    def _shell_init(self, run: Run) -> None:
        if run.over:
            return
        job, now = run.job, self._agenda.now()
        nnodes = job.draft.nnodes or 1
        run.logs.shell_starts(now, job.id, nnodes, len(run.tasks))
        first = run.tasks[0]
        context = TaskContext(first.host, first.env.get("USER", "root"), now)
        if quick(first.argv, context) is None and not self._runner.knows(first):
            self._start_failed(run, first, now)
            return
        if run.output_file:
            for task in run.tasks:
                run.logs.redirect(now, task.rank, run.output_file)
        run.logs.tasks_start(now + 0.004, nnodes, len(run.tasks))
        self._output(job)
        self._agenda.after(0.005, lambda: self._start_tasks(run))

    def _start_failed(self, run: Run, task: Task, now: float) -> None:
        note = (
            f"task {task.rank} (host {task.host}): start failed: {task.argv[0]}: "
            "No such file or directory"
        )
        run.logs.failure(now + 0.002, note)
        self._fail(run.job, note)
        run.status = NOT_FOUND << 8
        run.over = True
        self._agenda.after(0.002, lambda: self._shell_exit(run))

    def _start_tasks(self, run: Run) -> None:
        if run.over:
            return
        run.pending = len(run.tasks)
        for task in run.tasks:
            context = TaskContext(task.host, task.env.get("USER", "root"), self._agenda.now())
            played = quick(task.argv, context)
            if played is None:
                self._spawn(run, task)
            else:
                self._agenda.after(played.seconds, _ended(self, run, task, played))

    def _spawn(self, run: Run, task: Task) -> None:
        started = asyncio.get_running_loop().create_task(self._run_task(run, task))
        run.running.append(started)
        self._background.add(started)
        started.add_done_callback(self._background.discard)

    async def _run_task(self, run: Run, task: Task) -> None:
        def write(stream: str, data: bytes) -> None:
            self._data(run, task, stream, data)

        code = await self._runner.run(task, write)
        self._agenda.after(0.0, _ended(self, run, task, Played(code=code)))

    def _data(self, run: Run, task: Task, stream: str, data: bytes) -> None:
        if run.over or not data:
            return
        if run.output_file:
            run.saved += data
        else:
            run.logs.data(self._agenda.now(), stream, task.rank, data)
            self._output(run.job)

    def task_ended(self, run: Run, task: Task, played: Played) -> None:
        """One task is done; the last one ends the job."""
        if run.over:
            return
        self._data(run, task, "stdout", played.stdout)
        self._data(run, task, "stderr", played.stderr)
        now = self._agenda.now()
        self._end_streams(run, now, task.rank)
        if run.pending == len(run.tasks):
            pid = self._rng.randrange(1000, 32000)
            run.logs.task_exit(now + 0.0004, pid, played.code)
        run.status = max(run.status, played.code << 8)
        run.pending -= 1
        self._output(run.job)
        if not run.pending:
            run.over = True
            delay = self._rng.uniform(0.004, 0.009)
            self._agenda.after(delay, lambda: self._shell_exit(run))

    def _end_streams(self, run: Run, now: float, rank: int) -> None:
        if not run.output_file:
            run.logs.eof(now, "stderr", rank)
            run.logs.eof(now + 0.00001, "stdout", rank)

    def _shell_exit(self, run: Run) -> None:
        if self._runs.pop(run.job.id, None) is None:
            return
        run.over = True
        if run.output_file:
            self._runner.save_output(run.tasks[0], run.output_file, bytes(run.saved))
        run.logs.done(self._agenda.now(), run.status)
        self._finish(run.job, run.status, run.logs.content())


def _ended(executor: Executor, run: Run, task: Task, played: Played) -> Callable[[], None]:
    return lambda: executor.task_ended(run, task, played)


def environment(job: SimJob) -> dict[str, str]:
    """The environment that the job was submitted with (from its signed jobspec)."""
    try:
        whole = json.loads(base64.b64decode(job.signed.split(b".")[1]))
        found = whole["attributes"]["system"]["environment"]
    except (IndexError, KeyError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()}


def _tasks(job: SimJob) -> list[Task]:
    resources = ResourceSet.parse(job.resources or {})
    shares = resources.shares()
    total = job.draft.ntasks or 1
    each, rest = divmod(total, len(shares))
    base = environment(job)
    cwd = jobspecs.text_attribute(job.jobspec, "cwd") or "/"
    tasks: list[Task] = []
    for node, share in enumerate(shares):
        for local in range(each + (node < rest)):
            rank = len(tasks)
            env = {
                **base,
                "FLUX_JOB_ID": f58(job.id),
                "FLUX_JOB_SIZE": str(total),
                "FLUX_JOB_NNODES": str(len(shares)),
                "FLUX_TASK_RANK": str(rank),
                "FLUX_TASK_LOCAL_ID": str(local),
            }
            tasks.append(Task(rank, share.host, share.rank, job.command, env, cwd))
    return tasks


def _output_file(job: SimJob) -> str:
    path: Any = jobspecs.attribute(job.jobspec, "shell", "options", "output", "stdout", "path")
    if not isinstance(path, str):
        return ""
    return path.replace("{{id}}", f58(job.id)).replace("{{jobid}}", f58(job.id))
