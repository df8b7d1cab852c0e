"""Archives as tables, without Flux and without a cluster."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fluxstate_tui import FluxstateError, JobTable, read_archive
from fluxstate_tui.cli.main import main
from tests.unit.archive.given import SMALL, path


@pytest.mark.parametrize("name", SMALL)
def test_a_table_has_the_jobs_and_fields_of_the_command_line(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["archive", "show", str(path(name)), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["jobs"]
    table = read_archive(path(name))
    assert table.complete
    assert table.problems == ()
    assert list(table.jobs) == sorted(shown, key=lambda job: job["id"])


def test_a_damaged_archive_is_read_as_far_as_it_goes_and_says_so() -> None:
    table = read_archive(path("truncated"))
    assert not table.complete
    assert table.problems


def test_what_is_no_archive_and_what_is_not_there_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "notes.tar").write_text("nothing of the kind\n" * 100)
    for name in ("notes.tar", "missing.tar"):
        with pytest.raises(FluxstateError) as error:
            read_archive(tmp_path / name)
        assert name in error.value.message


def test_a_frame_is_indexed_by_job_id() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = read_archive(path("basic-completion")).jobs.frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.index) == [job["id"] for job in read_archive(path("basic-completion")).jobs]
    assert JobTable().frame().empty


def test_without_pandas_a_frame_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(FluxstateError) as missing:
        JobTable().frame()
    assert "pandas" in missing.value.message
