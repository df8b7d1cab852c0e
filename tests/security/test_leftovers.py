"""Whatever kills a program: what it had for a moment goes when the next one works there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import fluxstate_tui
from fluxstate_tui.private_files import (
    OLD_SECONDS,
    remove_leftovers,
    temporary_file,
    temporary_folder,
    write_private,
)

PROGRAM = """\
import signal, sys
from pathlib import Path
from fluxstate_tui.private_files import temporary_file, temporary_folder
root = Path(sys.argv[1])
with temporary_file(root, ".part") as (_, file), temporary_folder(root) as folder:
    file.write(b"jobs, with their environments")
    file.flush()
    (folder / "0.part").write_bytes(b"more of them")
    print("there", flush=True)
    signal.pause()
"""


@contextmanager
def another(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has a temporary file and a folder there."""
    words = [sys.executable, "-c", PROGRAM, str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == b"there\n"
            yield program
        finally:
            program.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_what_a_killed_program_left_goes_at_once(tmp_path: Path, how: signal.Signals) -> None:
    with another(tmp_path) as program:
        program.send_signal(how)
        program.wait()
    assert len(list(tmp_path.iterdir())) == 2
    write_private(tmp_path / "mine", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_a_living_program_has_stays(tmp_path: Path) -> None:
    with another(tmp_path):
        remove_leftovers(tmp_path)
        assert len(list(tmp_path.iterdir())) == 2
    remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())


def test_two_of_one_program_do_not_remove_each_other(tmp_path: Path) -> None:
    with temporary_file(tmp_path) as (one, _), temporary_folder(tmp_path) as two:
        with temporary_file(tmp_path) as (three, _):
            assert one.exists() and two.is_dir() and three.exists()
        assert one.exists() and two.is_dir()
    assert not list(tmp_path.iterdir())


def test_nothing_else_is_taken_for_a_leftover(tmp_path: Path) -> None:
    with another(tmp_path) as program:
        program.kill()
        program.wait()
    for path in tmp_path.iterdir():  # of another computer, whose locks cannot be seen
        path.rename(tmp_path / re.sub("fluxstate-........-", "fluxstate-00000000-", path.name))
    (tmp_path / ".part-0123456789abcdef").write_bytes(b"a pod writes it")
    (tmp_path / "archive.tar.gz").write_bytes(b"")
    before = sorted(tmp_path.iterdir())
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_what_looks_like_one_and_is_a_link_takes_nothing_away(tmp_path: Path) -> None:
    precious, folder = tmp_path / "precious", tmp_path / "folder"
    precious.mkdir()
    (precious / "file").write_bytes(b"")
    folder.mkdir()
    with temporary_file(folder) as (path, _):
        name = path.name
    (folder / name).symlink_to(precious)
    remove_leftovers(folder)
    assert (precious / "file").exists()


@pytest.mark.parametrize("name", ["fetch-ab12.part", "verify-ab12.tar.gz"])
def test_what_an_earlier_version_left_goes_when_it_is_old(tmp_path: Path, name: str) -> None:
    old, fresh = tmp_path / name, tmp_path / f"{name[:6]}fresh{name[7:]}"
    for path in (old, fresh):
        path.write_bytes(b"")
    ago = path.stat().st_mtime - OLD_SECONDS - 60
    os.utime(old, (ago, ago))
    remove_leftovers(tmp_path)
    assert not old.exists()


def test_all_that_is_there_for_a_moment_is_made_in_one_place() -> None:
    root = Path(fluxstate_tui.__file__).parent
    makers = re.compile(r"mkdtemp|mkstemp|NamedTemporaryFile|TemporaryDirectory|[\"']\.part-")
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if makers.search(path.read_text("utf-8"))
    }
    # The demo's own folders have no archive of anybody; the others name files in a container.
    assert found == {
        *("demo/cluster.py", "demo/tutorial.py"),
        *("broker/files.py", "operations/arming.py", "operations/saving.py"),
    }
