"""Files and programs of a simulated container."""

from __future__ import annotations

import asyncio
import errno
import gzip
from collections.abc import Callable

import pytest

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.sim.clock import ScaledClock, VirtualClock
from fluxstate_tui.sim.files import Files, Volume
from fluxstate_tui.sim.machine import Collected, CommandNotFound
from tests.unit.sim_shell.inside import Inside


def two_volumes() -> Files:
    return Files({"/": Volume("root"), "/state": Volume("state"), "/small": Volume("s", 8192)})


def test_a_hard_link_never_replaces_and_a_rename_always_does() -> None:
    files = two_volumes()
    files.write("/state/a", b"1")
    files.write("/state/b", b"2")
    with pytest.raises(FileExistsError):
        files.link("/state/a", "/state/b")
    files.rename("/state/a", "/state/b")
    assert files.read("/state/b") == b"1"
    assert files.listdir("/state") == ["b"]


def test_nothing_moves_between_volumes_by_name_alone() -> None:
    files = two_volumes()
    files.write("/state/a", b"1")
    for move in (files.link, files.rename):
        with pytest.raises(OSError, match="cross-device") as caught:
            move("/state/a", "/a")
        assert caught.value.errno == errno.EXDEV


def test_a_full_volume_takes_what_fits_and_says_so() -> None:
    files = two_volumes()
    with pytest.raises(OSError, match="No space left") as caught:
        files.write("/small/a", b"x" * 10_000)
    assert caught.value.errno == errno.ENOSPC
    assert files.stat("/small/a").size == 8192
    files.unlink("/small/a")
    files.write("/small/a", b"x" * 8192)


def test_an_open_file_is_written_to_after_it_was_renamed() -> None:
    files = two_volumes()
    append = files.open_append("/state/tmp")
    append(b"one")
    files.rename("/state/tmp", "/state/final")
    append(b"two")
    assert files.read("/state/final") == b"onetwo"


@pytest.mark.parametrize(
    ("action", "number"),
    [
        (lambda files: files.read("/state/nope"), errno.ENOENT),
        (lambda files: files.read("/state"), errno.EISDIR),
        (lambda files: files.listdir("/state/f"), errno.ENOTDIR),
        (lambda files: files.read("/state/f/x"), errno.ENOTDIR),
        (lambda files: files.mkdir("/state/f"), errno.EEXIST),
        (lambda files: files.mkdir("/nope/x"), errno.ENOENT),
        (lambda files: files.rmdir("/"), errno.EBUSY),
        (lambda files: files.unlink("/state"), errno.EISDIR),
        (lambda files: files.write("/state", b""), errno.EISDIR),
    ],
)
def test_errors_are_those_of_linux(action: Callable[[Files], object], number: int) -> None:
    files = two_volumes()
    files.write("/state/f", b"")
    with pytest.raises(OSError) as caught:
        action(files)
    assert caught.value.errno == number


def test_a_read_only_volume_stays_as_it_is() -> None:
    files = two_volumes()
    files.write("/state/f", b"old")
    files.mounts["/state"].read_only = True
    with pytest.raises(OSError, match="Read-only"):
        files.write("/state/f", b"")
    with pytest.raises(OSError, match="Read-only"):
        files.unlink("/state/f")
    assert files.read("/state/f") == b"old"


def test_symlinks_are_followed_also_into_other_volumes() -> None:
    files = two_volumes()
    files.symlink("/state", "/link")
    files.write("/link/f", b"x")
    assert files.read("/state/f") == b"x"
    files.symlink("loop", "/loop")
    with pytest.raises(OSError, match="levels of symbolic links"):
        files.read("/loop")


def test_volumes_outlive_containers() -> None:
    volume = Volume("hostPath")
    Files({"/": Volume("one"), "/state": volume}).write("/state/f", b"x")
    assert Files({"/": Volume("two"), "/data": volume}).read("/data/f") == b"x"


async def test_moving_across_volumes_copies() -> None:
    inside = Inside()
    ran = await inside.sh("echo x > /tmp/f; mv /tmp/f /state/f; cat /state/f; ls /tmp")
    assert (ran.code, ran.out) == (0, "x\n")


async def test_mv_n_leaves_its_source_when_it_did_nothing() -> None:
    ran = await Inside().sh("cd /state; echo 1 > a; echo 2 > b; mv -n a b; cat a b")
    assert ran.out == "1\n2\n"


async def test_head_of_bytes_does_not_wait_for_the_end_of_input() -> None:
    inside = Inside()

    class Endless:
        def __init__(self) -> None:
            self.out = b""
            self.given = False

        async def read(self, size: int) -> bytes:
            if self.given:
                await asyncio.Event().wait()
            self.given = True
            return b"x" * 5

        async def write_out(self, data: bytes) -> None:
            self.out += data

        async def write_err(self, data: bytes) -> None:
            raise AssertionError(data)

    io = Endless()
    argv = ["sh", "-c", 'head -c "$1" > "$2"', "sh", "5", "/state/f"]
    assert await asyncio.wait_for(inside.machine.run(argv, io), 5) == 0
    assert inside.files.read("/state/f") == b"xxxxx"


async def test_gzip_and_tar_judge_archives() -> None:
    inside = Inside()
    data = write_archive([Entry("a/b", b"text", mtime=1_795_300_000)], ".tar.gz")
    inside.files.write("/state/good.tar.gz", data)
    inside.files.write("/state/cut.tar.gz", data[:-20])
    inside.files.write("/state/text", gzip.compress(b"plain"))
    ran = await inside.sh(
        "cd /state; gzip -t good.tar.gz && tar tzf good.tar.gz; gzip -t cut.tar.gz; echo $?; "
        "tar tzf cut.tar.gz; echo $?; tar xOzf good.tar.gz a/b; gzip -dc text"
    )
    assert ran.out == "a/b\n1\n2\ntextplain"
    assert "gzip: cut.tar.gz: unexpected end of file" in ran.err


async def test_df_shows_the_volume_of_a_path() -> None:
    inside = Inside(capacity=1 << 20)
    inside.files.write("/state/f", b"x" * 100_000)
    ran = await inside.sh("df -Pk /state")
    assert ran.out.splitlines()[1].split() == ["state", "1024", "100", "924", "10%", "/state"]


async def test_timeout_ends_a_program() -> None:
    inside = Inside()
    before = inside.clock.now()
    ran = await inside.sh("timeout 2 sleep 100; echo $?; timeout 5 sh -c 'exit 3'; echo $?")
    assert ran.out == "124\n3\n"
    assert 2 <= inside.clock.now() - before < 3


async def test_a_program_that_there_is_not() -> None:
    inside = Inside()
    with pytest.raises(CommandNotFound) as caught:
        await inside.machine.run(["nosuch"], Collected())
    assert str(caught.value) == 'exec: "nosuch": executable file not found in $PATH'


async def test_a_process_can_be_made_to_die_in_the_middle_of_its_output() -> None:
    inside = Inside()
    inside.machine.faults.die_after_bytes = 5
    ran = await inside.sh("echo 1234567890; echo never")
    assert (ran.code, ran.out) == (137, "12345")


async def test_a_slow_container_needs_its_time() -> None:
    inside = Inside()
    inside.machine.faults.delay = 3.0
    before = inside.clock.now()
    await inside.sh("true")
    assert inside.clock.now() - before >= 3


async def test_a_scaled_clock_runs_faster_than_the_world() -> None:
    clock = ScaledClock(1000.0, start=5.0)
    before = clock.now()
    await clock.sleep(10.0)
    assert clock.now() - before >= 10.0
    assert before >= 5.0


async def test_virtual_time_wakes_sleepers_in_order() -> None:
    clock = VirtualClock(100.0)
    woken: list[float] = []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(clock.now())

    tasks = [asyncio.ensure_future(sleeper(seconds)) for seconds in (3.0, 1.0, 2.0)]
    await clock.advance(2.5)
    assert woken == [101.0, 102.0]
    await clock.advance(1.0)
    assert woken == [101.0, 102.0, 103.0]
    await asyncio.gather(*tasks)
