"""`flux python`: a real process with the stand-in bindings."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fluxstate_tui.sim.clock import ScaledClock
from fluxstate_tui.sim.files import Files, Volume
from fluxstate_tui.sim.flux.cli import warm_python
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.machine import Collected, Machine
from tests.unit.sim_flux.world import VIEW, Ran

FLUX = VIEW + 'exec flux "$@"'
JOBSPEC = json.dumps(
    {
        "resources": [
            {"type": "slot", "count": 1, "with": [{"type": "core", "count": 1}], "label": "task"}
        ],
        "tasks": [{"command": ["hostname"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {"duration": 0}},
        "version": 1,
    }
)
PRELUDE = f"import flux, flux.job, json, sys, time\nh = flux.Flux()\nSPEC = {JOBSPEC!r}\n"


@asynccontextmanager
async def container(version: str = "0.88.0", *, bindings: bool = True) -> AsyncIterator[Machine]:
    clock = ScaledClock(20.0)
    files = Files({"/": Volume("root", now=clock.now), "/state": Volume("s", now=clock.now)})
    instance = FluxInstance(clock, ["flux-sample-0"], version=version)
    machine = Machine(
        "flux-sample-0", files, clock, broker=lambda: instance, python_bindings=bindings
    )
    try:
        await instance.start()
        yield machine
    finally:
        await instance.close()


class Noticed:
    """Streams that tell when the first output comes."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.said = b""

    async def read(self, size: int) -> bytes:
        return b""

    async def write_out(self, data: bytes) -> None:
        self.said += data
        self.started.set()

    write_err = write_out


async def run(machine: Machine, program: str, *args: str, stdin: bytes = b"") -> Ran:
    io = Collected(stdin)
    argv = ["/bin/bash", "-c", FLUX, "flux", "python", "-u", "-c", program, *args]
    code = await asyncio.wait_for(machine.run(argv, io), 30)
    return Ran(code, io.stdout.decode(), io.stderr.decode())


async def test_arguments_input_output_and_exit_code_are_the_programs_own() -> None:
    async with container() as machine:
        program = "import sys; print(sys.argv, sys.stdin.read()); sys.exit(7)"
        ran = await run(machine, program, "a b", stdin=b"input")
        assert ran == Ran(7, "['-c', 'a b'] input\n", "")


async def test_rpcs_are_answered_and_refused() -> None:
    async with container() as machine:
        ran = await run(
            machine,
            PRELUDE
            + """
print(h.attr_get("size"), h.attr_get("version"))
print(h.rpc("job-manager.queue-status", {}).get_str())
print(h.rpc("job-manager.queue-stop-that", {}).error_string())
try:
    h.rpc("job-manager.raise", {"id": 1, "type": "cancel", "severity": 0}).get()
except OSError as error:
    print(error.errno, error.strerror)
""",
        )
        assert ran.out.splitlines() == [
            "1 0.88.0",
            '{"enable": true, "start": true}',
            "Unknown service method 'job-manager.queue-stop-that'",
            "2 unknown job id",
        ]


async def test_the_journal_brings_every_event_of_a_new_job() -> None:
    async with container() as machine:
        ran = await run(
            machine,
            PRELUDE
            + """
from flux.job import JournalConsumer
journal = JournalConsumer(h, full=False).start()
job = flux.job.submit(h, SPEC)
names = []
while "clean" not in names:
    event = journal.poll()
    assert event.jobid == job
    assert (event.jobspec is not None) == (event.name == "submit")
    assert (event.R is not None) == (event.name == "alloc")
    names.append(event.name)
print(*names)
""",
        )
        assert ran.out == "submit validate depend priority alloc start finish release free clean\n"


async def test_the_reactor_serves_answers_descriptors_and_timers() -> None:
    async with container() as machine:
        ran = await run(
            machine,
            PRELUDE
            + """
import os
def answered(future, name):
    print(name, future.get()["queues"])
def readable(handle, watcher, fd, revents, args):
    data = os.read(fd, 100)
    print("stdin", data)
    if not data:
        watcher.stop()
        timer.start()
def fired(handle, watcher, revents, args):
    print("timer")
    handle.reactor_stop()
h.rpc("job-manager.queue-list").then(answered, "answer")
timer = h.timer_watcher_create(0.01, fired)
with h.fd_watcher_create(0, readable, events=flux.constants.FLUX_POLLIN):
    h.reactor_run()
""",
            stdin=b"x",
        )
        assert ran.err == ""
        lines = ran.out.splitlines()
        assert sorted(lines[:-1]) == ["answer []", "stdin b''", "stdin b'x'"]
        assert lines[-1] == "timer"


async def test_a_refused_submission_has_fluxs_words() -> None:
    async with container() as machine:
        ran = await run(
            machine,
            PRELUDE
            + """
h.rpc("job-manager.queue-enable", {"enable": False, "all": True, "reason": "maint"}).get()
try:
    flux.job.submit(h, SPEC)
except OSError as error:
    print(error.strerror)
""",
        )
        assert ran.out == "job submission is disabled: maint\n"


async def test_files_programs_and_time_are_the_containers() -> None:
    async with container() as machine:
        machine.files.write("/state/x", b"content")
        ran = await run(
            machine,
            PRELUDE
            + """
import os, subprocess, shutil
with open("/state/x", "rb") as file:
    print(file.read(), os.fstat(file.fileno()).st_mtime > 1e9)
print(os.stat("/state/x").st_size, os.path.exists("/etc/hostname"))
child = subprocess.Popen([shutil.which("flux"), "dump", "/state/d.tar.gz"], stderr=subprocess.PIPE)
print(child.wait(), len(open("/state/d.tar.gz", "rb").read()) > 100)
print(abs(time.time() - h.rpc("state-machine.get").get()["duration"]) > 1e9)
""",
        )
        assert ran.err == ""
        assert ran.out.splitlines() == ["b'content' True", "7 False", "0 True", "True"]
        assert machine.files.exists("/state/d.tar.gz")


async def test_a_checkpoint_can_be_made_without_writing_a_key() -> None:
    async with container() as machine:
        ran = await run(
            machine,
            PRELUDE
            + """
before = h.rpc("content.checkpoint-get").get()["value"][0]["timestamp"]
h.rpc("kvs.commit", {"namespace": "primary", "flags": 4, "ops": []}).get()
after = h.rpc("content.checkpoint-get").get()["value"][0]["timestamp"]
print(after > before)
""",
        )
        assert ran.out == "True\n"


async def test_a_job_can_be_followed_to_the_end_of_its_output() -> None:
    async with container() as machine:
        ran = await run(
            machine,
            PRELUDE
            + """
job = flux.job.submit(h, SPEC)
watch = h.rpc("job-info.eventlog-watch", {"id": job, "path": "guest.output", "flags": 0}, 0, 2)
text = ""
try:
    while True:
        text += watch.get()["event"]
        watch.reset()
except OSError as error:
    print(error.errno, "flux-sample-0" in text)
""",
        )
        assert ran.out == "61 True\n"


async def test_when_the_broker_dies_the_journal_ends() -> None:
    async with container() as machine:
        broker = machine.broker()
        assert broker is not None
        io = Noticed()
        program = (
            PRELUDE
            + """
from flux.job import JournalConsumer
journal = JournalConsumer(h, full=False).start()
print("following")
print(journal.poll())
"""
        )
        argv = ["bash", "-c", FLUX, "flux", "python", "-u", "-c", program]
        task = asyncio.ensure_future(machine.run(argv, io))
        await asyncio.wait_for(io.started.wait(), 30)
        broker.kill()
        assert await asyncio.wait_for(task, 30) == 0
        assert io.said == b"following\nNone\n"


async def test_killing_the_exec_kills_the_process() -> None:
    async with container() as machine:
        io = Noticed()
        argv = ["bash", "-c", FLUX, "flux", "python", "-c", "print(1); import time; time.sleep(99)"]
        task = asyncio.ensure_future(machine.run(argv, io))
        await asyncio.wait_for(io.started.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_there_are_containers_without_bindings_and_old_ones_without_a_journal() -> None:
    async with container(bindings=False) as machine:
        ran = await run(machine, "import flux")
        assert (ran.code, ran.err.splitlines()[-1]) == (
            1,
            "ModuleNotFoundError: No module named 'flux'",
        )
    async with container("0.66.0") as machine:
        ran = await run(machine, "from flux.job import JournalConsumer")
        assert ran.code == 1
        assert "cannot import name 'JournalConsumer'" in ran.err


async def test_without_a_broker_there_is_no_handle() -> None:
    async with container() as machine:
        broker = machine.broker()
        assert broker is not None
        machine.layout.show_socket(machine.files, broker)
        broker.kill()
        ran = await run(machine, "import flux\nflux.Flux()")
        assert ran.code == 1
        assert "Unable to connect to Flux: Connection refused" in ran.err


async def test_starts_that_are_cancelled_harm_no_other_program() -> None:
    async with container() as machine:
        broker, theirs = socket.socketpair()
        waits = "import sys; sys.stdin.read(); sys.exit(7)"
        with broker, theirs:
            living = await warm_python.start(["/", waits, "-c"], {}, theirs)
            for _ in range(20):
                start = asyncio.ensure_future(warm_python.start(["/", "pass", "-c"], {}, theirs))
                await asyncio.sleep(0)  # it is asked for
                start.cancel()
                await asyncio.gather(start, return_exceptions=True)
            living.stdin.close()
            assert await asyncio.wait_for(living.wait(), 30) == 7
            living.close()
        assert await run(machine, "print(1)") == Ran(0, "1\n", "")
