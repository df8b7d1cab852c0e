"""Options of the whole suite: with a kubeconfig, tests/e2e runs on a real cluster."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("target", "where tests/e2e runs (default: the simulated cluster)")
    group.addoption("--kubeconfig", default=None, help="a real cluster with the Flux Operator")
    group.addoption("--namespace", default="default", help="where its MiniClusters may be made")
    group.addoption("--minicluster", default=None, help="a manifest (YAML) with archive.path")
