"""The program as users run it, against a simulated cluster."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.stage import Stage, staged


@dataclass(frozen=True)
class Finished:
    """What a command line left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Program:
    """`fluxstate-tui`, without a terminal."""

    stage: Stage
    folder: Path

    async def __call__(
        self, *words: str, kubeconfig: str = "", stdout: int = asyncio.subprocess.PIPE
    ) -> Finished:
        environment = {**os.environ, "FLUXSTATE_STATE_DIR": str(self.folder / "cli-state")}
        environment["KUBECONFIG"] = kubeconfig or str(self.folder / "kubeconfig")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fluxstate_tui", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return Finished(process.returncode, (out or b"").decode(), err.decode())


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    async with staged(tmp_path, speed=20) as stage:
        await stage.create()
        yield Program(stage, tmp_path)
