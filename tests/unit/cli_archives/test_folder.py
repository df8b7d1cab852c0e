"""Archives in a folder: nothing good is overwritten or removed unasked, nothing bad called good."""

from __future__ import annotations

import fcntl
import os
import shlex
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxstate_tui.archive.manifest import CatalogEntry
from fluxstate_tui.catalog.catalog import read_catalog
from fluxstate_tui.catalog.folder import LocalFolder
from fluxstate_tui.catalog.maintenance import choose, left_without_backup
from fluxstate_tui.catalog.records import read_known
from fluxstate_tui.cli.main import main
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.operations import audit
from tests.unit.archive import given as archive
from tests.unit.cli_archives.conftest import DAY, Archives, content, put


def flip(path: Path) -> None:
    """One bit in the middle; the size stays."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_list_tells_what_is_verified_and_what_others_made(
    archives: Archives, folder: Path
) -> None:
    put(folder, "one")
    (folder / "theirs.tar.gz").write_bytes(archive.path("mixed").read_bytes())
    (folder / "notes.txt").write_text("not an archive")
    lines = archives("list").out.splitlines()
    assert len(lines) == 3
    assert any(line.startswith("theirs") and "made by others" in line for line in lines)
    listed = archives("list", "--json").json["archives"]
    assert {one["id"]: one["manifest"] is not None for one in listed} == {
        "one": True,
        "theirs": False,
    }


def test_verify_reads_every_archive_and_the_worst_decides(archives: Archives, folder: Path) -> None:
    put(folder, "good")
    assert archives("verify").code == ExitCode.OK
    flip(put(folder, "flipped"))
    put(folder, "cut").write_bytes(archive.path("mixed").read_bytes()[:-100])
    put(folder, "gone").unlink()
    found = archives("verify", "--json")
    assert found.code == ExitCode.VERIFICATION
    verdicts = found.json["archives"]
    assert {name for name, one in verdicts.items() if one["good"]} == {"good"}
    assert archives("verify", "good").code == ExitCode.OK
    assert archives("verify", "nosuch").code == ExitCode.NOT_FOUND


def test_a_fetched_archive_is_the_same_with_its_manifest(
    archives: Archives, folder: Path, tmp_path: Path
) -> None:
    put(folder, "one")
    here = tmp_path / "here"
    here.mkdir()
    assert archives("fetch", "one", "--to", str(here)).code == ExitCode.OK
    assert content(here) == content(folder)


def test_a_fetch_overwrites_nothing_and_leaves_no_half_file(
    archives: Archives, folder: Path, tmp_path: Path
) -> None:
    put(folder, "one")
    here = tmp_path / "here"
    here.mkdir()
    (here / "one.tar.gz").write_text("mine")
    refused = archives("fetch", "one", "--to", str(here))
    assert refused.code == ExitCode.REFUSED
    assert "one.tar.gz exists" in refused.err
    assert content(here) == {"one.tar.gz": b"mine"}
    (here / "one.tar.gz").rename(here / "one.json")
    assert archives("fetch", "one", "--to", str(here)).code == ExitCode.REFUSED
    assert content(here) == {"one.json": b"mine"}
    nowhere = archives("fetch", "one", "--to", str(tmp_path / "nowhere"))
    assert nowhere.code == ExitCode.FAILURE


def test_a_damaged_archive_is_only_fetched_if_that_is_wanted(
    archives: Archives, folder: Path, tmp_path: Path
) -> None:
    flip(put(folder, "one"))
    here = tmp_path / "here"
    here.mkdir()
    assert archives("fetch", "one", "--to", str(here)).code == ExitCode.VERIFICATION
    assert content(here) == {}
    wanted = archives("fetch", "one", "--to", str(here), "--damaged")
    assert wanted.code == ExitCode.VERIFICATION
    assert (here / "one.tar.gz").read_bytes() == (folder / "one.tar.gz").read_bytes()


def test_removing_needs_consent_and_can_be_tried_dry(archives: Archives, folder: Path) -> None:
    put(folder, "one", age=DAY)
    put(folder, "two")
    before = content(folder)
    refused = archives("remove", "one", "--json")
    assert refused.code == ExitCode.REFUSED
    assert [one["id"] for one in refused.json["wouldRemove"]] == ["one"]
    dry = archives("remove", "one", "--dry-run", "--json")
    assert [one["id"] for one in dry.json["wouldRemove"]] == ["one"]
    assert content(folder) == before
    assert archives("remove", "one", "--yes").code == ExitCode.OK
    assert content(folder).keys() == {"two.tar.gz", "two.json"}


def test_the_last_good_archive_stays_unless_its_loss_is_typed(
    archives: Archives, folder: Path, state: Path
) -> None:
    put(folder, "one", age=DAY)
    flip(put(folder, "two"))  # its manifest says L2, its bytes say otherwise
    put(folder, "other", minicluster="another")
    refused = archives("remove", "one", "--yes")
    assert refused.code == ExitCode.REFUSED
    assert "last good archive of flux-sample" in refused.err
    wrong = archives("remove", "one", "--yes", "--i-know-what-is-lost", "another")
    assert wrong.code == ExitCode.REFUSED
    assert (folder / "one.tar.gz").exists()
    typed = archives("remove", "one", "--yes", "--i-know-what-is-lost", "flux-sample")
    assert typed.code == ExitCode.OK
    *refusals, logged = audit.read(state).entries
    assert [entry.outcome for entry in refusals] == ["Refused", "Refused"]
    line = f"fluxstate-tui archives remove --yes --folder {folder} -- one"
    assert logged.commands == (f"{line}  # removed",)
    assert (logged.what, logged.outcome, logged.reason) == (
        "archives remove",
        "Completed",
        "one removed",
    )


def test_prune_keeps_what_the_policy_says_and_what_others_made(
    archives: Archives, folder: Path
) -> None:
    for number in range(4):
        put(folder, f"v{number}", age=number * DAY)
    (folder / "theirs.tar.gz").write_bytes(archive.path("mixed").read_bytes())
    dry = archives("prune", "--keep-last", "2", "--dry-run", "--json")
    assert [one["id"] for one in dry.json["wouldRemove"]] == ["v2", "v3"]
    said = archives("prune", "--keep-last", "2", "--dry-run").out
    assert said.startswith("2 archives would go (")
    assert "this is a dry run" in said
    done = archives("prune", "--keep-last", "2", "--yes")
    assert done.code == ExitCode.OK
    assert done.out.startswith("2 archives go (")
    listed = archives("list", "--json").json["archives"]
    assert {one["id"] for one in listed} == {"v0", "v1", "theirs"}


@pytest.mark.parametrize("words", [("list",), ("prune", "--keep-last", "1", "--yes")])
def test_what_is_about_all_archives_takes_no_names(
    archives: Archives, folder: Path, words: tuple[str, ...]
) -> None:
    put(folder, "one")
    put(folder, "two", age=DAY)
    before = content(folder)
    command, *flags = words
    refused = archives(command, "two", *flags)
    assert refused.code == ExitCode.USAGE
    assert "does not take two" in refused.err
    assert content(folder) == before


def test_a_disk_of_this_computer_that_refuses_says_nothing_about_an_archive(
    archives: Archives, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "one")
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", "/proc/nowhere")
    for words in (("verify",), ("verify", "--json")):
        said = archives(*words)
        assert said.code == ExitCode.FAILURE
        assert "/proc/nowhere" in said.err
        assert said.out == ""


def test_names_in_a_folder_never_steer_the_terminal(
    archives: Archives, folder: Path, tmp_path: Path
) -> None:
    evil = "one\x1b]0;evil\x07\udcff"
    path = put(folder, "plain")
    path.rename(folder / f"{evil}.tar.gz")
    words = [("list",), ("verify",), ("verify", evil), ("fetch", evil, "--to", str(tmp_path))]
    words += [("fetch", evil + "x", "--to", str(tmp_path)), ("remove", evil, "--dry-run")]
    words += [("adopt", f"{evil}.tar.gz", "--minicluster", "m")]
    for one in words:
        said = archives(*one)
        assert "\x1b" not in said.out + said.err, one
        assert "evil" in said.out + said.err, one


def test_a_name_that_is_nearly_too_long_is_verified_too(archives: Archives, folder: Path) -> None:
    put(folder, "n" * 240)
    assert archives("verify").code == ExitCode.OK


def test_a_level_that_a_manifest_says_keeps_nothing_as_each_archive_is_read(
    archives: Archives, folder: Path
) -> None:
    put(folder, "new", verified="L0")
    put(folder, "old", age=100 * DAY)
    put(folder, "older", age=200 * DAY)
    assert archives("prune", "--keep-last", "1", "--yes").code == ExitCode.OK
    assert {path.stem for path in folder.glob("*.json")} == {"new"}


def test_prune_stops_when_what_stays_is_not_what_was_saved(
    archives: Archives, folder: Path
) -> None:
    flip(put(folder, "new"))
    put(folder, "old", age=DAY)
    before = content(folder)
    stopped = archives("prune", "--keep-last", "1", "--yes")
    assert stopped.code == ExitCode.VERIFICATION
    assert content(folder) == before


def test_an_empty_policy_is_refused_and_the_configured_one_is_used(
    archives: Archives, folder: Path, tmp_path: Path
) -> None:
    put(folder, "new")
    put(folder, "old", age=DAY)
    empty = archives("prune", "--yes")
    assert empty.code == ExitCode.USAGE
    assert "empty retention policy" in empty.err
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("retention: {keep-last: 1}\n")
    from fluxstate_tui.cli.options import configuration

    configuration.cache_clear()
    assert archives("prune", "--yes").code == ExitCode.OK
    assert {path.stem for path in folder.glob("*.json")} == {"new"}


def test_two_programs_never_remove_at_the_same_time(archives: Archives, folder: Path) -> None:
    put(folder, "one")
    put(folder, "two", age=DAY)
    other = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert archives("remove", "one", "--yes").code == ExitCode.LOCKED
        assert archives("prune", "--keep-last", "1", "--yes").code == ExitCode.LOCKED
        assert archives("verify").code == ExitCode.OK
        assert archives("prune", "--keep-last", "1", "--dry-run").code == ExitCode.OK
    finally:
        os.close(other)
    assert archives("remove", "one", "--yes").code == ExitCode.OK


def test_an_audit_log_that_cannot_be_written_is_told(
    archives: Archives, folder: Path, state: Path
) -> None:
    put(folder, "one")
    put(folder, "two", age=DAY)
    (state / audit.FILE).mkdir(parents=True)
    removed = archives("remove", "two", "--yes")
    assert removed.code == ExitCode.OK
    assert "audit log could not be written" in removed.err


def test_an_archive_of_others_is_adopted_where_it_lies(archives: Archives, folder: Path) -> None:
    theirs = folder / "queue.tar.gz"
    theirs.write_bytes(archive.path("mixed").read_bytes())
    assert archives("adopt", "queue.tar.gz").code == ExitCode.USAGE  # whose is it?
    adopted = archives("adopt", "queue.tar.gz", "--minicluster", "flux-sample", "--json")
    (entry,) = adopted.json["adopted"]
    manifest = entry["manifest"]
    assert (manifest["minicluster"], manifest["verified"], manifest["idle"]) == (
        "flux-sample",
        "L2",
        False,
    )
    assert manifest["uid"] == ""
    assert manifest["counts"] == archive.truth("mixed")["before_counts"]
    assert archives("verify").code == ExitCode.OK
    again = archives("adopt", "queue.tar.gz", "--minicluster", "flux-sample")
    assert again.code == ExitCode.REFUSED


def test_an_archive_from_elsewhere_is_copied_in_once(
    archives: Archives, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "dump.tar.gz"
    elsewhere.write_bytes(archive.path("mixed").read_bytes())
    words = (str(elsewhere), "--minicluster", "flux-sample")
    assert archives("adopt", *words).code == ExitCode.OK
    (copy,) = folder.glob("*.tar.gz")
    assert copy.read_bytes() == elsewhere.read_bytes()
    again = archives("adopt", *words)
    assert again.code == ExitCode.REFUSED
    assert copy.name.removesuffix(".tar.gz") in again.err


def test_what_was_done_before_one_failed_is_told_in_json_too(
    archives: Archives, folder: Path, tmp_path: Path
) -> None:
    (folder / "good.tar.gz").write_bytes(archive.path("mixed").read_bytes())
    (folder / "bad.tar.gz").write_bytes(b"no archive")
    words = ("good.tar.gz", "bad.tar.gz", "--minicluster", "m", "--json")
    adopted = archives("adopt", *words)
    assert adopted.code == ExitCode.VERIFICATION
    assert [one["id"] for one in adopted.json["adopted"]] == ["good"]
    fetched = archives("fetch", "good", "bad", "--to", str(tmp_path), "--json")
    assert fetched.code == ExitCode.VERIFICATION
    assert [one["id"] for one in fetched.json["fetched"]] == ["good"]
    assert archives("fetch", "bad", "--to", str(tmp_path), "--json").out == ""


def test_a_copy_under_another_name_does_not_stand_for_the_last_good_one(
    archives: Archives, folder: Path
) -> None:
    put(folder, "one")
    for suffix in (".tar.gz", ".json"):
        (folder / f"copy{suffix}").write_bytes((folder / f"one{suffix}").read_bytes())
    refused = archives("remove", "one", "--yes")
    assert refused.code == ExitCode.REFUSED
    assert "last good archive" in refused.err


def test_an_archive_of_another_minicluster_is_adopted_with_a_warning(
    archives: Archives, folder: Path
) -> None:
    for name, minicluster in (("theirs", "team-b"), ("own", "flux-sample")):
        (folder / f"{name}.tar.gz").write_bytes(archive.path("mixed").read_bytes())
        said = archives("adopt", f"{name}.tar.gz", "--minicluster", minicluster)
        assert said.code == ExitCode.OK
        warned = "of a MiniCluster with the nodes flux-sample-0, flux-sample-1" in said.err
        assert warned is (minicluster == "team-b")
        (folder / f"{name}.tar.gz").unlink()
        (folder / f"{name}.json").unlink()


@pytest.mark.parametrize("data", [b"", b"no archive", archive.path("mixed").read_bytes()[:-50]])
def test_what_is_not_sound_is_not_adopted(archives: Archives, folder: Path, data: bytes) -> None:
    (folder / "bad.tar.gz").write_bytes(data)
    refused = archives("adopt", "bad.tar.gz", "--minicluster", "x")
    assert refused.code == ExitCode.VERIFICATION
    assert content(folder) == {"bad.tar.gz": data}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(["good", "flipped", "missing"]), min_size=1, max_size=4), st.data())
async def test_whatever_goes_a_good_one_stays_or_it_is_said(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("c")
    for number, kind in enumerate(kinds):
        path = put(folder, f"v{number}", given_archive="empty", age=number * DAY)
        if kind == "flipped":
            flip(path)
        elif kind == "missing":
            path.unlink()
    files = LocalFolder()
    entries: tuple[CatalogEntry, ...] = await read_catalog(files, str(folder))
    ids = data.draw(st.sets(st.sampled_from([entry.id for entry in entries]), min_size=1))
    known = await read_known(files, entries, tmp_path_factory.mktemp("state"))
    unsaved = left_without_backup(known, choose(entries, sorted(ids)))
    stays = any(kind == "good" and f"v{number}" not in ids for number, kind in enumerate(kinds))
    assert unsaved == (() if stays else ("flux-sample",))


def test_a_logged_line_removes_an_archive_whose_name_looks_like_an_option(
    archives: Archives, folder: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("--folder=x", "-rf", "plain"):
        put(folder, name)
    assert archives("remove", "--yes", "--", "--folder=x", "-rf").code == ExitCode.OK
    (entry,) = audit.read(state).entries
    put(folder, "--folder=x")
    put(folder, "-rf")
    for line in entry.commands:
        program, *words = shlex.split(line, comments=True)
        assert program == "fluxstate-tui"
        assert main(words) == ExitCode.OK, capsys.readouterr().err
    assert [path.name for path in folder.glob("*.tar.gz")] == ["plain.tar.gz"]
