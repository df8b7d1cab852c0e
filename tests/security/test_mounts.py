# ruff: noqa: ASYNC240  (small files, in tests)
"""The scripts themselves, under real shells and programs, on real mounts and links."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from fluxstate_tui.broker.files import RemoteFileElsewhere, RemoteFiles, RemoteStat, upload
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.minicluster.mount import Mount
from tests.security.namespace import SHELLS, Namespace, namespace

Work = Callable[[RemoteFiles, str], Awaitable[object]]


class Place:
    """A volume at `state`, and a folder `outside` that is not on it."""

    def __init__(self, executor: Namespace, folder: Path) -> None:
        self.executor = executor
        self.root = folder
        self.state = f"{folder}/state"
        self.folder = f"{self.state}/fluxstate"
        self.outside = f"{folder}/outside"
        mount = Mount(self.state, "hostPath /data")
        self.files = RemoteFiles(executor, "ns", "pod", "c", [mount])
        os.mkdir(self.outside)

    def run(self, script: str, *words: str) -> str:
        return self.executor.run("sh", "-c", script, "sh", *words)

    @property
    def swap(self) -> str:
        """Shell text: the folder is moved away, and a link to the outside is in its place."""
        return f"mv {self.folder} {self.folder}.kept; ln -s {self.outside} {self.folder}"


@pytest.fixture(params=SHELLS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with namespace(request.param, tmp_path) as executor:
        yield Place(executor, tmp_path)


@pytest.fixture(params=[shell for shell in SHELLS if shell != "busybox"])
def raced(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where somebody can act between two programs (busybox runs its own, inside the shell)."""
    with namespace(request.param, tmp_path) as executor:
        yield Place(executor, tmp_path)


async def _read(files: RemoteFiles, folder: str) -> None:
    _ = [data async for data in files.read(f"{folder}/there")]


async def _upload(files: RemoteFiles, folder: str) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"content"

    digest = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    await upload(files, f"{folder}/new", RemoteStat(7, digest, 0.0), source())


WORKS: dict[str, Work] = {
    "list": lambda files, folder: files.list(folder),
    "stat": lambda files, folder: files.stat(f"{folder}/there"),
    "read": _read,
    "read_small": lambda files, folder: files.read_small(folder, "there", 1 << 20, 1),
    "write_new": lambda files, folder: files.write_new(f"{folder}/new", b"content"),
    "upload": _upload,
    "append": lambda files, folder: files.append(f"{folder}/there", 7, b"more"),
    "enter": lambda files, folder: files.enter(f"{folder}/there", f"{folder}/new", "0" * 64),
    "link_new": lambda files, folder: files.link_new(f"{folder}/there", f"{folder}/new"),
    "copy": lambda files, folder: files.copy(f"{folder}/there", f"{folder}/new"),
    "remove": lambda files, folder: files.remove(f"{folder}/there"),
    "mkdir": lambda files, folder: files.mkdir(folder),
    "free_bytes": lambda files, folder: files.free_bytes(folder),
}
HOSTILE = {
    "a link out of it": "mkdir $1; mv $1 $1.kept; ln -s $2 $1",
    "a link within it": "mkdir $1.other; touch $1.other/there; ln -s $1.other $1",
    "another mount on it": "mkdir $1; mount -t tmpfs x $1; touch $1/there",
    "the outside on it": "mkdir $1; mount --bind $2 $1",
    "another mount at the same place": "mount -t tmpfs x $3; mkdir $1; touch $1/there",
    "no mount any more": "umount $3; mkdir $1; touch $1/there",
    "another mount above it": "mount -t tmpfs x $4; mkdir -p $1; touch $1/there",
}


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_nothing_is_read_or_written_that_is_not_on_the_volume(
    place: Place, hostile: str
) -> None:
    if hostile == "another mount above it":  # it would hide the tools as well
        place.run("mkdir $1.up", place.state)
        place.files = RemoteFiles(
            place.executor, "ns", "pod", "c", [Mount(f"{place.state}.up/data", "hostPath /data")]
        )
        place.state += ".up/data"
        place.folder = f"{place.state}/fluxstate"
        place.run("mkdir $1; mount -t tmpfs volume $1", place.state)
    Path(place.outside, "there").write_bytes(b"outside")
    above = os.path.dirname(place.state)
    place.run(HOSTILE[hostile], place.folder, place.outside, place.state, above)
    seen = place.run('ls -lR "$1" "$2"', place.folder, place.outside)
    for name, work in WORKS.items():
        with pytest.raises(RemoteFileElsewhere) as caught:
            await work(place.files, place.folder)
        assert "on its volume (hostPath /data at " in caught.value.message, name
    assert place.run('ls -lR "$1" "$2"', place.folder, place.outside) == seen
    assert Path(place.outside, "there").read_bytes() == b"outside"


async def test_what_is_on_the_volume_works(place: Place) -> None:
    await place.files.mkdir(f"{place.folder}/a/b")
    for name in ("list", "read_small", "free_bytes", "write_new"):
        await WORKS[name](place.files, f"{place.folder}/a/b")
    await place.files.remove(f"{place.folder}/a/b/new")
    await place.files.write_new(f"{place.folder}/a/b/there", b"content")
    for name in ("stat", "read", "link_new", "remove", "upload"):
        if name == "upload":
            await place.files.remove(f"{place.folder}/a/b/new")
        await WORKS[name](place.files, f"{place.folder}/a/b")
    await place.files.copy(f"{place.folder}/a/b/new", f"{place.folder}/copy")
    assert [entry.name for entry in await place.files.list(place.folder)] == ["copy"]


async def test_a_file_that_is_a_link_or_another_mount_is_not_read(place: Place) -> None:
    secret = Path(place.outside, "secret")
    secret.write_bytes(b"secret")
    place.run("mkdir $1; ln -s $2 $1/link; touch $1/bound; mount --bind $2 $1/bound",
              place.folder, str(secret))  # fmt: skip
    for name in ("link", "bound"):
        with pytest.raises(RemoteFileElsewhere):
            await place.files.stat(f"{place.folder}/{name}")
        with pytest.raises(RemoteFileElsewhere):
            await place.files.copy(f"{place.folder}/{name}", f"{place.folder}/new")
        with pytest.raises(RemoteFileElsewhere):
            await place.files.append(f"{place.folder}/{name}", 6, b"more")
    assert secret.read_bytes() == b"secret"


@pytest.mark.parametrize("tool", ["head", "sha256sum", "ln", "sync", "chmod", "rm"])
async def test_a_link_put_there_between_two_commands_ends_no_write_well(
    raced: Place, tool: str
) -> None:
    await raced.files.mkdir(raced.folder)
    once = f"if mkdir {raced.root}/once 2>/dev/null; then {raced.swap}; fi"
    raced.executor.instead(tool, before=once)
    with pytest.raises(FluxstateError):
        await raced.files.write_new(f"{raced.folder}/new", b"content")
    assert os.listdir(raced.outside) == []


async def test_a_file_exchanged_for_a_link_while_it_is_written_is_not_called_written(
    raced: Place,
) -> None:
    """The same content, but outside: its checksum is right."""
    await raced.files.mkdir(raced.folder)
    away = (
        f"for f in {raced.folder}/.part-*; do "
        f'[ -h "$f" ] || {{ cp "$f" {raced.outside}/x; chmod 666 {raced.outside}/x; '
        f'rm "$f"; ln -s {raced.outside}/x "$f"; }}; '
        "done"
    )
    raced.executor.instead("ln", before=away)
    with pytest.raises(FluxstateError):
        await raced.files.write_new(f"{raced.folder}/new", b"content")
    assert Path(raced.outside, "x").stat().st_mode & 0o222, "no mode was changed over the link"


@pytest.mark.parametrize("tool", ["mkdir", "chmod", "chown", "mv"])
async def test_a_new_folder_exchanged_for_a_link_gives_nobody_anything(
    raced: Place, tool: str
) -> None:
    """Root's chmod and chown must not reach what the link leads to."""
    victim = Path(raced.outside, "victim")
    victim.mkdir(mode=0o700)
    before = victim.stat()
    raced.run("chmod 777 $1; chown 1000:1000 $1 || :", raced.state)
    for_all = (
        f"for d in {raced.state}/.part-* {raced.folder}; do "
        f'[ -d "$d" ] && {{ mv -T "$d" "$d.was"; ln -s {victim} "$d"; }}; done'
    )
    when = "after" if tool in ("mkdir", "mv") else "before"
    raced.executor.instead(tool, **{when: for_all})
    with pytest.raises(FluxstateError):
        await raced.files.mkdir(raced.folder)
    now = victim.stat()
    assert (now.st_mode, now.st_uid, now.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert list(victim.iterdir()) == []


@pytest.mark.parametrize("name", ["-rf", "--folder=x", "-", "--", "a b", "new\nline", "*"])
async def test_a_name_is_never_an_option(place: Place, name: str) -> None:
    await place.files.mkdir(f"{place.folder}/{name}")
    path = f"{place.folder}/{name}/{name}"
    await place.files.write_new(path, b"content")
    await place.files.copy(path, f"{path}.copy")
    await place.files.link_new(path, f"{path}.link")
    assert (await place.files.stat(path)).size == 7
    for suffix in ("", ".copy", ".link"):
        await place.files.remove(path + suffix)
    assert await place.files.list(f"{place.folder}/{name}") == []
