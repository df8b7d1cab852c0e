"""Waiting: for all of several or very many, for one or the clock, and for an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock

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


class Course:
    """How far work on `of` things has come. `stop` begins no more: what is in flight ends."""

    def __init__(self, of: int = 1) -> None:
        self.of = of
        self.done = 0
        self.failed = 0
        self.stopping = False

    def stop(self) -> None:
        """Begin no more of them."""
        self.stopping = True

    def count(self, good: bool) -> None:
        """One more has ended."""
        if good:
            self.done += 1
        else:
            self.failed += 1


async def work_off(
    things: Iterable[T], do: Callable[[T], Awaitable[bool]], course: Course, at_once: int
) -> None:
    """Do it to each of however many things, in order, so many at a time, until it is stopped.

    `do` says whether it went well. Its first error stops the course, and is raised when what was
    in flight has ended. A cancel ends what is in flight.
    """
    todo = iter(things)

    async def take() -> None:
        for thing in todo:
            if course.stopping:
                return
            try:
                good = await do(thing)
            except BaseException:
                course.stop()
                raise
            course.count(good)

    takers = [asyncio.ensure_future(take()) for _ in range(max(1, min(at_once, course.of)))]
    try:
        for result in await asyncio.gather(*takers, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
    finally:
        await ended(*takers)


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


async def done_within(work: asyncio.Future[Any], seconds: float, clock: Clock) -> bool:
    """Whether it has ended by then. It goes on if it has not."""
    if work.done():
        return True
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({work, timer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await ended(timer)
    return work.done()


class Pause:
    """A wait that somebody else may cut short, because there is news."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._over = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for so long (None: for ever) or until `end`; one that came before counts."""
        over = asyncio.ensure_future(self._over.wait())
        try:
            if seconds is None:
                await over
            else:
                await done_within(over, seconds, self._clock)
        finally:
            await ended(over)
            self._over.clear()

    def end(self) -> None:
        """Whoever waits, or is about to, goes on now."""
        self._over.set()
