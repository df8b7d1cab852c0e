"""Files of a container over a connection that may break at any moment.

Reading is repeated. A change whose answer was lost is looked up before it is repeated: what is
there decides, not what was answered.
"""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import Awaitable, Callable, Sequence

from fluxstate_tui.clock import Clock
from fluxstate_tui.flux.files import (
    FileExecutor,
    RemoteAccess,
    RemoteEntry,
    RemoteFiles,
    RemoteStat,
)
from fluxstate_tui.model.mount import Mount
from fluxstate_tui.operations.world.patience import BROKEN, patiently

_TRIES = 4


class PatientFiles(RemoteFiles):
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
        return await patiently(self._clock, lambda: RemoteFiles.list(self, folder))

    async def stat(self, path: str) -> RemoteStat:
        """See RemoteFiles.stat."""
        return await patiently(self._clock, lambda: RemoteFiles.stat(self, path))

    async def read_small(self, folder: str, suffix: str, limit: int = 1 << 20) -> dict[str, bytes]:
        """See RemoteFiles.read_small."""
        return await patiently(
            self._clock, lambda: RemoteFiles.read_small(self, folder, suffix, limit)
        )

    async def access(self, folder: str, *, writes: bool) -> RemoteAccess:
        """See RemoteFiles.access."""
        return await patiently(self._clock, lambda: RemoteFiles.access(self, folder, writes=writes))

    async def free_bytes(self, folder: str) -> int:
        """See RemoteFiles.free_bytes."""
        return await patiently(self._clock, lambda: RemoteFiles.free_bytes(self, folder))

    async def mkdir(self, path: str) -> None:
        """See RemoteFiles.mkdir."""
        await patiently(self._clock, lambda: RemoteFiles.mkdir(self, path))

    async def remove(self, path: str) -> None:
        """See RemoteFiles.remove."""
        await patiently(self._clock, lambda: RemoteFiles.remove(self, path))

    async def write_new(self, path: str, data: bytes) -> RemoteStat:
        """See RemoteFiles.write_new."""
        wanted = (len(data), hashlib.sha256(data).hexdigest())
        await self._change(
            lambda: RemoteFiles.write_new(self, path, data), lambda: self._holds(path, wanted)
        )
        return await self.stat(path)

    async def append(self, part: str, offset: int, data: bytes) -> None:
        """See RemoteFiles.append."""
        await patiently(self._clock, lambda: RemoteFiles.append(self, part, offset, data))

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
