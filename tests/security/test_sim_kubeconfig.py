"""`sim serve --kubeconfig FILE` takes nobody's file away."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fluxstate_tui.cli.main import main
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.sim.server import SimulatedCluster

REAL = """\
apiVersion: v1
kind: Config
clusters: [{name: prod, cluster: {server: "https://prod"}}]
users: [{name: me, user: {token: precious}}]
contexts: [{name: prod, context: {cluster: prod, user: me}}]
"""


@pytest.mark.parametrize("text", [REAL, "", "precious notes", "- [", "[" * 5_000, "a: &a [*a]"])
async def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    async with SimulatedCluster(world="empty") as sim:
        with pytest.raises(FileExistsError):
            sim.write_kubeconfig(file)
        sim.remove_kubeconfig(file)
    assert file.read_text() == text


async def test_a_kubeconfig_with_another_cluster_too_is_somebody_elses(tmp_path: Path) -> None:
    file = tmp_path / "config"
    async with SimulatedCluster(world="empty") as sim:
        merged = sim.kubeconfig()
        merged["users"].append({"name": "me", "user": {"token": "precious"}})
        file.write_text(yaml.safe_dump(merged))
        with pytest.raises(FileExistsError):
            sim.write_kubeconfig(file)


async def test_a_link_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(tmp_path / "elsewhere")
    async with SimulatedCluster(world="empty") as sim:
        with pytest.raises(FileExistsError):
            sim.write_kubeconfig(tmp_path / "config")
    assert (tmp_path / "config").is_symlink()


async def test_what_an_earlier_simulation_left_is_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "config"
    async with SimulatedCluster(world="empty") as first:
        first.write_kubeconfig(file)
    async with SimulatedCluster(world="empty") as second:
        second.write_kubeconfig(file)
        assert yaml.safe_load(file.read_text()) == second.kubeconfig()
        first.remove_kubeconfig(file)
        assert file.exists()
        second.remove_kubeconfig(file)
    assert not file.exists()


def test_the_command_says_that_a_file_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config"
    file.write_text(REAL)
    words = ["sim", "serve", "--kubeconfig", str(file), "--world", "empty"]
    code = main(words)
    assert code == ExitCode.FAILURE
    assert "a file that is not a simulation's is there" in capsys.readouterr().err
    assert file.read_text() == REAL
