"""The end of tasks that are not wanted any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(*work: Awaitable[T]) -> list[T]:
    """All at once; the results in order.

    The first error cancels the others and is raised when they have ended, as is a cancel: with
    asyncio.gather alone they would go on without anybody who waits for them.
    """
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await ended(*tasks)


async def ended(*tasks: asyncio.Future[Any]) -> None:
    """Cancel them and wait until they have ended, whatever their result.

    A cancel of the caller meanwhile is raised. To await a task that was just cancelled and to
    suppress its CancelledError would lose that one, and a feed would never end.
    """
    for task in tasks:
        task.cancel()
    if running := [task for task in tasks if not task.done()]:
        await asyncio.wait(running)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at: asyncio warns of what nobody does
