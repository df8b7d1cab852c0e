"""`--demo` goes with every command that talks to a cluster."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

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


PARENT = """
import time
from fluxstate_tui.demo.cluster import simulated_cluster
with simulated_cluster("empty", 1.0) as kubeconfig:
    print(kubeconfig, flush=True)
    time.sleep(600)
"""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_simulated_cluster_ends_with_a_demo_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        kubeconfig = Path(parent.stdout.readline().decode().strip())
        server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        port = urlsplit(server).port
        assert port is not None
        assert listens(port)
        parent.kill()
    deadline = time.monotonic() + 20
    while listens(port):
        assert time.monotonic() < deadline, "it goes on without anybody"
        time.sleep(0.05)
