"""`--demo` goes with every command that talks to a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fluxstate_tui.cli.main import main


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(tmp_path))


def test_a_headless_twin_can_be_tried_without_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "miniclusters", "--demo", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["miniclusters"]
    assert {"lammps-sweep", "training"} <= {item["name"] for item in found}


def test_an_error_on_the_demo_cluster_keeps_its_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--demo", "get", "jobs", "nosuch"]) == 4
    assert "no MiniCluster 'nosuch'" in capsys.readouterr().err
