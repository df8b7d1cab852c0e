"""What the program logs goes to a file of the user, never to the terminal."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fluxstate_tui.cli.logfile import FILE, LARGEST

# A command that fails in all the ways in which Python itself prints a traceback.
PROGRAM = """
import argparse, asyncio, logging, sys, threading, types

async def unretrieved():
    async def lost():
        raise ValueError("lost in a task")
    task = asyncio.create_task(lost())
    await asyncio.wait([task])
    del task

class Thing:
    def __del__(self):
        raise ValueError("lost while a thing was freed")

def broken(what):
    raise ValueError(what)

def run(args):
    try:
        broken("put back with trouble")
    except ValueError as error:
        logging.getLogger("fluxstate_tui.operations.runner").warning("tried", exc_info=error)
    asyncio.run(unretrieved())
    Thing()
    thread = threading.Thread(target=broken, args=["lost in a thread"])
    thread.start()
    thread.join()
    unretrieved()
    if args.how == "bug":
        broken("a surprise \\x1b[2J")
    if args.how == "cancelled":
        raise asyncio.CancelledError
    return 0

def add_parser(subparsers):
    parser = subparsers.add_parser("troubled")
    parser.add_argument("how")
    parser.set_defaults(run=run)

module = types.ModuleType("fluxstate_tui.cli.troubled")
module.add_parser = add_parser
sys.modules[module.__name__] = module
from fluxstate_tui.cli import main
main.COMMAND_MODULES = (*main.COMMAND_MODULES, "troubled")
main.entry()
"""
LOST = (
    "put back with trouble",
    "lost in a task",
    "lost while a thing was freed",
    "lost in a thread",
    "never awaited",
)


def run(folder: Path, how: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "troubled", how],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FLUXSTATE_STATE_DIR": str(folder), **environment},
    )


def test_no_traceback_of_anything_that_goes_on_reaches_the_terminal(tmp_path: Path) -> None:
    done = run(tmp_path / "state", "well")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = tmp_path / "state" / FILE
    assert all(words in log.read_text() for words in LOST)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("how", ["bug", "cancelled"])
def test_a_bug_is_told_in_words_and_names_the_file_with_the_traceback(
    tmp_path: Path, how: str
) -> None:
    done = run(tmp_path, how)
    assert done.returncode == 1
    assert done.stderr.startswith("error: a bug in fluxstate-tui: ")
    assert str(tmp_path / FILE) in done.stderr
    assert "Traceback" not in done.stderr
    last = (tmp_path / FILE).read_text().rpartition("a bug\n")[2]
    assert last.startswith("Traceback")


def test_what_came_from_a_cluster_does_not_steer_the_terminal_that_shows_the_log(
    tmp_path: Path,
) -> None:
    run(tmp_path, "bug")
    assert "\x1b" not in (tmp_path / FILE).read_text()
    assert "a surprise \\x1b[2J" in (tmp_path / FILE).read_text()


def test_where_no_file_can_be_written_there_is_silence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file", "well")
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / FILE).mkdir()
    bug = run(tmp_path, "bug")
    assert "Traceback" not in bug.stderr
    assert "FLUXSTATE_DEBUG=1" in bug.stderr


def test_it_does_not_grow_for_ever(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"x" * LARGEST)
    run(tmp_path, "well")
    assert (tmp_path / f"{FILE}.1").stat().st_size == LARGEST
    assert (tmp_path / FILE).stat().st_size < LARGEST
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_who_debugs_a_command_sees_all_of_it(tmp_path: Path) -> None:
    done = run(tmp_path, "well", FLUXSTATE_DEBUG="1")
    assert all(words in done.stderr for words in LOST)
