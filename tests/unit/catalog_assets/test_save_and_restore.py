"""A directory is saved and comes back as it was: names, links, holes, attributes."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.catalog_assets.conftest import settled
from tests.unit.catalog_assets.program import PROGRAM, UNPRIVILEGED, Volume, text

BLOCK = 8 << 20


def tree(folder: Path) -> dict[bytes, tuple[Any, ...]]:
    """What people see of it: names, kinds, modes, owners, times, contents."""
    found: dict[bytes, tuple[Any, ...]] = {}
    top = os.fsencode(folder)
    for path, folders, names in os.walk(top):
        for name in [*folders, *names, b"."]:
            full = os.path.join(path, name)
            info = os.lstat(full)
            content: Any = b""
            if stat.S_ISREG(info.st_mode):
                with open(full, "rb") as file:
                    content = hashlib.sha256(file.read()).digest()
            elif stat.S_ISLNK(info.st_mode):
                content = os.readlink(full)
            fixed = (info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns, content)
            found[os.path.relpath(full, top)] = fixed
    return found


def test_all_of_a_directory_comes_back(volume: Volume) -> None:
    data = volume.data
    (data / "deep/er/empty").mkdir(parents=True)
    (data / "deep/file").write_bytes(b"x" * 3000)
    (data / "nothing").write_bytes(b"")
    (data / "run.sh").write_text("#!/bin/sh\n")
    (data / "run.sh").chmod(0o751)
    os.symlink("../elsewhere", data / "link")
    os.symlink("/etc/passwd", data / "absolute")
    os.utime(data / "deep/file", ns=(1, 1_234_567_891_234_567_891))
    (data / "deep").chmod(0o711)
    state = volume.save()
    assert state["complete"]
    answer = volume.restore(state["id"], volume.mount / "back")
    assert answer.result["problems"] == 0
    assert tree(volume.mount / "back") == tree(data)
    assert volume.plan(state["id"])["equal"] == 5


def test_names_are_bytes(volume: Volume) -> None:
    names = [b"\xff\xfe", "übung 名".encode(), b"new\nline", b"-rf", b" ", b"a" * 255, b"%s{}"]
    for name in names:
        with open(os.fsencode(volume.data) + b"/" + name, "wb") as file:
            file.write(name)
    state = volume.save()
    volume.restore(state["id"], volume.mount / "back")
    back = os.fsencode(volume.mount / "back")
    assert sorted(os.listdir(back)) == sorted(names)
    for name in names:
        with open(back + b"/" + name, "rb") as file:
            assert file.read() == name


def test_names_are_bytes_in_a_locale_that_knows_ascii_only(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    (volume.data / "übung").write_bytes(b"1")
    state = volume.save()
    assert text(volume.data / "übung") in volume.entries(state["id"])
    volume.restore(state["id"], volume.mount / "back")
    assert (volume.mount / "back/übung").read_bytes() == b"1"


def test_a_file_with_two_names_is_saved_once_and_has_two_names_again(volume: Volume) -> None:
    (volume.data / "one").write_bytes(b"content")
    (volume.data / "sub").mkdir()
    os.link(volume.data / "one", volume.data / "sub/two")
    state = volume.save()
    assert (state["files"], state["new"]) == (1, 7)
    volume.restore(state["id"], volume.mount / "back")
    back = volume.mount / "back"
    assert os.path.samefile(back / "one", back / "sub/two")


def test_holes_are_kept_and_cost_nothing(volume: Volume) -> None:
    with open(volume.data / "sparse", "wb") as file:
        file.seek(3 << 30)
        file.write(b"y" * 4096)
        file.truncate(5 << 30)
    state = volume.save()
    assert state["new"] < 1 << 20
    assert sum(pack.stat().st_size for pack in volume.packs()) < 1 << 20
    volume.restore(state["id"], volume.mount / "back")
    back = volume.mount / "back/sparse"
    assert back.stat().st_size == 5 << 30
    assert back.stat().st_blocks * 512 < 1 << 20
    with open(back, "rb") as file:
        file.seek((3 << 30) - 10)
        assert file.read(4120) == bytes(10) + b"y" * 4096 + bytes(14)
    assert volume.plan(state["id"])["equal"] == 1


def test_a_file_of_nothing_but_a_hole_comes_back(volume: Volume) -> None:
    with open(volume.data / "hole", "wb") as file:
        file.truncate(1 << 30)
    state = volume.save()
    volume.restore(state["id"], volume.mount / "back")
    assert (volume.mount / "back/hole").stat().st_size == 1 << 30


def test_extended_attributes_are_kept(volume: Volume) -> None:
    (volume.data / "file").write_bytes(b"1")
    try:
        os.setxattr(volume.data / "file", "user.note", b"\x00\xff")
    except OSError:
        pytest.skip("this file system has no user attributes")
    state = volume.save()
    volume.restore(state["id"], volume.mount / "back")
    assert os.getxattr(volume.mount / "back/file", "user.note") == b"\x00\xff"


def test_sockets_and_fifos_are_listed_and_not_stored(volume: Volume) -> None:
    os.mkfifo(volume.data / "fifo")
    folder = os.open(volume.data, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{folder}/socket")  # the whole path may be too long for it
        state = volume.save()
    os.close(folder)
    entries = volume.entries(state["id"])
    others = {path: one["target"] for path, one in entries.items() if one["kind"] == "other"}
    assert others == {
        text(volume.data / "fifo"): "fifo",
        text(volume.data / "socket"): "socket",
    }
    assert state["complete"] and state["others"] == 2
    answer = volume.restore(state["id"], volume.mount / "back")
    assert answer.result["others"] == 2
    assert os.listdir(volume.mount / "back") == []


def test_links_are_not_followed(volume: Volume) -> None:
    (volume.mount / "outside").mkdir()
    (volume.mount / "outside/secret").write_bytes(b"s")
    os.symlink(volume.mount / "outside", volume.data / "link")
    state = volume.save()
    assert state["files"] == 0
    assert set(volume.entries(state["id"])) == {text(volume.data), text(volume.data / "link")}


def test_a_directory_that_is_reached_over_a_link_is_refused(volume: Volume) -> None:
    os.symlink("data", volume.mount / "link")
    answer = volume.ask("save", roots=[volume.place(volume.mount / "link")])
    assert answer.failure == "link"


def test_the_states_themselves_are_not_saved(volume: Volume) -> None:
    inside = Volume(volume.mount)
    first = inside.ask("save", roots=[volume.place(volume.mount)]).result
    second = inside.ask("save", roots=[volume.place(volume.mount)]).result
    assert first["files"] == second["files"] == 0


def test_patterns_leave_out(volume: Volume) -> None:
    (volume.data / "cache").mkdir()
    (volume.data / "cache/x").write_bytes(b"1")
    (volume.data / "a.tmp").write_bytes(b"1")
    (volume.data / "keep").write_bytes(b"1")
    state = volume.save(exclude=["*.tmp", "cache"])
    assert set(volume.entries(state["id"])) == {text(volume.data), text(volume.data / "keep")}


@pytest.mark.skipif(not UNPRIVILEGED, reason="only root may mount")
def test_mount_points_are_not_crossed(volume: Volume) -> None:
    inside = volume.data / "mounted"
    inside.mkdir()
    script = 'mount --bind "$1" "$1/mounted" && shift && exec "$@"'  # of the same file system
    prefix = ("unshare", "-m", "/bin/sh", "-c", script, "sh", str(volume.data))
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("no namespaces here")
    (volume.data / "file").write_bytes(b"1")
    state = Volume(volume.mount, prefix).save()
    entries = volume.entries(state["id"])
    assert entries[text(inside)]["target"] == "mount"
    assert text(inside / "file") not in entries


def test_what_is_not_readable_makes_the_state_incomplete_and_is_named(volume: Volume) -> None:
    (volume.data / "closed").mkdir()
    (volume.data / "secret").write_bytes(b"1")
    (volume.data / "open").write_bytes(b"2")
    (volume.data / "secret").chmod(0)
    (volume.data / "closed").chmod(0)
    state = Volume(volume.mount, UNPRIVILEGED).save()
    assert not state["complete"]
    assert {one["path"] for one in state["named"]} == {
        text(volume.data / "closed"),
        text(volume.data / "secret"),
    }
    assert text(volume.data / "open") in volume.entries(state["id"])
    (volume.data / "closed").chmod(0o700)


def test_large_files_cost_what_changed_in_them(volume: Volume) -> None:
    large = volume.data / "large"
    with open(large, "wb") as file:
        for number in range(9):
            file.write(bytes([number + 1]) * BLOCK)
    first = volume.save()
    assert first["new"] == 9 * BLOCK
    with open(large, "r+b") as file:
        file.seek(4 * BLOCK + 5)
        file.write(b"changed")
        file.seek(0, os.SEEK_END)
        file.write(b"appended")
    second = volume.save()
    assert second["new"] == BLOCK + len("appended")
    for state, place in ((first, "first"), (second, "second")):
        assert volume.restore(state["id"], volume.mount / place).result["problems"] == 0
    assert (volume.mount / "second/large").read_bytes() == large.read_bytes()
    assert (volume.mount / "first/large").stat().st_size == 9 * BLOCK


def test_a_content_is_stored_once_whatever_it_is_called(volume: Volume) -> None:
    (volume.data / "a").write_bytes(b"same" * 1000)
    (volume.data / "b").write_bytes(b"same" * 1000)
    assert volume.save()["new"] == 4000
    (volume.data / "c").write_bytes(b"same" * 1000)
    (volume.data / "large").write_bytes(b"z" * (20 << 20))
    assert volume.save()["new"] == 20 << 20
    (volume.data / "large-again").write_bytes(b"z" * (20 << 20))
    last = volume.save()
    assert last["new"] == 0
    assert volume.verify(last["id"])["problems"] == 0


def test_what_did_not_change_is_not_read_again_unless_its_stamp_is_fresh(volume: Volume) -> None:
    (volume.data / "file").write_bytes(b"1" * 100)
    assert volume.save()["read"] == 100
    assert volume.save()["read"] == 100, "it changed just before the first save"
    settled(volume.data / "file")
    volume.save()
    assert volume.save()["read"] == 0
    (volume.data / "file").write_bytes(b"2" * 100)
    assert volume.save()["read"] == 100


def test_a_change_that_leaves_size_and_time_alone_is_seen(volume: Volume) -> None:
    (volume.data / "file").write_bytes(b"1" * 100)
    info = (volume.data / "file").stat()
    settled(volume.data / "file")
    volume.save()
    (volume.data / "file").write_bytes(b"2" * 100)
    os.utime(volume.data / "file", ns=(info.st_atime_ns, info.st_mtime_ns))
    state = volume.save()
    volume.restore(state["id"], volume.mount / "back")
    assert (volume.mount / "back/file").read_bytes() == b"2" * 100


def test_packs_are_archives_that_tar_reads(volume: Volume) -> None:
    long = "d" * 120 + "/" + "f" * 120
    (volume.data / long).parent.mkdir()
    (volume.data / long).write_bytes(b"long")
    (volume.data / "short").write_bytes(b"short")
    os.symlink("t" * 150, volume.data / "link")
    volume.save()
    (pack,) = volume.packs()
    top = str(volume.data).lstrip("/")
    with tarfile.open(pack) as archive:
        contents = {one.name: one for one in archive}
        assert archive.extractfile(f"{top}/{long}").read() == b"long"  # type: ignore[union-attr]
        assert contents[f"{top}/link"].linkname == "t" * 150
    listed = subprocess.run(["tar", "-tf", str(pack)], capture_output=True, check=True, text=True)
    assert f"{top}/short" in listed.stdout.splitlines()


def test_states_and_packs_are_for_their_owner_alone(volume: Volume) -> None:
    (volume.data / "file").write_bytes(b"1")
    volume.save()
    for path in volume.store.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_program_is_written_in_python_3_6_with_the_standard_library_alone() -> None:
    source = PROGRAM.read_text("utf-8")
    parsed = ast.parse(source, feature_version=(3, 6))
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            assert str(node.module).split(".")[0] in sys.stdlib_module_names
    assert "from __future__ import annotations" not in source, "it came with 3.7"


def test_the_program_runs_on_python_3_6(volume: Volume) -> None:
    python = os.environ.get("FLUXSTATE_OLD_PYTHON") or shutil.which("python3.6") or "python3.6"
    try:
        subprocess.run([python, "-c", ""], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no such Python here")
    old = Volume(volume.mount, (), python)
    (volume.data / "übung").write_bytes(b"1" * 70)
    with open(volume.data / "sparse", "wb") as file:
        file.truncate(1 << 20)
    state = old.save()
    assert old.verify(state["id"])["problems"] == 0
    assert old.restore(state["id"], volume.mount / "back").result["problems"] == 0
    assert tree(volume.mount / "back") == tree(volume.data)


_NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
_FILES = st.dictionaries(_NAMES, st.binary(max_size=300), max_size=5)
_TREES = st.dictionaries(_NAMES, st.one_of(st.binary(max_size=300), _FILES), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=_TREES, second=_TREES)
def test_a_restored_tree_equals_the_saved_one(first: dict[bytes, Any], second: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        volume = Volume(Path(name))
        volume.data.mkdir()
        expected = []
        with volume.start() as program:
            for number, content in enumerate((first, second)):
                fill(os.fsencode(volume.data), content)
                expected.append(tree(volume.data))
                store = volume.place(volume.store)
                roots = [volume.place(volume.data)]
                state = program.ask("save", store=store, roots=roots).result
                assert state["complete"], json.dumps(state)
                back = volume.mount / f"back{number}"
                to = {text(volume.data): volume.place(back)}
                answer = program.ask(
                    "restore", store=store, state=state["id"], to=to, plan=False
                ).result
                assert answer["problems"] == 0, answer
                assert tree(back) == expected[number]


def fill(folder: bytes, content: dict[bytes, Any]) -> None:
    for name, inside in content.items():
        path = os.path.join(folder, name)
        if isinstance(inside, dict):
            if not os.path.lexists(path):
                os.mkdir(path)
            if os.path.isdir(path):
                fill(path, inside)
        elif not os.path.isdir(path):
            with open(path, "wb") as file:
                file.write(inside)
