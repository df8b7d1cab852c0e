"""The end of tasks that are not wanted any more."""

from __future__ import annotations

import asyncio
from typing import Any


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
