"""A file of any size into a container, piece by piece, each read back before the next one comes.

Never more than a piece is in memory. Where a runtime closes a large stdin early (containerd#13934),
the pieces get smaller.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.files import RemoteFileDamaged, RemoteFiles, RemoteStat, beside

PIECE = 8 << 20
SMALLEST = 64 << 10


async def upload(
    files: RemoteFiles,
    path: str,
    wanted: RemoteStat,
    source: AsyncIterator[bytes],
    told: Callable[[int], None] = lambda done: None,
    *,
    piece: int = PIECE,
) -> RemoteStat:
    """A new file of the `wanted` size and sha256. `told` gets the number of bytes that are there.

    Raises RemoteFileTaken, RemoteFileDamaged, or what the source raises; nothing is left then.
    """
    part = beside(path)
    done = 0
    try:
        async for data in _pieces(source, piece):
            await _append(files, part, done, data)
            done += len(data)
            told(done)
        if done == 0:
            await files.append(part, 0, b"")
        return await files.enter(part, path, wanted.sha256)
    except BaseException:
        with contextlib.suppress(FluxstateError):
            await files.remove(part)
        raise


async def _append(files: RemoteFiles, part: str, offset: int, data: bytes) -> None:
    try:
        await files.append(part, offset, data)
    except RemoteFileDamaged:
        if len(data) <= SMALLEST:
            raise
        half = len(data) // 2
        await _append(files, part, offset, data[:half])
        await _append(files, part, offset + half, data[half:])


async def _pieces(source: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    waiting = bytearray()
    async for data in source:
        waiting += data
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)
