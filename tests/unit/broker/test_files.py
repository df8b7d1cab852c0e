"""Work on files in a container: the very scripts, under real shells in a temporary folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fluxstate_tui.broker.files import (
    RemoteFileDamaged,
    RemoteFileElsewhere,
    RemoteFileError,
    RemoteFileMissing,
    RemoteFiles,
    RemoteFileTaken,
)
from fluxstate_tui.errors import ExitCode, FluxstateError
from tests.unit.broker.local import LocalExecutor, LocalStream

SHELLS = [shell for shell in ("/bin/dash", "/bin/bash") if shutil.which(shell)]
HOSTILE = ["-rf", "a b", "$(touch pwned)", "'\"`;&|", "[foo]", "new\nline", "ƒ", ".hidden", "*"]


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.fixture(params=SHELLS)
def executor(request: pytest.FixtureRequest) -> LocalExecutor:
    return LocalExecutor(shell=request.param)


@pytest.fixture
def files(executor: LocalExecutor) -> RemoteFiles:
    return RemoteFiles(executor, "ns", "pod", "c")


async def test_hostile_names_are_only_names(files: RemoteFiles, tmp_path: Path) -> None:
    for name in HOSTILE:
        path = f"{tmp_path}/{name}"
        await files.write_new(path, name.encode())
        assert (await files.stat(path)).size == len(name.encode())
        assert b"".join([data async for data in files.read(path)]) == name.encode()
    assert sorted(entry.name for entry in await files.list(str(tmp_path))) == sorted(HOSTILE)
    for name in HOSTILE:
        await files.remove(f"{tmp_path}/{name}")
    assert await files.list(str(tmp_path)) == []


async def test_who_may_write_beside_a_new_folder_may_write_into_it(
    files: RemoteFiles, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o777)
    if os.getuid() == 0:
        os.chown(volume, 1000, 1000)
    await files.mkdir(str(volume / "fluxstate"))
    made, above = os.stat(volume / "fluxstate"), os.stat(volume)
    assert (made.st_mode, made.st_uid, made.st_gid) == (above.st_mode, above.st_uid, above.st_gid)


async def test_what_has_its_name_is_read_only(files: RemoteFiles, tmp_path: Path) -> None:
    await files.write_new(f"{tmp_path}/a", b"x")
    await files.copy(f"{tmp_path}/a", f"{tmp_path}/b")
    await files.link_new(f"{tmp_path}/b", f"{tmp_path}/c")
    assert {os.stat(tmp_path / name).st_mode & 0o777 for name in "abc"} == {0o444}


async def test_a_stat_is_what_python_says(files: RemoteFiles, tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "f").write_bytes(content)
    os.utime(tmp_path / "f", (1_700_000_000, 1_700_000_000))
    stat = await files.stat(str(tmp_path / "f"))
    assert (stat.size, stat.mtime) == (300_000, 1_700_000_000.0)
    assert stat.sha256 == hashlib.sha256(content).hexdigest()
    [entry] = await files.list(str(tmp_path))
    assert (entry.name, entry.size, entry.mtime) == ("f", 300_000, 1_700_000_000.0)


async def test_folders_and_links_to_nowhere_are_not_listed(
    files: RemoteFiles, tmp_path: Path
) -> None:
    await files.mkdir(str(tmp_path / "one" / "two"))
    (tmp_path / "dangling").symlink_to("/nowhere/at/all")
    assert await files.list(str(tmp_path)) == []
    assert await files.list(str(tmp_path / "one" / "two")) == []


async def test_a_link_is_told_and_never_followed(files: RemoteFiles, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_bytes(b"{}" * 500)
    (tmp_path / "latest.json").symlink_to("one.json")
    (tmp_path / "two.json").write_bytes(b"[]")
    small = await files.read_small(str(tmp_path), ".json", 1 << 20, 1)
    assert {name: len(data) for name, data in small.items()} == {"one.json": 1000, "two.json": 2}
    listed = [(entry.name, entry.is_link) for entry in await files.list(str(tmp_path))]
    assert listed == [("latest.json", True), ("one.json", False), ("two.json", False)]
    with pytest.raises(RemoteFileElsewhere, match=r"latest\.json is a link"):
        _ = [data async for data in files.read(f"{tmp_path}/latest.json")]


async def test_what_is_missing_is_called_missing(files: RemoteFiles, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    for call in (files.stat(gone), files.list(gone), files.free_bytes(gone)):
        with pytest.raises(RemoteFileMissing) as caught:
            await call
        assert caught.value.exit_code is ExitCode.NOT_FOUND
    with pytest.raises(FileNotFoundError):
        await files.copy(gone, str(tmp_path / "copy"))
    with pytest.raises(FileNotFoundError):
        await files.link_new(gone, str(tmp_path / "link"))
    await files.remove(gone)
    assert names(tmp_path) == []


@pytest.mark.parametrize("what", ["write_new", "link_new", "copy"])
async def test_a_file_is_never_overwritten(files: RemoteFiles, tmp_path: Path, what: str) -> None:
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "precious").write_bytes(b"precious")
    target = str(tmp_path / "precious")
    with pytest.raises(FileExistsError) as caught:
        if what == "write_new":
            await files.write_new(target, b"new")
        elif what == "link_new":
            await files.link_new(str(tmp_path / "new"), target)
        else:
            await files.copy(str(tmp_path / "new"), target)
    assert isinstance(caught.value, RemoteFileTaken)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert names(tmp_path) == ["new", "precious"]


async def test_links_and_copies_have_the_same_content(files: RemoteFiles, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    await files.link_new(str(tmp_path / "a"), str(tmp_path / "linked"))
    stat = await files.copy(str(tmp_path / "a"), str(tmp_path / "copied"))
    assert stat.sha256 == hashlib.sha256(b"content").hexdigest()
    assert (tmp_path / "linked").stat().st_ino == (tmp_path / "a").stat().st_ino
    assert (tmp_path / "copied").stat().st_ino != (tmp_path / "a").stat().st_ino
    assert len(names(tmp_path)) == 3


@pytest.mark.parametrize("shell", SHELLS)
async def test_a_volume_without_hard_links_gets_copies(tmp_path: Path, shell: str) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ln").write_text("#!/bin/sh\nexit 1\n")
    (tools / "ln").chmod(0o755)
    executor = LocalExecutor({"PATH": f"{tools}:{os.environ['PATH']}"}, shell)
    files = RemoteFiles(executor, "ns", "pod", "c")
    volume = tmp_path / "volume"
    volume.mkdir()
    await files.write_new(f"{volume}/a", b"content")
    await files.link_new(f"{volume}/a", f"{volume}/b")
    assert (volume / "b").read_bytes() == b"content"
    with pytest.raises(RemoteFileTaken):
        await files.link_new(f"{volume}/a", f"{volume}/b")
    assert names(volume) == ["a", "b"]


def with_sync(folder: Path, words: str, shell: str) -> RemoteFiles:
    """Files of a container whose `sync FILE` fails, and says this."""
    tools = folder / "tools"
    tools.mkdir()
    script = f'#!/bin/sh\nif [ $# -gt 0 ]; then echo "sync: {words}" >&2; exit 1; fi\n'
    (tools / "sync").write_text(script)
    (tools / "sync").chmod(0o755)
    executor = LocalExecutor({"PATH": f"{tools}:{os.environ['PATH']}"}, shell)
    return RemoteFiles(executor, "ns", "pod", "c")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("why", ["Input/output error", "I/O error", "No space left on device"])
async def test_what_cannot_be_flushed_gets_no_name(tmp_path: Path, shell: str, why: str) -> None:
    """A second flush after a failed one says nothing of what the first one lost (fsyncgate)."""
    files = with_sync(tmp_path, f"error syncing 'f': {why}", shell)
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "there").write_bytes(b"content")
    at = str(volume)
    for change in (
        files.write_new(f"{at}/new", b"content"),
        files.copy(f"{at}/there", f"{at}/new"),
        files.link_new(f"{at}/there", f"{at}/new"),
    ):
        with pytest.raises(RemoteFileError, match=why):
            await change
        assert names(volume) == ["there"]


@pytest.mark.parametrize("shell", SHELLS)
async def test_a_name_is_given_between_the_flush_of_the_file_and_that_of_the_folder(
    tmp_path: Path, shell: str
) -> None:
    tools, volume, log = tmp_path / "tools", tmp_path / "volume", tmp_path / "log"
    for folder in (tools, volume):
        folder.mkdir()
    for tool in ("sync", "ln"):
        real = shutil.which(tool)
        (tools / tool).write_text(f'#!/bin/sh\necho {tool} "$1" $2 >> {log}\nexec {real} "$@"\n')
        (tools / tool).chmod(0o755)
    executor = LocalExecutor({"PATH": f"{tools}:{os.environ['PATH']}"}, shell)
    files = RemoteFiles(executor, "ns", "pod", "c")
    (volume / "part").write_bytes(b"content")
    for change in (
        files.write_new(f"{volume}/new", b"content"),
        files.copy(f"{volume}/part", f"{volume}/copy"),
        files.link_new(f"{volume}/part", f"{volume}/linked"),
    ):
        await change
        (flushed, named, folder_flushed) = log.read_text().splitlines()
        assert flushed.startswith("sync ./")  # in the folder that is held, whatever has its name
        assert named == flushed.replace("sync", "ln --")
        assert folder_flushed == "sync ."
        log.unlink()


@pytest.mark.parametrize("shell", SHELLS)
async def test_a_sync_that_knows_no_files_is_no_obstacle(tmp_path: Path, shell: str) -> None:
    files = with_sync(tmp_path, "unrecognized argument", shell)
    assert (await files.write_new(f"{tmp_path}/new", b"content")).size == 7


async def test_what_arrived_cut_gets_no_name(
    executor: LocalExecutor, files: RemoteFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """containerd#13934 closes large inputs early."""

    async def cut(stream: LocalStream, data: bytes) -> None:
        await whole(stream, data[:1000])
        await stream.close_stdin()

    whole = LocalStream.write
    monkeypatch.setattr(LocalStream, "write", cut)
    with pytest.raises(RemoteFileDamaged, match="1000 bytes"):
        await files.write_new(str(tmp_path / "f"), b"x" * 5000)
    assert names(tmp_path) == []


async def test_a_full_or_forbidden_volume_is_told_in_its_own_words(
    files: RemoteFiles, tmp_path: Path
) -> None:
    with pytest.raises(RemoteFileError, match=r"/dev/null|directory|Not a directory"):
        await files.mkdir("/dev/null/x")
    with pytest.raises(RemoteFileError) as caught:
        await files.write_new("/proc/fluxstate-test", b"x")
    assert not isinstance(caught.value, RemoteFileTaken)


async def test_the_room_on_a_volume_is_what_the_kernel_says(
    files: RemoteFiles, tmp_path: Path
) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert abs(await files.free_bytes(str(tmp_path)) - free) < 0.1 * free + 1e8


class CutExecutor(LocalExecutor):
    """Every stream breaks after some bytes, like a bad line."""

    def __init__(self, shell: str, after: int, *, silently: bool) -> None:
        super().__init__(shell=shell)
        self._after = after
        self._silently = silently

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
        async with super().exec_stream(
            namespace, pod, container, argv, only_reads=only_reads
        ) as stream:
            yield _Cut(stream, self._after, self._silently)


class _Cut(LocalStream):
    def __init__(self, stream: LocalStream, after: int, silently: bool) -> None:
        self._stream = stream
        self._left = after
        self._silently = silently

    async def read(self) -> tuple[int, bytes] | None:
        if self._left <= 0:
            if self._silently:
                return None
            raise FluxstateError("the connection broke", exit_code=ExitCode.UNKNOWN)
        chunk = await self._stream.read()
        if chunk is None:
            return None
        data = chunk[1][: self._left]
        self._left -= len(data)
        return chunk[0], data


@pytest.mark.parametrize("silently", [True, False])
async def test_reading_goes_on_where_a_stream_broke(tmp_path: Path, silently: bool) -> None:
    content = os.urandom(200_000)
    (tmp_path / "f").write_bytes(content)
    executor = CutExecutor(SHELLS[0], 60_000, silently=silently)
    files = RemoteFiles(executor, "ns", "pod", "c")
    assert b"".join([data async for data in files.read(str(tmp_path / "f"))]) == content


async def test_a_stream_that_brings_nothing_is_given_up_loudly(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"content")
    files = RemoteFiles(CutExecutor(SHELLS[0], 0, silently=True), "ns", "pod", "c")
    with pytest.raises(RemoteFileDamaged, match="reads as 0 bytes"):
        _ = [data async for data in files.read(str(tmp_path / "f"))]


@pytest.mark.parametrize("shell", SHELLS)
async def test_a_file_that_is_written_to_has_no_fingerprint(tmp_path: Path, shell: str) -> None:
    """The checksum program is slow, and somebody appends meanwhile."""
    (tmp_path / "f").write_bytes(b"a")
    tool = tmp_path / "sha256sum"
    tool.write_text(f"#!/bin/sh\nprintf b >> {tmp_path}/f\nexec /usr/bin/sha256sum\n")
    tool.chmod(0o755)
    executor = LocalExecutor({"PATH": f"{tmp_path}:{os.environ['PATH']}"}, shell)
    with pytest.raises(RemoteFileDamaged, match="being written"):
        await RemoteFiles(executor, "ns", "pod", "c").stat(str(tmp_path / "f"))
