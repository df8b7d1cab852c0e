"""`fluxstate-tui archives` on a folder with archives of real Flux."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.archive.manifest import Manifest, Part, to_bytes
from fluxstate_tui.cli.main import main
from fluxstate_tui.cli.options import configuration
from tests.unit.archive import given

NOW = 1_795_000_000.0
DAY = 86400.0


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Archives = Callable[..., Said]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("FLUXSTATE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # without a real flux: L2 is the highest
    configuration.cache_clear()
    return tmp_path / "state"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "catalog"
    path.mkdir()
    return path


@pytest.fixture
def archives(state: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> Archives:
    """Run one command on the folder, without a terminal."""

    def run(command: str, *words: str) -> Said:
        code = main(["archives", command, "--folder", str(folder), *words])
        said = capsys.readouterr()
        assert "bug in fluxstate-tui" not in said.err, said.err
        return Said(code, said.out, said.err)

    return run


def put(
    folder: Path,
    identity: str,
    *,
    given_archive: str = "mixed",
    minicluster: str = "flux-sample",
    age: float = 0.0,
    verified: str = "L2",
) -> Path:
    """An archive with a manifest, as a save leaves it."""
    data = given.path(given_archive).read_bytes()
    path = folder / f"{identity}.tar.gz"
    path.write_bytes(data)
    manifest = Manifest(
        id=identity,
        minicluster=minicluster,
        namespace="default",
        uid="uid-1",
        size=2,
        created=NOW - age,
        created_by="me@here",
        core_version="0.88.0",
        counts={"COMPLETED": 1},
        verified=verified,
        idle=True,
        parts=(Part("queue", path.name, len(data), hashlib.sha256(data).hexdigest()),),
    )
    (folder / f"{identity}.json").write_bytes(to_bytes(manifest))
    return path


def content(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, hidden files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
