"""A simulated cluster whose clock stands still, so that no controller interferes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fluxstate_tui.sim.api.auth import Rule, User
from fluxstate_tui.sim.clock import VirtualClock
from fluxstate_tui.sim.server import SimulatedCluster

DATA = Path(__file__).parents[2] / "data" / "kubernetes"
MINICLUSTERS = "/apis/flux-framework.org/v1alpha2/namespaces/flux/miniclusters"


def recorded(name: str) -> Any:
    """One file of recordings."""
    return json.loads((DATA / name).read_text())


class Client:
    """Raw HTTP with a token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self.session = session
        self.url = url
        self.token = token

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        token: str | None = None,
    ) -> tuple[int, Any]:
        """Status and decoded body (text when it is no JSON)."""
        auth = {"Authorization": f"Bearer {self.token if token is None else token}"}
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        kind = {"Content-Type": "application/json"} if body is not None else {}
        async with self.session.request(
            method, self.url + path, data=data, headers={**auth, **kind, **(headers or {})}
        ) as response:
            raw = await response.text()
            is_json = response.content_type == "application/json"
            return response.status, json.loads(raw) if is_json else raw


@pytest.fixture
async def cluster() -> AsyncIterator[SimulatedCluster]:
    """An empty cluster with the namespace `flux`."""
    async with SimulatedCluster(clock=VirtualClock(), bookmark_seconds=0.2) as simulated:
        yield simulated


@pytest.fixture
async def api(cluster: SimulatedCluster) -> AsyncIterator[Client]:
    """The admin's client; the namespace `flux` exists."""
    async with aiohttp.ClientSession() as session:
        client = Client(session, cluster.url, cluster.token)
        await client("POST", "/api/v1/namespaces", {"metadata": {"name": "flux"}})
        yield client


@pytest.fixture
def alice(cluster: SimulatedCluster) -> str:
    """The token of a user who may only list services."""
    rules = (Rule(("get", "list"), ("services",), ("",), ("flux",)),)
    return cluster.add_user(User("alice", ("dev",), rules))


def minicluster(name: str = "mc-a", **spec: Any) -> dict[str, Any]:
    """A MiniCluster as it was recorded."""
    containers = [{"image": "registry.local/flux-app:12"}]
    return {
        "apiVersion": "flux-framework.org/v1alpha2",
        "kind": "MiniCluster",
        "metadata": {"name": name, "namespace": "flux"},
        "spec": {"size": 2, "interactive": True, "containers": containers, **spec},
    }
