"""What goes wrong, and what others wrote: it is named, and nothing is half or overwritten."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.catalog import assets_program
from tests.unit.catalog_assets.program import UNPRIVILEGED, AppendingChannel, Volume, text

MIB = 1 << 20


def kinds(result: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["kind"], Path(one["path"]).name) for one in result["named"]}


@pytest.mark.parametrize("size", [3 * MIB, 20 * MIB, 80 * MIB], ids=["held", "stream", "blocks"])
def test_a_file_that_changes_while_it_is_read_makes_the_state_incomplete(
    volume: Volume, size: int
) -> None:
    (volume.data / "log").write_bytes(b"1" * size)
    (volume.data / "still").write_bytes(b"2")
    request = {"store": volume.place(volume.store), "roots": [volume.place(volume.data)]}
    state = assets_program.save(AppendingChannel(volume.data / "log"), request)
    assert not state["complete"]
    assert kinds(state) == {("unstable", "log")}
    entries = volume.entries(state["id"])
    assert entries[text(volume.data / "log")]["unstable"]
    assert volume.verify(state["id"])["problems"] == 0, "what it names is there"
    after = volume.save()
    assert after["complete"], "it is read again although its stamps may be the same"
    assert volume.plan(after["id"])["equal"] == 2


def test_a_file_that_vanishes_while_the_walk_goes_on_is_named(volume: Volume) -> None:
    for name in ("a", "b"):
        (volume.data / name).write_bytes(b"1")
    trouble = assets_program.Trouble()
    exclude = assets_program.Exclude({}, None)
    for found in assets_program.Walk(volume.place(volume.data), trouble, exclude):
        if found.name == b"a":
            (volume.data / "b").unlink()
    assert [(one["kind"], Path(one["path"]).name) for one in trouble.named] == [("vanished", "b")]


def test_a_link_that_takes_the_place_of_a_directory_is_not_followed(volume: Volume) -> None:
    (volume.mount / "outside").mkdir()
    (volume.mount / "outside/secret").write_bytes(b"s")
    (volume.data / "a").write_bytes(b"1")
    (volume.data / "sub").mkdir()
    trouble = assets_program.Trouble()
    exclude = assets_program.Exclude({}, None)
    names = []
    for found in assets_program.Walk(volume.place(volume.data), trouble, exclude):
        names.append(found.name)
        if found.name == b"sub":
            (volume.data / "sub").rmdir()
            os.symlink(volume.mount / "outside", volume.data / "sub")
    assert b"secret" not in names
    assert [one["kind"] for one in trouble.named] == ["link"]


def test_closing_stdin_in_the_middle_leaves_nothing_half(volume: Volume) -> None:
    with open(volume.data / "large", "wb") as file:
        for number in range(25):
            file.write(bytes([number]) * 8 * MIB)
    with volume.start() as program:
        roots = [volume.place(volume.data)]
        program.send("save", store=volume.place(volume.store), roots=roots)
        assert program.line()["t"] == "progress"
        program.close_stdin()
        assert program.process.wait(30) == 1
    assert volume.packs() == [] and volume.remains() == []
    assert list((volume.store / "states").iterdir()) == []


def test_what_a_killed_save_left_is_removed_by_the_next_one(volume: Volume) -> None:
    with open(volume.data / "large", "wb") as file:
        for number in range(25):
            file.write(bytes([number]) * 8 * MIB)
    with volume.start() as program:
        roots = [volume.place(volume.data)]
        program.send("save", store=volume.place(volume.store), roots=roots)
        assert program.line()["t"] == "progress"
        program.process.kill()
        program.process.wait()
    assert volume.remains()
    (volume.data / "large").unlink()
    assert volume.save()["complete"]
    assert volume.remains() == []


def test_a_cancelled_restore_leaves_whole_files_only(volume: Volume) -> None:
    for number in range(25):
        (volume.data / f"{number:02}").write_bytes(bytes([number]) * 8 * MIB)
    state = volume.save()
    back = volume.mount / "back"
    with volume.start() as program:
        to = {text(volume.data): volume.place(back)}
        store = volume.place(volume.store)
        program.send("restore", store=store, state=state["id"], to=to, plan=False)
        assert program.line()["t"] == "progress"
        program.close_stdin()
        assert program.process.wait(30) == 1
    assert volume.remains() == []
    there = list(back.iterdir())
    assert len(there) < 25
    assert {path.stat().st_size for path in there} <= {8 * MIB}


def test_two_saves_at_once_are_refused(volume: Volume) -> None:
    (volume.data / "file").write_bytes(b"1")
    volume.save()
    import fcntl

    folder = os.open(volume.store, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        assert volume.ask("save", roots=[volume.place(volume.data)]).failure == "locked"
    finally:
        os.close(folder)


@pytest.mark.skipif(not UNPRIVILEGED, reason="only root may mount")
def test_a_full_volume_leaves_the_states_as_they_were(volume: Volume) -> None:
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("no namespaces here")
    volume.store.mkdir()
    script = 'mount -t tmpfs -o size=2m none "$1" && shift && exec "$@"'
    prefix = ("unshare", "-m", "/bin/sh", "-c", script, "sh", str(volume.store))
    (volume.data / "small").write_bytes(b"1" * 1000)
    store, roots = [str(volume.store), str(volume.store)], [volume.place(volume.data)]
    with Volume(volume.mount, prefix).start() as program:
        first = program.ask("save", store=store, roots=roots).result
        free = program.ask("list", store=store).result["free"]
        for number in range(10):
            (volume.data / str(number)).write_bytes(os.urandom(MIB))
        assert program.ask("save", store=store, roots=roots).failure == "full"
        after = program.ask("list", store=store).result
        assert [one["id"] for one in after["states"]] == [first["id"]]
        assert after["free"] == free
        assert program.ask("verify", store=store, state=first["id"]).result["problems"] == 0


# -- damage -----------------------------------------------------------------------------------


def test_a_pack_that_was_cut_off_is_found_and_what_is_whole_comes_back(volume: Volume) -> None:
    (volume.data / "a").write_bytes(b"a" * 5000)
    (volume.data / "b").write_bytes(b"b" * 500_000)
    state = volume.save()
    (pack,) = volume.packs()
    os.truncate(pack, 100_000)
    for level in (1, 2):
        assert kinds(volume.verify(state["id"], level=level)) == {("truncated", "b")}
    result = volume.restore(state["id"], volume.mount / "back").result
    assert kinds(result) == {("truncated", "b")}
    assert [path.name for path in (volume.mount / "back").iterdir()] == ["a"]


def test_a_pack_that_is_missing_is_found(volume: Volume) -> None:
    (volume.data / "a").write_bytes(b"a" * 5000)
    state = volume.save()
    volume.packs()[0].unlink()
    assert kinds(volume.verify(state["id"], level=1)) == {("missing", "a")}
    again = volume.save()
    assert volume.verify(again["id"])["problems"] == 0, "it is stored once more"


def test_a_wrong_byte_in_a_pack_is_found_and_never_restored(volume: Volume) -> None:
    (volume.data / "a").write_bytes(b"a" * 5000)
    (volume.data / "b").write_bytes(b"b" * 5000)
    state = volume.save()
    (pack,) = volume.packs()
    data = bytearray(pack.read_bytes())
    data[data.index(b"b" * 5000) + 7] = 0
    pack.write_bytes(bytes(data))
    assert volume.verify(state["id"], level=1)["problems"] == 0
    assert kinds(volume.verify(state["id"])) == {("wrong hash", "b")}
    result = volume.restore(state["id"], volume.mount / "back").result
    assert kinds(result) == {("wrong hash", "b")}
    assert [path.name for path in (volume.mount / "back").iterdir()] == ["a"]
    assert volume.remains() == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines[:-2], lines[-1]],
        lambda lines: [lines[0], lines[1].replace(b"493", b"511"), *lines[2:]],
        lambda lines: [*lines, b'{"kind":"folder"}\n'],
        lambda lines: [b"[1]\n", *lines[1:]],
        lambda lines: [b"[" * 100_000 + b"\n", *lines[1:]],
        lambda lines: [],
    ],
    ids=["end", "entry", "changed", "more", "head", "nested", "empty"],
)
def test_a_state_that_was_changed_or_cut_off_is_refused(
    volume: Volume, spoil: Callable[[list[bytes]], list[bytes]]
) -> None:
    volume.data.chmod(0o755)
    (volume.data / "a").write_bytes(b"a" * 50)
    state = volume.save()
    path = volume.store / "states" / f"{state['id']}.jsonl"
    path.write_bytes(b"".join(spoil(path.read_bytes().splitlines(keepends=True))))
    assert volume.ask("verify", state=state["id"]).failure == "damaged"
    later = volume.save()
    assert later["complete"], "a damaged state is no reason not to save"


def test_what_was_shown_is_what_is_restored(volume: Volume) -> None:
    (volume.data / "a").write_bytes(b"a")
    state = volume.save()
    assert volume.restore(state["id"], sha256="0" * 64).failure == "changed"


# -- what others wrote ------------------------------------------------------------------------


def forge(volume: Volume, *entries: dict[str, Any]) -> str:
    """A state as somebody would write it who can write to the volume: its checksum is right."""
    (volume.data / "a").write_bytes(b"a" * 50)
    state = volume.save()
    path = volume.store / "states" / f"{state['id']}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    common = {"mode": 0o644, "uid": 0, "gid": 0, "mtime": 0, "ctime": 0, "inode": 1}
    found = [json.loads(line) for line in lines]
    piece = next(one for one in found if one["kind"] == "file")
    made = [{**common, **entry} for entry in entries]
    for one in made:
        if one["kind"] == "file":
            one.setdefault("size", piece["size"])
            one.setdefault("pieces", piece["pieces"])
    body = lines[0] + b"".join(json.dumps(one).encode() + b"\n" for one in made)
    end = {**found[-1], "sha256": hashlib.sha256(body).hexdigest()}
    path.write_bytes(body + json.dumps(end).encode() + b"\n")
    return str(state["id"])


@pytest.mark.parametrize(
    "name", ["/etc/evil", "../evil", "{data}/../evil", "{data}/./x", "{data}//x", "x", "{data}x"]
)
def test_a_name_that_leads_elsewhere_is_refused(volume: Volume, name: str) -> None:
    path = name.replace("{data}", text(volume.data))
    state = forge(volume, {"kind": "file", "path": path})
    answer = volume.restore(state, volume.mount / "back")
    if answer.reply["ok"]:
        assert answer.result["problems"] == 1
    else:
        assert answer.failure == "path"
    assert not (volume.mount / "evil").exists()
    assert not Path("/etc/evil").exists()


def test_a_name_that_leads_through_a_link_of_the_state_is_refused(volume: Volume) -> None:
    outside = volume.mount / "outside"
    outside.mkdir()
    top = text(volume.data)
    state = forge(
        volume,
        {"kind": "folder", "path": top, "mode": 0o755},
        {"kind": "symlink", "path": f"{top}/link", "target": text(outside)},
        {"kind": "file", "path": f"{top}/link/evil"},
    )
    result = volume.restore(state, volume.mount / "back").result
    assert kinds(result) == {("link", "evil")}
    assert list(outside.iterdir()) == []


def test_a_directory_that_became_a_link_is_not_restored_into(volume: Volume) -> None:
    (volume.data / "sub").mkdir()
    (volume.data / "sub/file").write_bytes(b"1")
    state = volume.save()
    outside = volume.mount / "outside"
    outside.mkdir()
    (volume.data / "sub/file").unlink()
    (volume.data / "sub").rmdir()
    os.symlink(outside, volume.data / "sub")
    result = volume.restore(state["id"]).result
    assert ("link", "file") in kinds(result)
    assert list(outside.iterdir()) == []


def test_a_hard_link_to_what_was_not_restored_is_refused(volume: Volume) -> None:
    top = text(volume.data)
    state = forge(
        volume,
        {"kind": "folder", "path": top, "mode": 0o755},
        {"kind": "link", "path": f"{top}/evil", "target": "/etc/passwd"},
    )
    result = volume.restore(state, volume.mount / "back").result
    assert kinds(result) == {("link", "evil")}


@pytest.mark.parametrize(
    "pieces",
    [
        [[0, 50, "0" * 64, "../../secret", 0]],
        [[0, 50, "0" * 64, "/etc/passwd", 0]],
        [[-1, 50, "0" * 64, "pack", 0]],
        [[0, 10**30, "0" * 64, "pack", 0]],
        [[0, 50, "zz", "pack", 0]],
        [[0]],
        [7],
        {"a": 1},
    ],
)
def test_pieces_that_make_no_sense_are_refused(volume: Volume, pieces: Any) -> None:
    path = text(volume.data / "evil")
    state = forge(volume, {"kind": "file", "path": path, "pieces": pieces})
    for answer in (volume.restore(state, volume.mount / "back"), volume.ask("verify", state=state)):
        assert answer.failure == "damaged"


def test_a_set_user_id_bit_comes_back_only_when_that_was_agreed_to(volume: Volume) -> None:
    top = text(volume.data)
    state = forge(
        volume,
        {"kind": "folder", "path": top, "mode": 0o755},
        {"kind": "file", "path": f"{top}/su", "mode": 0o4755},
    )
    result = volume.restore(state, volume.mount / "back").result
    assert stat.S_IMODE((volume.mount / "back/su").stat().st_mode) == 0o755
    assert result["unapplied"] == 1
    volume.restore(state, volume.mount / "agreed", setuid=True)
    assert stat.S_IMODE((volume.mount / "agreed/su").stat().st_mode) == 0o4755


def test_a_link_in_the_place_of_a_pack_is_not_followed(volume: Volume) -> None:
    (volume.data / "a").write_bytes(b"a" * 50)
    state = volume.save()
    (pack,) = volume.packs()
    pack.rename(volume.mount / "moved")
    os.symlink(volume.mount / "moved", pack)
    assert volume.verify(state["id"])["problems"] == 1


# -- what is there ----------------------------------------------------------------------------


def test_what_differs_is_not_overwritten_unless_that_was_agreed_to(volume: Volume) -> None:
    (volume.data / "sub").mkdir()
    (volume.data / "sub/changed").write_bytes(b"old")
    (volume.data / "same").write_bytes(b"same")
    (volume.data / "gone").write_bytes(b"gone")
    state = volume.save()
    (volume.data / "sub/changed").write_bytes(b"new!")
    (volume.data / "gone").unlink()
    (volume.data / "extra").write_bytes(b"extra")
    plan = volume.plan(state["id"])
    assert (plan["new"], plan["changed"], plan["equal"]) == (1, 1, 1)
    assert plan["differ"] == [text(volume.data / "sub/changed")]
    assert not (volume.data / "gone").exists(), "a preview does nothing"

    result = volume.restore(state["id"]).result
    assert (result["new"], result["kept"]) == (1, 1)
    assert (volume.data / "sub/changed").read_bytes() == b"new!"
    assert (volume.data / "gone").read_bytes() == b"gone"

    result = volume.restore(state["id"], overwrite=True).result
    assert (volume.data / "sub/changed").read_bytes() == b"old"
    kept = volume.data / result["aside"] / "sub/changed"
    assert kept.read_bytes() == b"new!"
    assert (volume.data / "extra").read_bytes() == b"extra"
    assert text(kept) not in volume.entries(volume.save()["id"]), "and is not saved"


def test_another_kind_of_thing_is_kept_aside_as_well(volume: Volume) -> None:
    (volume.data / "file").write_bytes(b"file")
    (volume.data / "folder").mkdir()
    (volume.data / "folder/inside").write_bytes(b"inside")
    os.symlink("target", volume.data / "link")
    state = volume.save()
    (volume.data / "file").unlink()
    (volume.data / "file").mkdir()
    (volume.data / "file/precious").write_bytes(b"precious")
    (volume.data / "folder/inside").unlink()
    (volume.data / "folder").rmdir()
    (volume.data / "folder").write_bytes(b"was a folder")
    (volume.data / "link").unlink()
    (volume.data / "link").write_bytes(b"was a link")
    refused = volume.restore(state["id"]).result
    assert refused["kept"] == 3 and refused["new"] == 0
    assert (volume.data / "file/precious").exists()
    result = volume.restore(state["id"], overwrite=True).result
    aside = volume.data / result["aside"]
    assert result["problems"] == 0
    assert (aside / "file/precious").read_bytes() == b"precious"
    assert (aside / "folder").read_bytes() == b"was a folder"
    assert (aside / "link").read_bytes() == b"was a link"
    assert (volume.data / "file").read_bytes() == b"file"
    assert (volume.data / "folder/inside").read_bytes() == b"inside"
    assert os.readlink(volume.data / "link") == "target"


def test_sparse_content_in_place_of_a_hole_is_a_difference(volume: Volume) -> None:
    with open(volume.data / "sparse", "wb") as file:
        file.truncate(4 * MIB)
    state = volume.save()
    with open(volume.data / "sparse", "r+b") as file:
        file.seek(2 * MIB)
        file.write(b"1")
    assert volume.plan(state["id"])["changed"] == 1


def test_owners_that_cannot_be_given_are_said(volume: Volume) -> None:
    if not UNPRIVILEGED:
        pytest.skip("only root has files of somebody else")
    (volume.data / "file").write_bytes(b"1")
    os.chown(volume.data / "file", 1234, 5678)
    state = volume.save()
    weak = Volume(volume.mount, UNPRIVILEGED)
    result = weak.restore(state["id"], volume.mount / "back").result
    assert (result["problems"], result["unapplied"]) == (0, 1)
    strong = volume.restore(state["id"], volume.mount / "again").result
    assert strong["unapplied"] == 0
    info = (volume.mount / "again/file").stat()
    assert (info.st_uid, info.st_gid) == (1234, 5678)


# -- questions --------------------------------------------------------------------------------


def test_sizes_are_told_before_anything_is_done(volume: Volume) -> None:
    (volume.data / "a").write_bytes(b"a" * 500)
    listed = volume.ask("list", roots=[volume.place(volume.data)]).result
    assert listed["states"] == [] and not volume.store.exists()
    (root,) = listed["roots"]
    assert (root["files"], root["bytes"], root["changed"]) == (1, 500, 500)
    assert listed["free"] > 0
    state = volume.save()
    listed = volume.ask("list").result
    assert [one["id"] for one in listed["states"]] == [state["id"]]
    assert listed["states"][0]["end"]["files"] == 1


@pytest.mark.parametrize(
    "line", [b"{}", b"[1]", b"nonsense", b'{"id":1,"do":"save"}', b'{"id":1,"do":"rm"}']
)
def test_a_request_that_makes_no_sense_gets_an_answer(volume: Volume, line: bytes) -> None:
    with volume.start() as program:
        assert program.process.stdin is not None
        program.process.stdin.write(line + b"\n")
        program.process.stdin.flush()
        assert program.answer().failure == "bug"
        assert program.ask("list", store=volume.place(volume.store)).result["states"] == []


def test_directories_that_lie_in_each_other_are_refused(volume: Volume) -> None:
    (volume.data / "sub").mkdir()
    roots = [volume.place(volume.data / "sub"), volume.place(volume.data)]
    assert volume.ask("save", roots=roots).failure == "path"
    assert volume.ask("save", roots=[]).failure == "path"
    outside = [[text(volume.data), text(volume.mount)]]
    assert volume.ask("save", roots=outside).failure == "path"
