"""A change whose answer must be known, even when somebody cancels while it is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def uninterrupted(work: Coroutine[Any, Any, str]) -> tuple[str, bool]:
    """Its result, and whether it was asked to stop meanwhile.

    Raises CancelledError when it was asked to before anything was begun.
    """
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        work.close()
        raise
    task = asyncio.create_task(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    return task.result(), cancelled


async def too_late_to_stop(work: Coroutine[Any, Any, str]) -> str:
    """The result of what cannot be taken back: a cancel meanwhile is taken back, and that said."""
    text, cancelled = await uninterrupted(work)
    task = asyncio.current_task()
    if not cancelled or task is None:
        return text
    task.uncancel()
    return f"{text}; too late to stop"
