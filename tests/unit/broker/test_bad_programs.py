"""A remote program that prints rubbish, half lines or nothing, or that is another one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from fluxstate_tui.broker.protocol import UnknownMessage
from fluxstate_tui.broker.rpc import follow_output
from fluxstate_tui.broker.session import CannotStart, FluxSession, SessionLost
from tests.unit.broker.script import Script

HELLO = {
    "t": "hello",
    "protocol": 1,
    "attributes": {"version": "0.88.0", "size": "2"},
    "state": "run",
    "uid": 0,
    "now": 0.0,
}


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        ("echo '[/oops] \x1b[31m' >&2; exec cat > /dev/null", "no word from it within 1 s"),
        ("echo 'a warning' >&2; exec cat > /dev/null", "a warning"),
        ("yes rubbish | head -1000; exit 1", "exit code 1"),
        ('printf \'{"t":"hello","pro\'; exit 1', "exit code 1"),
        ("echo 'flux: not a flux command' >&2; exit 1", "not a flux command"),
        (f"echo '{json.dumps(HELLO)}'; exec cat > /dev/null", "it speaks protocol 1, we 2"),
    ],
)
async def test_what_does_not_come_up_is_said_with_what_it_said(
    script: Script, instead: str, words: str
) -> None:
    script.greeting = f"{instead}\n"
    with pytest.raises(CannotStart) as caught:
        async with FluxSession.open(script.executor(), script.endpoint, timeout=1.0):
            raise AssertionError("it started")
    assert words in caught.value.message
    assert caught.value.no_bindings == ("not a flux command" in words)


async def test_rubbish_among_its_lines_is_told_and_nothing_else_is_lost(script: Script) -> None:
    script.greeting = "(sleep 0.5; printf '\\377[/foo] {\"t\":\\n') &\n"
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        await session.watch()
        async with asyncio.timeout(10):
            while not isinstance(message := await session.message(), UnknownMessage):
                pass
        assert "[/foo]" in message.text
        assert await session.now() > 0


async def test_a_program_that_says_nothing_more_leaves_the_outcome_unknown(script: Script) -> None:
    async with FluxSession.open(script.executor(), script.endpoint) as session:
        with pytest.raises(SessionLost, match="did not answer") as caught:
            await session.submit({"attributes": {"system": {}}}, 16, timeout=0.0)
    assert "may have been carried out or not" in str(caught.value.safe)


async def test_when_nobody_reads_any_more_nobody_waits_for_an_answer(script: Script) -> None:
    script.answers["job-info.eventlog-watch"] = [{"event": "1\n"}]

    def broken(text: str) -> None:
        raise KeyError("no such row")

    async with FluxSession.open(script.executor(), script.endpoint) as session:
        async with asyncio.timeout(10):
            with pytest.raises(SessionLost, match="a bug in fluxstate-tui: KeyError"):
                await follow_output(session, 16, broken)
