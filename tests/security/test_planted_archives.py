"""A manifest that lies about its time, its level and its jobs neither stays nor makes others go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fluxstate_tui.archive.manifest import Manifest, Part, to_bytes
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.catalog import records
from fluxstate_tui.catalog.contents import Contents, contents_of
from fluxstate_tui.catalog.ownership import Owner
from fluxstate_tui.errors import ExitCode
from tests.unit.archive import given
from tests.unit.cli_archives.conftest import DAY, NOW, Archives

LIE = {"created": 253_402_300_000.0, "verified": "L3", "counts": {"COMPLETED": 99_999}}
OWNER = Owner("default", "flux-sample", "u-1", recorded=True)


def put(folder: Path, identity: str, jobs: range, age: float, **says: object) -> bytes:
    """An archive with these jobs, made so many seconds ago, with a manifest."""
    when = NOW - age
    members = [
        member
        for number in jobs
        for member in given.job_entries(number << 24, given.finished(NOW - 40 * DAY + number))
    ]
    whole = [*given.instance(), *members]
    data = write_archive([replace(member, mtime=int(when)) for member in whole], ".tar.gz")
    (folder / f"{identity}.tar.gz").write_bytes(data)
    found = read_archive(data)
    assert found.complete, found.findings
    manifest = Manifest(
        id=identity,
        minicluster=OWNER.name,
        namespace=OWNER.namespace,
        uid=OWNER.uid,
        size=2,
        created=when,
        created_by="me",
        core_version="0.88.0",
        counts={"COMPLETED": len(jobs)},
        verified="L2",
        idle=True,
        parts=(Part("queue", f"{identity}.tar.gz", len(data), found.sha256),),
    )
    lying = replace(manifest, **says)  # type: ignore[arg-type]
    (folder / f"{identity}.json").write_bytes(to_bytes(lying))
    return data


def three_true_ones(folder: Path) -> None:
    for day in range(3):
        put(folder, f"true-{day}", range(1, 9 - day), (day + 1) * DAY)


@pytest.mark.parametrize("last", ["1", "2"])
def test_a_planted_manifest_is_not_kept_instead_of_true_archives(
    archives: Archives, folder: Path, last: str
) -> None:
    three_true_ones(folder)
    put(folder, "planted", range(70, 73), 0.0, **LIE)
    assert archives("prune", "--keep-last", last, "--yes").code == ExitCode.OK
    left = {path.name.removesuffix(".tar.gz") for path in folder.glob("*.tar.gz")}
    assert left == {"planted", *(f"true-{day}" for day in range(int(last)))}


def test_an_empty_archive_that_is_newer_lets_none_go(archives: Archives, folder: Path) -> None:
    put(folder, "full", range(1, 110), DAY)
    put(folder, "empty", range(0), 0.0)
    assert archives("prune", "--keep-last", "1", "--yes").code == ExitCode.OK
    assert (folder / "full.tar.gz").exists()


def test_a_damaged_archive_stays_and_stands_for_none(archives: Archives, folder: Path) -> None:
    put(folder, "old", range(1, 3), DAY)
    data = put(folder, "new", range(1, 3), 0.0)
    (folder / "new.tar.gz").write_bytes(data[:-9] + b"123456789")
    archives("prune", "--keep-last", "1", "--yes")
    assert {"old.tar.gz", "new.tar.gz"} <= {path.name for path in folder.iterdir()}


def test_what_was_saved_here_does_not_go_for_a_forgery_with_the_same_ids(
    archives: Archives, folder: Path, state: Path
) -> None:
    data = put(folder, "mine", range(1, 9), DAY)
    put(folder, "forged", range(1, 10), 0.0)
    contents = contents_of(read_archive(data))
    records.remember(state, replace(contents, made=NOW - DAY, saved_by=OWNER))
    assert archives("prune", "--keep-last", "1", "--yes").code == ExitCode.OK
    assert (folder / "mine.tar.gz").exists()


def test_a_removal_that_loses_jobs_must_be_typed(archives: Archives, folder: Path) -> None:
    put(folder, "full", range(1, 110), DAY)
    put(folder, "empty", range(0), 0.0)
    refused = archives("remove", "full", "--yes")
    assert refused.code == ExitCode.REFUSED
    assert (folder / "full.tar.gz").exists()
    typed = ("--i-know-what-is-lost", OWNER.name)
    assert archives("remove", "full", "--yes", *typed).code == ExitCode.OK


def test_a_list_shows_claims_as_claims_and_what_was_verified_as_facts(
    archives: Archives, folder: Path
) -> None:
    put(folder, "planted", range(70, 73), 0.0, **LIE)
    (row,) = [row for row in archives("list").out.splitlines() if row.startswith("planted")]
    assert "says 99999" in row
    assert "says L3" in row
    (listed,) = archives("list", "--json").json["archives"]
    assert listed["verifiedHere"] is None
    assert archives("verify").code == ExitCode.OK
    (row,) = [row for row in archives("list").out.splitlines() if row.startswith("planted")]
    assert "says" not in row.split("default/")[0]
    (listed,) = archives("list", "--json").json["archives"]
    assert (listed["verifiedHere"]["jobs"], listed["verifiedHere"]["level"]) == (3, "L2")


def test_a_record_of_another_file_is_no_fact(archives: Archives, folder: Path) -> None:
    put(folder, "one", range(1, 4), 0.0)
    assert archives("verify").code == ExitCode.OK
    size = (folder / "one.tar.gz").stat().st_size
    (folder / "one.tar.gz").write_bytes(b"x" * size)  # the manifest stays
    (listed,) = archives("list", "--json").json["archives"]
    assert listed["verifiedHere"] is None


def contents() -> Contents:
    data = given.archive(*given.job_entries(1 << 24, given.pending()))
    return contents_of(read_archive(data))


def test_a_record_reads_back_as_it_was_and_is_for_this_user_alone(tmp_path: Path) -> None:
    one = replace(contents(), saved_by=OWNER, parent="ab" * 32, born=5.0)
    records.remember(tmp_path, one)
    assert records.recall(tmp_path, one.sha256) == one
    (path,) = (tmp_path / "archives").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    records.remember(tmp_path, contents())  # read again: it stays one that was saved from here
    assert records.recall(tmp_path, one.sha256) == one


@pytest.mark.parametrize("harm", ["link", "writable", "cut", "other"])
def test_a_record_that_others_may_have_written_is_not_believed(tmp_path: Path, harm: str) -> None:
    one = contents()
    records.remember(tmp_path, one)
    (path,) = (tmp_path / "archives").iterdir()
    if harm == "link":
        path.replace(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    elif harm == "writable":
        path.chmod(0o666)
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-5])
    else:
        path.rename(path.with_name(f"{'0' * 64}.json"))
        assert records.recall(tmp_path, "0" * 64) is None
    assert records.recall(tmp_path, one.sha256) is None


@pytest.mark.parametrize("name", ["../x", "", "a/b", "x" * 64, "/etc/passwd"])
def test_a_checksum_or_uid_from_a_manifest_is_no_path(tmp_path: Path, name: str) -> None:
    assert records.recall(tmp_path, name) is None
    assert records.restored(tmp_path, name) is None
    records.remember_restored(tmp_path, name, "s", "u", 0.0)
    assert not [path for path in tmp_path.rglob("*.json") if path.parent.name != "lineage"]


def test_a_lineage_that_goes_in_a_circle_ends(tmp_path: Path) -> None:
    records.remember_restored(tmp_path, "u-1", "s", "u-2", 0.0)
    records.remember_restored(tmp_path, "u-2", "s", "u-1", 0.0)
    assert records.predecessors(tmp_path, "u-1") == {"u-2", "u-1"}
