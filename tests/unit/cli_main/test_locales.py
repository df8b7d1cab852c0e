"""The command line and the dashboard in a locale that is none of UTF-8."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.flux.jobid import f58, f58_ascii
from tests.unit.archive import given
from tests.unit.termination.terminal import terminal

MIXED = given.path("mixed")
JOB = read_archive(MIXED).jobs[0].job.id
NEWEST = max(one.job.id for one in read_archive(MIXED).jobs)
LOCALES = [
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX"},
    {"LC_ALL": "", "LANG": "C"},
    {"LC_ALL": "", "LANG": ""},
    {"PYTHONIOENCODING": "iso-8859-1"},
]


@pytest.fixture(params=LOCALES, ids=str)
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    found: dict[str, str] = request.param
    return found


@pytest.fixture
def latin_1(tmp_path: Path) -> dict[str, str]:
    """A real locale of ISO-8859-1."""
    localedef = shutil.which("localedef")
    where = tmp_path / "en_US.ISO-8859-1"
    if localedef is None or subprocess.run(
        [localedef, "-i", "en_US", "-f", "ISO-8859-1", str(where)], check=False
    ).returncode not in (0, 1):
        pytest.skip("no locale can be made here")
    return {"LOCPATH": str(tmp_path), "LC_ALL": "en_US.ISO-8859-1"}


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "fluxstate_tui", *words],
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
    )


def test_job_ids_are_ascii_as_flux_prints_them(environment: dict[str, str]) -> None:
    shown = run(environment, "archive", "show", str(MIXED))
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert f58_ascii(JOB) in shown.stdout.decode("ascii")


def test_errors_are_told_in_ascii(environment: dict[str, str]) -> None:
    shown = run(environment, "archive", "show", str(MIXED), "--job", "日本")
    assert shown.returncode == 2
    assert b"Job ids look like f21mNXsm, f21mNXsm" in shown.stderr
    assert b"a bug" not in shown.stderr


def test_a_real_locale_of_latin_1_is_no_bug(latin_1: dict[str, str]) -> None:
    shown = run(latin_1, "archive", "show", str(MIXED))
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert f58_ascii(JOB) in shown.stdout.decode("iso-8859-1")


def test_json_is_the_same_in_every_locale(environment: dict[str, str]) -> None:
    shown = run(environment, "archive", "show", str(MIXED), "--json")
    assert shown.stdout == run({}, "archive", "show", str(MIXED), "--json").stdout
    assert f58(JOB) in {job.get("jobid") for job in json.loads(shown.stdout)["jobs"]}


async def test_the_dashboard_is_drawn_in_ascii(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with terminal(tmp_path, "open", str(MIXED)) as shown:
        await shown.see("+ COMPLETED", "enter job", f58_ascii(NEWEST))
        shown.press("q")
        assert await shown.ended() == 0
        assert shown.written.isascii()
        assert b"\\u" not in shown.written


async def test_letters_of_the_locale_are_read_and_drawn(tmp_path: Path) -> None:
    async with terminal(tmp_path, "open", str(MIXED), PYTHONIOENCODING="iso-8859-1") as shown:
        await shown.see("enter job")
        os.write(shown.ours, b"/caf\xe9")
        await shown.until(lambda: b"caf\xe9" in shown.written, "café")
        shown.press("\x1b")
        shown.press("q")
