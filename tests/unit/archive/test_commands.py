"""The archive command: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.manifest import Manifest, Part, archive_name, manifest_name, to_bytes
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.cli.main import main
from fluxstate_tui.flux import eventlog
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.jobid import dothex, f58, f58_ascii, hex_id
from tests.unit.archive import given

_MIXED = str(given.path("mixed"))


@pytest.fixture(autouse=True)
def _without_flux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def _printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["archive", *arguments])
    return code, capsys.readouterr().out


def test_show_json_has_the_jobs_with_fluxs_own_fields(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = _printed(capsys, "show", _MIXED, "--json")
    jobs = {job["id"]: job for job in json.loads(out)["jobs"]}
    assert code == 0
    for job in given.truth("mixed")["before"]:
        assert jobs[job["id"]] == job


def test_one_job_is_found_by_any_form_of_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    job_id = read_archive(given.path("mixed")).jobs[0].job.id
    for form in (str(job_id), f58(job_id), f58_ascii(job_id), dothex(job_id), hex_id(job_id)):
        code, out = _printed(capsys, "show", _MIXED, "--job", form, "--json")
        assert (code, [job["id"] for job in json.loads(out)["jobs"]]) == (0, [job_id])


def test_a_job_shows_its_command_its_timeline_and_its_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job_id = f58(read_archive(given.path("mixed")).jobs[0].job.id)
    out = _printed(capsys, "show", _MIXED, "--job", job_id)[1]
    assert "command      echo hello world" in out
    assert "allocated    flux-sample-0 (rank 0): core 0" in out
    assert "RUN" in out
    assert "alloc" in out
    assert _printed(capsys, "show", _MIXED, "--job", job_id, "--output")[1] == "hello world\n"


def test_the_table_has_a_line_for_every_job(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = _printed(capsys, "show", _MIXED)
    assert code == 0
    assert "36 jobs: " in out
    assert all(f58(job["id"]) in out for job in given.truth("mixed")["before"])


def test_a_truncated_archive_is_shown_as_partial_with_exit_code_6(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["archive", "show", str(given.path("truncated")), "--json"])
    captured = capsys.readouterr()
    assert code == 6
    assert "PARTIAL" in captured.err
    found = json.loads(captured.out)
    assert found["partial"]
    assert len(found["jobs"]) == 26


@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        (given.path("mixed").read_bytes(), 0, "complete (L2): 36 jobs"),
        (given.path("empty").read_bytes(), 0, "empty (L2): 0 jobs"),
        (b"", 6, "zero-bytes"),
        (given.path("truncated").read_bytes(), 6, "truncated at byte 10743"),
        (given.archive(Entry("/etc/x", b"")), 6, "hostile"),
        (b"no archive at all", 1, "not-an-archive"),
    ],
)
def test_verify_says_the_verdict_and_exits_with_it(
    data: bytes, code: int, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.tar.gz"
    file.write_bytes(data)
    found, out = _printed(capsys, "verify", str(file))
    assert found == code
    assert word in out
    assert json.loads(_printed(capsys, "verify", str(file), "--json")[1])["size"] == len(data)


def test_a_missing_file_is_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["archive", "verify", "/nowhere/a.tar.gz"]) == 4
    assert "No such file" in capsys.readouterr().err


def test_verify_uses_the_manifest_beside_the_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = given.path("mixed").read_bytes()
    part = Part("queue", archive_name("x"), len(data), "0" * 64)
    manifest = Manifest("x", "m", "n", "u", 2, 0.0, "me", "0.88.0", {}, "L2", True, parts=(part,))
    (tmp_path / archive_name("x")).write_bytes(data)
    (tmp_path / manifest_name("x")).write_bytes(to_bytes(manifest))
    code, out = _printed(capsys, "verify", str(tmp_path / archive_name("x")))
    assert code == 6
    assert "checksum" in out


def test_somebodys_own_json_beside_an_archive_is_no_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(given.path("mixed").read_bytes())
    (tmp_path / "a.json").write_text('{"jobs": []}')
    assert main(["archive", "verify", "--no-flux", str(tmp_path / "a.tar.gz")]) == 0
    assert "manifest" not in capsys.readouterr().err


def test_an_unknown_job_and_a_wrong_id_are_told_apart() -> None:
    assert main(["archive", "show", _MIXED, "--job", "ƒ1"]) == 4
    assert main(["archive", "show", _MIXED, "--job", "hello"]) == 2


def test_preview_counts_fates(capsys: pytest.CaptureFixture[str]) -> None:
    out = _printed(capsys, "preview", _MIXED, "--size", "1")[1]
    assert "1 job can never fit" in out
    assert "size 2 would do" in out
    out = _printed(capsys, "preview", _MIXED, "--size", "2", "--json")[1]
    assert json.loads(out)["counts"] == {"history": 26, "starts": 7, "held": 1, "waits": 2}


def test_diff_of_an_archive_with_itself_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    out = _printed(capsys, "diff", _MIXED, _MIXED)[1]
    assert out == "0 only in the first, 0 only in the second, 0 changed, 36 unchanged\n"
    assert main(["archive", "diff", _MIXED]) == 2


def test_terminal_escapes_of_a_job_are_shown_not_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202e"
    line = Event(given.T0, "data", {"stream": "stdout", "rank": "0", "data": evil})
    job = given.job_entries(1, given.finished(), given.jobspec(evil, cwd=evil))
    output = Entry("job/0000/0000/0000/0001/guest/output", eventlog.encode([line]))
    file = tmp_path / "evil.tar.gz"
    file.write_bytes(given.archive(*job, output))
    for more in ([], ["--job", "ƒ2"], ["--output"], ["--json", "--output"]):
        out = _printed(capsys, "show", str(file), *more)[1]
        assert "owned" in out
        assert all(character.isprintable() or character == "\n" for character in out)


@pytest.mark.parametrize("words", [["show"], ["preview", "--size", "2"], ["diff", "--with", "x"]])
def test_a_file_that_is_no_archive_is_not_shown_as_an_empty_one(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# Notes\n" * 100)
    assert main(["archive", words[0], str(path), *words[1:]]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "is no archive of flux dump" in told.err
    assert "do: Name a file" in told.err


def test_where_output_went_is_told_and_never_obeyed_by_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = {"stream": "\x1b[1m", "rank": "\x1b[2J", "path": "/tmp/\x1b]0;x\x07"}
    log = eventlog.encode([Event(given.T0, "redirect", context)])
    output = Entry("job/0000/0000/0000/0001/guest/output", log)
    path = tmp_path / "a.tar.gz"
    path.write_bytes(given.archive(*given.job_entries(1, given.finished()), output))
    code, out = _printed(capsys, "show", str(path), "--output")
    assert code == 0
    assert out == "[\\x1b[1m of \\x1b[2J went to /tmp/\\x1b]0;x\\x07]\n"
