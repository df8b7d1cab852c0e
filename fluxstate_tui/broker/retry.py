"""Trouble that passes: what is harmless to repeat is repeated until it works or lasts too long."""

from __future__ import annotations

import asyncio
import builtins
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from fluxstate_tui.broker.files import (
    FileExecutor,
    RemoteAccess,
    RemoteEntry,
    RemoteFiles,
    RemoteStat,
)
from fluxstate_tui.broker.locate import NoLead
from fluxstate_tui.broker.session import CannotStart, SessionLost
from fluxstate_tui.clock import Clock
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import (
    BadAnswer,
    CannotConnect,
    ExecUnknown,
    Forbidden,
    OutcomeUnknown,
    RefusedOnTheWay,
    ServerError,
    TooManyRequests,
)
from fluxstate_tui.minicluster.mount import Mount

T = TypeVar("T")

BROKEN = (CannotConnect, OutcomeUnknown, ExecUnknown, ServerError, TooManyRequests, BadAnswer)
BROKEN_FLUX = (*BROKEN, SessionLost, CannotStart, NoLead)

PATIENCE = 60.0
# After an API server's start users under RBAC are refused for 1.7 s (ARCHITECTURE.md#F82).
_FORBIDDEN_PATIENCE = 5.0
_FIRST, _MOST = 0.25, 5.0


async def retry(
    clock: Clock,
    action: Callable[[], Awaitable[T]],
    *,
    trouble: tuple[type[FluxstateError], ...] = BROKEN,
    seconds: float = PATIENCE,
) -> T:
    """The result of `action`, which must be harmless to repeat.

    Raises its last error when the trouble lasts longer than `seconds`, and any other error at once.
    """
    begin = clock.now()
    pause = _FIRST
    while True:
        try:
            return await action()
        except FluxstateError as error:
            if clock.now() - begin + pause > _patience(error, trouble, seconds):
                raise
        await clock.sleep(pause)
        pause = min(pause * 2, _MOST)


def _patience(
    error: FluxstateError, trouble: tuple[type[FluxstateError], ...], seconds: float
) -> float:
    if isinstance(error, Forbidden):
        return min(seconds, _FORBIDDEN_PATIENCE)
    if not isinstance(error, trouble):
        return 0.0
    for_good = isinstance(error, RefusedOnTheWay) and (error.status or 0) < 500
    return min(seconds, _FORBIDDEN_PATIENCE) if for_good else seconds


# Files of a container over a connection that may break at any moment.
#
# Reading is repeated. A change whose answer was lost is looked up before it is repeated: what is
# there decides, not what was answered.

_TRIES = 4


class RetryingFiles(RemoteFiles):
    """RemoteFiles that outlives short trouble; the errors are the same."""

    def __init__(
        self,
        executor: FileExecutor,
        clock: Clock,
        place: tuple[str, str, str],
        mounts: Sequence[Mount],
    ) -> None:
        """`place` is namespace, pod, container."""
        super().__init__(executor, *place, mounts)
        self._clock = clock

    async def list(self, folder: str) -> builtins.list[RemoteEntry]:
        """See RemoteFiles.list."""
        return await retry(self._clock, lambda: RemoteFiles.list(self, folder))

    async def stat(self, path: str) -> RemoteStat:
        """See RemoteFiles.stat."""
        return await retry(self._clock, lambda: RemoteFiles.stat(self, path))

    async def read_small(
        self, folder: str, suffix: str, limit: int, at_limit: int
    ) -> dict[str, bytes]:
        """See RemoteFiles.read_small."""
        return await retry(
            self._clock, lambda: RemoteFiles.read_small(self, folder, suffix, limit, at_limit)
        )

    async def access(self, folder: str, *, writes: bool) -> RemoteAccess:
        """See RemoteFiles.access."""
        return await retry(self._clock, lambda: RemoteFiles.access(self, folder, writes=writes))

    async def free_bytes(self, folder: str) -> int:
        """See RemoteFiles.free_bytes."""
        return await retry(self._clock, lambda: RemoteFiles.free_bytes(self, folder))

    async def mkdir(self, path: str) -> None:
        """See RemoteFiles.mkdir."""
        await retry(self._clock, lambda: RemoteFiles.mkdir(self, path))

    async def remove(self, path: str) -> None:
        """See RemoteFiles.remove."""
        await retry(self._clock, lambda: RemoteFiles.remove(self, path))

    async def write_new(self, path: str, data: bytes) -> RemoteStat:
        """See RemoteFiles.write_new."""
        wanted = (len(data), hashlib.sha256(data).hexdigest())
        await self._change(
            lambda: RemoteFiles.write_new(self, path, data), lambda: self._holds(path, wanted)
        )
        return await self.stat(path)

    async def append(self, part: str, offset: int, data: bytes) -> None:
        """See RemoteFiles.append."""
        await retry(self._clock, lambda: RemoteFiles.append(self, part, offset, data))

    async def enter(self, part: str, path: str, sha256: str) -> RemoteStat:
        """See RemoteFiles.enter."""
        size = (await self.stat(part)).size
        await self._change(
            lambda: RemoteFiles.enter(self, part, path, sha256),
            lambda: self._holds(path, (size, sha256)),
        )
        return await self.stat(path)

    async def copy(self, source: str, path: str) -> RemoteStat:
        """See RemoteFiles.copy."""
        await self._change(
            lambda: RemoteFiles.copy(self, source, path), lambda: self._same(source, path)
        )
        return await self.stat(path)

    async def link_new(self, source: str, path: str) -> None:
        """See RemoteFiles.link_new."""
        await self._change(
            lambda: RemoteFiles.link_new(self, source, path), lambda: self._same(source, path)
        )

    async def _change(
        self, change: Callable[[], Awaitable[object]], done: Callable[[], Awaitable[bool]]
    ) -> None:
        for attempt in range(_TRIES):
            try:
                await change()
                return
            except FileExistsError:
                # An earlier try whose answer was lost may have been carried out late.
                if attempt and await done():
                    return
                raise
            except BROKEN:
                if await done():
                    return
                if attempt == _TRIES - 1:
                    raise
            await self._clock.sleep(0.5 * 2**attempt)

    async def _same(self, source: str, path: str) -> bool:
        mine = await self.stat(source)
        return await self._holds(path, (mine.size, mine.sha256))

    async def _holds(self, path: str, wanted: tuple[int, str]) -> bool:
        try:
            found = await self.stat(path)
        except FileNotFoundError:
            return False
        return (found.size, found.sha256) == wanted


# A change whose answer must be known, even when somebody cancels while it is under way.


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
