"""Feeds end when they are told to, at whatever moment that is."""

from __future__ import annotations

import asyncio

import pytest

from fluxstate_tui.tasks import ended, together


async def test_a_cancel_that_comes_while_something_is_ended_is_not_lost() -> None:
    async def feed() -> None:
        waiting = asyncio.create_task(asyncio.Event().wait())
        await asyncio.sleep(0)
        await ended(waiting)
        await asyncio.Event().wait()  # a feed goes on for ever

    feeding = asyncio.create_task(feed())
    for _ in range(2):
        await asyncio.sleep(0)
    feeding.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await feeding


async def test_what_had_failed_by_then_leaves_no_unseen_error() -> None:
    failed = asyncio.get_running_loop().create_future()
    failed.set_exception(ValueError("too late to matter"))
    await ended(failed)


async def test_the_first_error_is_raised_when_all_others_have_ended() -> None:
    gone = []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            gone.append("slow")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await together(slow(), fails(), slow())
    assert gone == ["slow", "slow"]
