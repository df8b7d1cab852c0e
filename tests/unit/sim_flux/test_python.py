"""`flux python`: the conversation of our own remote program, and nothing else."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fluxstate_tui.flux import remote_program
from fluxstate_tui.flux.remote_code import ARGUMENTS, program_line
from fluxstate_tui.sim.clock import ScaledClock
from fluxstate_tui.sim.files import Files, Volume
from fluxstate_tui.sim.flux import remote
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.machine import Machine
from tests.unit.sim_flux.world import VIEW

FLUX = VIEW + 'exec flux "$@"'
JOBSPEC: dict[str, Any] = {
    "resources": [
        {"type": "slot", "count": 1, "with": [{"type": "core", "count": 1}], "label": "task"}
    ],
    "tasks": [{"command": ["hostname"], "slot": "task", "count": {"per_slot": 1}}],
    "attributes": {"system": {"duration": 0}},
    "version": 1,
}
ARGV = ["/bin/bash", "-c", FLUX, "flux", *ARGUMENTS]


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


class Talk:
    """A running remote program: requests in, messages out."""

    def __init__(self) -> None:
        self._in: asyncio.Queue[bytes] = asyncio.Queue()
        self._rest = b""
        self._lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.seen: list[dict[str, Any]] = []
        self.errors = b""
        self._number = 0

    async def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = await self._in.get()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    async def write_out(self, data: bytes) -> None:
        for line in data.splitlines():
            self._lines.put_nowait(json.loads(line))

    async def write_err(self, data: bytes) -> None:
        self.errors += data

    def say(self, data: bytes) -> None:
        """Write to its standard input; b"" closes it."""
        self._in.put_nowait(data)

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next message of that kind with these fields."""
        async with asyncio.timeout(30):
            while True:
                message = await self._lines.get()
                self.seen.append(message)
                if message["t"] == kind and fields.items() <= message.items():
                    return message

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """The reply to a request."""
        return await self.until("reply", id=self.send(do, **fields))

    def send(self, do: str, **fields: Any) -> int:
        """Only ask."""
        self._number += 1
        request = {"id": self._number, "do": do, **fields}
        self.say(json.dumps(request).encode() + b"\n")
        return self._number


@asynccontextmanager
async def talk(machine: Machine) -> AsyncIterator[tuple[Talk, asyncio.Task[int]]]:
    """A conversation after its hello; it ends with the block."""
    io = Talk()
    io.say(program_line())
    task = asyncio.create_task(machine.run(ARGV, io))
    try:
        yield io, task
    finally:
        io.say(b"")
        await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 30)


async def test_it_says_hello_with_the_containers_own_facts_and_ends_with_its_input() -> None:
    async with container() as machine:
        async with talk(machine) as (io, task):
            hello = await io.until("hello")
            assert hello["protocol"] == 2
            assert hello["attributes"]["version"] == "0.88.0"
            assert hello["attributes"]["size"] == "1"
            assert (hello["state"], hello["uid"]) == ("run", 0)
            assert abs(hello["now"] - machine.clock.now()) < 60
        assert task.result() == 0
        assert io.errors == b""


async def test_rpcs_are_answered_and_refused_in_fluxs_words() -> None:
    async with container() as machine, talk(machine) as (io, _):
        answer = await io.ask("rpc", topic="job-manager.queue-status", payload={})
        assert answer["result"] == {"enable": True, "start": True}
        answer = await io.ask("rpc", topic="job-manager.queue-stop-that", payload={})
        assert answer["error"] == "Unknown service method 'job-manager.queue-stop-that'"
        payload = {"id": 1, "type": "cancel", "severity": 0}
        answer = await io.ask("rpc", topic="job-manager.raise", payload=payload)
        assert (answer["ok"], answer["errno"], answer["error"]) == (False, 2, "unknown job id")


async def test_what_is_wrong_with_a_request_is_its_reply_and_nothing_ends() -> None:
    async with container() as machine, talk(machine) as (io, _):
        assert (await io.ask("eval", text="1"))["error"] == "there is no request 'eval'"
        assert "topic has to be str" in (await io.ask("rpc", topic=[1]))["error"]
        assert "argument" in (await io.ask("jobs", more=1))["error"]
        for line in (b"[1]\n", b"{\n", b'{"id": [1], "do": "jobs"}\n', b"[" * 100_000 + b"\n"):
            io.say(line)
            assert (await io.until("reply"))["ok"] is False
        assert (await io.ask("rpc", topic="state-machine.get"))["ok"]


async def test_a_job_is_submitted_and_followed_to_the_end_of_its_output() -> None:
    async with container() as machine, talk(machine) as (io, _):
        job = (await io.ask("submit", jobspec=JOBSPEC))["result"]["id"]
        payload = {"id": job, "path": "guest.output", "flags": 0}
        reply = await io.ask("stream", topic="job-info.eventlog-watch", payload=payload)
        assert reply["ok"]
        said = [message["value"]["event"] for message in io.seen if message["t"] == "more"]
        assert "flux-sample-0" in "".join(said)


async def test_the_watch_tells_of_every_event_of_a_new_job() -> None:
    async with container() as machine, talk(machine) as (io, _):
        io.send("watch")
        mode = await io.until("mode")
        assert (mode["mode"], mode["active"]) == ("journal", [])
        job = (await io.ask("submit", jobspec=JOBSPEC))["result"]["id"]
        while not any(event["name"] == "clean" for event in (await io.until("event"))["events"]):
            pass
        events = [message for message in io.seen if message["t"] == "event"]
        assert {message["id"] for message in events} == {job}
        assert [event["name"] for message in events for event in message["events"]] == [
            *("submit", "validate", "depend", "priority", "alloc", "start", "finish"),
            *("release", "free", "clean"),
        ]
        kinds = {message["t"] for message in io.seen}
        assert {"beat", "queues", "stats", "resources", "jobs"} <= kinds


async def test_a_stream_that_is_cancelled_ends_well() -> None:
    async with container() as machine, talk(machine) as (io, _):
        topic = "job-manager.events-journal"
        stream = io.send("stream", topic=topic, payload={"full": True})
        await io.until("more", id=stream)
        io.send("cancel", request=stream, topic=f"{topic}-cancel")
        assert (await io.until("reply", id=stream))["ok"]


async def test_it_is_asked_to_run_no_program() -> None:
    async with container() as machine, talk(machine) as (io, _):
        reply = await io.ask("run", argv=["flux", "dump", "/state/d.tar.gz"])
        assert (reply["ok"], reply["error"]) == (False, "there is no request 'run'")


async def test_a_checkpoint_can_be_made_without_writing_a_key() -> None:
    async with container() as machine, talk(machine) as (io, _):

        async def stamp() -> float:
            answer = await io.ask("rpc", topic="content.checkpoint-get")
            return float(answer["result"]["value"][0]["timestamp"])

        before = await stamp()
        payload = {"namespace": "primary", "flags": 4, "ops": []}
        assert (await io.ask("rpc", topic="kvs.commit", payload=payload))["ok"]
        assert await stamp() > before


async def test_when_the_broker_dies_it_says_so_and_ends_with_1() -> None:
    async with container() as machine, talk(machine) as (io, task):
        await io.until("hello")
        broker = machine.broker()
        assert broker is not None
        broker.kill()
        assert (await io.until("lost"))["why"] == "the connection to the broker broke"
        assert await asyncio.wait_for(task, 30) == 1


async def test_killing_the_exec_ends_it() -> None:
    async with container() as machine, talk(machine) as (io, task):
        await io.until("hello")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_without_bindings_or_without_a_broker_it_says_which() -> None:
    async with container(bindings=False) as machine, talk(machine) as (io, task):
        assert "no Python bindings of Flux" in (await io.until("lost"))["why"]
        assert await task == 3
    async with container() as machine:
        broker = machine.broker()
        assert broker is not None
        machine.layout.show_socket(machine.files, broker)
        broker.kill()
        async with talk(machine) as (io, task):
            lost = await io.until("lost")
            assert lost["why"] == "Unable to connect to Flux: Connection refused"
            assert await task == 1


def test_it_has_the_requests_and_the_numbers_of_the_program_that_real_containers_run() -> None:
    assert set(remote._REQUESTS) == set(remote_program.REQUESTS)
    for name in ("PROTOCOL", "ATTRIBUTES", "PIECE", "TICK", "SLOW_TICKS", "LAG", "LOADING"):
        assert getattr(remote, name) == getattr(remote_program, name)
    for do in remote._REQUESTS:
        theirs = inspect.signature(getattr(remote_program.Program, do)).parameters
        ours = inspect.signature(remote._REQUESTS[do]).parameters
        named = [name for name in theirs if name not in ("self", "number")]
        assert [name for name in ours if name not in ("self", "_number", "number")] == named
        assert all(ours[name].default == theirs[name].default for name in named)
