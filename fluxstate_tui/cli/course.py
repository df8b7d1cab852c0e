"""Work on very many jobs on the command line: a line that counts, and an end on request."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from fluxstate_tui import termination
from fluxstate_tui.tasks import Course

MANY: Final = 1000
"""More than these are asked about first, where somebody can be asked."""
SECONDS: Final = 1.0


@contextmanager
def stoppable(course: Course) -> Iterator[None]:
    """Within the block, being asked to end stops the course; asked once more, it is cancelled."""
    task = asyncio.current_task()
    assert task is not None
    counting = asyncio.create_task(_count(course)) if sys.stderr.isatty() else None
    try:
        with termination.on_request(course.stop, task.cancel):
            yield
    finally:
        if counting is not None:
            counting.cancel()


async def _count(course: Course) -> None:
    wrote = False
    try:
        while True:
            await asyncio.sleep(SECONDS)
            says = f"{course.done:,} of {course.of:,}, {course.failed:,} refused"
            print(f"\r{says}; Ctrl-C stops", end="", file=sys.stderr, flush=True)
            wrote = True
    finally:
        if wrote:
            with suppress(OSError):
                print(file=sys.stderr)
