"""A question on a terminal: a word answers it, and Ctrl-C leaves at once, with nothing done."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from fluxstate_tui.errors import ExitCode
from tests.unit.cli_archives.conftest import DAY, content, put

SECONDS = 30.0


def answered(keys: bytes, *words: str) -> int:
    """Run the program on a terminal and type `keys` at its question; its exit code."""
    ours, its = pty.openpty()
    argv = [sys.executable, "-m", "fluxstate_tui", *words]
    with subprocess.Popen(argv, stdin=its, stdout=its, stderr=its, start_new_session=True,
                          preexec_fn=_own_terminal) as process:  # fmt: skip
        os.close(its)
        said = b""
        while b"[y/N]" not in said:
            assert select.select([ours], [], [], SECONDS)[0], said
            said += os.read(ours, 4096)
        os.write(ours, keys)
        try:
            code = process.wait(SECONDS)
        finally:
            process.kill()
            os.close(ours)
    return code


def _own_terminal() -> None:
    """So that Ctrl-C typed there is a signal here."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize(
    ("keys", "code", "left"),
    [
        (b"\x03", ExitCode.INTERRUPTED, 4),
        (b"no\n", ExitCode.REFUSED, 4),
        (b"y\n", ExitCode.OK, 2),
    ],
)
def test_what_is_typed_at_a_question_counts(
    folder: Path, state: Path, keys: bytes, code: int, left: int
) -> None:
    put(folder, "one")
    put(folder, "two", age=DAY)
    assert answered(keys, "archives", "remove", "two", "--folder", str(folder)) == code
    assert len(content(folder)) == left
