"""Everybody who talks to one broker shares one conversation, and nobody keeps one for nothing."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from fluxstate_tui.broker.pool import BrokerPool
from fluxstate_tui.broker.session import CannotStart
from tests.unit.broker.script import Script


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


async def test_two_users_share_one_exec_stream_until_the_last_one_leaves(script: Script) -> None:
    pool = BrokerPool(script.executor())
    async with AsyncExitStack() as last:
        async with pool.session(script.endpoint) as one:
            other = await last.enter_async_context(pool.session(script.endpoint))
            assert other is one
            assert pool.open_now == 1
        assert await other.now() > 0
    assert pool.open_now == 0
    assert not other.answers


async def test_users_that_come_at_the_same_time_share_it_as_well(script: Script) -> None:
    pool, all_in = BrokerPool(script.executor()), asyncio.Barrier(4)

    async def use() -> None:
        async with pool.session(script.endpoint) as session:
            await all_in.wait()
            assert pool.open_now == 1
            await session.now()

    async with asyncio.timeout(20), asyncio.TaskGroup() as users:
        for _ in range(4):
            users.create_task(use())
    assert pool.open_now == 0


async def test_one_that_does_not_start_is_told_to_each_and_tried_anew(script: Script) -> None:
    script.cannot_connect = "there is no broker"
    pool = BrokerPool(script.executor())
    for _ in range(2):
        with pytest.raises(CannotStart, match="there is no broker"):
            async with pool.session(script.endpoint):
                pass
    assert pool.open_now == 0


async def test_one_that_does_not_answer_is_given_to_nobody_any_more(script: Script) -> None:
    pool = BrokerPool(script.executor())
    async with pool.session(script.endpoint) as silent:
        silent.suspect()
        async with pool.session(script.endpoint) as fresh:
            assert fresh is not silent
            async with pool.session(script.endpoint) as shared:
                assert shared is fresh
    assert pool.open_now == 0


async def test_only_one_reads_what_a_broker_says_in_the_life_of_a_conversation(
    script: Script,
) -> None:
    pool = BrokerPool(script.executor())
    async with pool.session(script.endpoint) as operation:
        async with pool.session(script.endpoint, watches=True) as feed:
            assert feed is operation
            await feed.watch()
            feed.stop_watching()
        async with pool.session(script.endpoint, watches=True) as next_feed:
            assert next_feed is not operation
    assert pool.open_now == 0


async def test_who_gives_up_before_it_is_open_leaves_nothing_behind(script: Script) -> None:
    pool = BrokerPool(script.executor())

    async def use() -> None:
        async with pool.session(script.endpoint):
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.open_now == 0
