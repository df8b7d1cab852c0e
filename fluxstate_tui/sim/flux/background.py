"""Long work on archives goes to a thread, so that the simulated cluster goes on answering."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_background(long: bool, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Call it here when it is short, in a thread when it is long."""
    if long:
        return await asyncio.to_thread(work, *args, **options)
    return work(*args, **options)
