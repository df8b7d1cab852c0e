"""The named worlds are what they say, and start within seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from fluxstate_tui.archive.manifest import from_bytes
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.flux.job import JobState
from fluxstate_tui.sim.api.kinds import MINICLUSTERS, PODS
from fluxstate_tui.sim.files import Files
from fluxstate_tui.sim.server import SimulatedCluster
from fluxstate_tui.sim.worlds import demo
from tests.unit.sim_operator.conftest import NAMESPACE


async def test_the_demo_shows_every_state_worth_looking_at() -> None:
    async with SimulatedCluster(world="demo") as cluster:
        state = cluster.state
        names = {o["metadata"]["name"] for o in state.store.objects(MINICLUSTERS)}
        assert names == {demo.BUSY, demo.PAUSED, demo.STARTING, demo.BROKEN, demo.DEAD,
                         demo.FINISHED}  # fmt: skip
        phases = {
            name: Counter(
                pod["status"]["phase"]
                for pod in state.store.objects(PODS, NAMESPACE)
                if pod["metadata"]["labels"]["job-name"] == name
            )
            for name in names
        }
        assert phases[demo.BUSY] == {"Running": 4}
        assert phases[demo.DEAD] == {"Succeeded": 1, "Running": 1}
        assert phases[demo.FINISHED] == {"Succeeded": 2}
        assert phases[demo.STARTING] == {"Pending": 3}
        assert phases[demo.BROKEN] == {"Pending": 2}
        busy, paused = state.instance(NAMESPACE, demo.BUSY), state.instance(NAMESPACE, demo.PAUSED)
        assert busy is not None
        assert paused is not None
        states = Counter(job.state for job in busy.jobs.jobs.values())
        assert states[JobState.RUN] > 0
        assert states[JobState.INACTIVE] > 5
        assert paused.control.queue_status(None)["start"] is False
        assert any(job.state is JobState.SCHED for job in paused.jobs.jobs.values())


async def test_the_demos_saved_archives_are_intact_and_their_manifests_fit() -> None:
    async with SimulatedCluster(world="demo") as cluster:
        files = Files({"/": cluster.state.volumes.host_path("/data")})
        folder = f"/{demo.BUSY}/fluxstate"
        manifests = [name for name in files.listdir(folder) if name.endswith(".json")]
        assert len(manifests) == 2
        for name in manifests:
            manifest = from_bytes(files.read(f"{folder}/{name}"))
            data = files.read(f"{folder}/{manifest.parts[0].file}")
            archive = read_archive(data)
            assert not archive.findings
            assert archive.sha256 == manifest.parts[0].sha256
            counted = Counter(found.job.status for found in archive.jobs)
            assert counted == manifest.counts
        dead = read_archive(files.read(f"/{demo.DEAD}/archive.tar.gz"))
        assert dead.findings


async def test_an_unknown_world_is_refused_and_nothing_stays_open() -> None:
    with pytest.raises(ValueError, match="unknown world 'nowhere'; known: empty"):
        async with SimulatedCluster(world="nowhere"):
            pass


def serve(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "fluxstate_tui", "sim", "serve", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sim_serve_says_where_and_ends_cleanly(number: int, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    archive = tmp_path / "my.tar.gz"
    archive.write_bytes(b"x")
    process = serve("--kubeconfig", str(kubeconfig), "--put", f"{archive}=/data/a/b.tar.gz")
    assert process.stdout is not None
    assert "serving world 'tutorial' on http://127.0.0.1:" in process.stdout.readline()
    assert process.stdout.readline() == f"export KUBECONFIG={kubeconfig}\n"
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    user = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]
    assert len(user["token"]) > 30
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert not kubeconfig.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--speed", "0"], "is not a number greater than 0"),
        (["--put", "nonsense"], "is no FILE=/DIRECTORY/NAME"),
        (["--put", "/no/such=/data/x"], "there is no file /no/such"),
        (["--world", "demo", "--flavour", "v1alpha1"], "v1alpha2 only"),
    ],
)
def test_sim_serve_refuses_nonsense_with_one_message(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    process = serve("--kubeconfig", str(tmp_path / "kubeconfig"), *arguments)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert says in errors
    assert "Traceback" not in errors
