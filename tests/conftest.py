"""Options of the whole suite: with a kubeconfig, tests/e2e runs on a real cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fluxstate_tui.cli.options import configuration

FEWEST_WORKERS = 4


@pytest.fixture(scope="session", autouse=True)
def _not_the_users_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nobody's own settings decide about a test, and no test writes into anybody's audit log."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FLUXSTATE_STATE_DIR", "FLUXSTATE_CONFIG_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        patch.setenv("LC_ALL", "C.UTF-8")
        yield


@pytest.fixture(autouse=True)
def _settings_of_its_own() -> None:
    """The settings are read once per process: not those of the test before."""
    configuration.cache_clear()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("target", "where tests/e2e runs (default: the simulated cluster)")
    group.addoption("--kubeconfig", default=None, help="a real cluster with the Flux Operator")
    group.addoption("--namespace", default="default", help="where its MiniClusters may be made")
    group.addoption("--minicluster", default=None, help="a manifest (YAML) with archive.path")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto`: more workers than a small machine has processors, for most tests wait."""
    return max(FEWEST_WORKERS, os.cpu_count() or 1)
