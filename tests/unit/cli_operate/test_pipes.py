"""Whoever reads the output may go away (`| head`): what is done, and how it ended, stays."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fluxstate_tui.errors import ExitCode
from tests.unit.cli_operate.conftest import Program


def closed_pipe() -> int:
    """The end to write to of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


async def test_the_exit_code_is_that_of_the_operation(program: Program) -> None:
    nobody = closed_pipe()
    try:
        refused = await program("delete", "flux-sample", stdout=nobody)
        assert refused.code == ExitCode.REFUSED
        saved = await program("save", "flux-sample", "--json", stdout=nobody)
        assert saved.code == ExitCode.OK
    finally:
        os.close(nobody)
    assert len(program.stage.archived()) == 1


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["log"], ["get", "--nonsense"]])
def test_nobody_listens_to_either_stream(words: list[str], tmp_path: object) -> None:
    nobody = closed_pipe()
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "fluxstate_tui", *words],
            stdout=nobody,
            stderr=nobody,
            env={**os.environ, "FLUXSTATE_STATE_DIR": str(tmp_path)},
            check=False,
        )
    finally:
        os.close(nobody)
    assert ended.returncode == (ExitCode.USAGE if words[0] == "get" else ExitCode.OK)
