"""A large file goes piece by piece, and has its name only when it is whole."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fluxstate_tui.broker.files import (
    SMALLEST,
    RemoteFileDamaged,
    RemoteFiles,
    RemoteFileTaken,
    RemoteStat,
    upload,
)
from fluxstate_tui.broker.retry import RetryingFiles
from fluxstate_tui.kube.errors import ExecUnknown
from fluxstate_tui.sim.clock import ScaledClock
from tests.unit.broker.local import LocalExecutor, LocalStream

CONTENT = os.urandom(300_000)


def stat_of(data: bytes) -> RemoteStat:
    return RemoteStat(len(data), hashlib.sha256(data).hexdigest(), 0.0)


async def chunks(data: bytes, size: int = 7_001) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


class Faulty(LocalExecutor):
    """Its streams lose what goes beyond `most` bytes; those numbered in `cut` lose their answer."""

    def __init__(self, most: int = 1 << 30, cut: tuple[int, ...] = ()) -> None:
        super().__init__()
        self._most = most
        self._cut = cut

    @asynccontextmanager
    async def exec_stream(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        only_reads: bool = False,
    ) -> AsyncIterator[LocalStream]:
        number = len(self.streams)
        opening = super().exec_stream(namespace, pod, container, argv, only_reads=only_reads)
        async with opening as stream:
            whole = stream.write

            async def write(data: bytes) -> None:
                await whole(data[: self._most])
                if len(data) > self._most:
                    await stream.close_stdin()

            stream.write = write  # type: ignore[method-assign]
            yield stream
        if number in self._cut:
            raise ExecUnknown("sh", "cut")


@pytest.mark.parametrize("size", [0, 1, 64_000, 300_000])
async def test_it_arrives_as_it_was_and_leaves_nothing_else(tmp_path: Path, size: int) -> None:
    files = RemoteFiles(LocalExecutor(), "ns", "pod", "c")
    data, told = CONTENT[:size], [0]
    path = tmp_path / "a.tar.gz"
    found = await upload(files, str(path), stat_of(data), chunks(data), told.append, piece=64_000)
    assert path.read_bytes() == data
    assert found.sha256 == stat_of(data).sha256
    assert told[-1] == size
    assert names(tmp_path) == ["a.tar.gz"]


async def test_a_lost_answer_puts_no_piece_in_twice(tmp_path: Path) -> None:
    files = RetryingFiles(Faulty(cut=(0, 2, 3)), ScaledClock(100), ("ns", "pod", "c"), ())
    await upload(files, str(tmp_path / "a"), stat_of(CONTENT), chunks(CONTENT), piece=100_000)
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert names(tmp_path) == ["a"]


async def test_where_a_large_stdin_is_cut_the_pieces_get_smaller(tmp_path: Path) -> None:
    executor = Faulty(most=SMALLEST + 1)
    files = RemoteFiles(executor, "ns", "pod", "c")
    await upload(files, str(tmp_path / "a"), stat_of(CONTENT), chunks(CONTENT))
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert len(executor.streams) > 8


async def test_what_is_not_what_was_promised_gets_no_name(tmp_path: Path) -> None:
    files = RemoteFiles(LocalExecutor(), "ns", "pod", "c")
    with pytest.raises(RemoteFileDamaged):
        await upload(files, str(tmp_path / "a"), stat_of(CONTENT), chunks(CONTENT[:-1]))
    assert names(tmp_path) == []


async def test_a_file_that_is_there_is_never_touched(tmp_path: Path) -> None:
    files = RemoteFiles(LocalExecutor(), "ns", "pod", "c")
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(RemoteFileTaken):
        await upload(files, str(tmp_path / "a"), stat_of(CONTENT), chunks(CONTENT))
    assert (tmp_path / "a").read_bytes() == b"mine"
    assert names(tmp_path) == ["a"]


async def test_it_is_never_wholly_in_memory(tmp_path: Path) -> None:
    size, piece = 16 << 20, 1 << 20
    whole = tmp_path / "source"
    whole.write_bytes(bytes(size))

    async def source() -> AsyncIterator[bytes]:
        with whole.open("rb") as handle:
            while data := handle.read(1 << 16):
                yield data

    wanted = stat_of(bytes(size))
    files = RemoteFiles(LocalExecutor(), "ns", "pod", "c")
    tracemalloc.start()
    try:
        await upload(files, str(tmp_path / "a"), wanted, source(), piece=piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * piece
