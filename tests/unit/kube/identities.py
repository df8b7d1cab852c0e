"""Users of a kubeconfig for tests, and what a server hears from them."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

from fluxstate_tui.kube.objects import PODS
from tests.unit.kube.certificates import data
from tests.unit.kube.server import FakeApi, open_cluster

CA = {"certificate-authority-data": data("ca.pem")}


def plugin(folder: Path, body: str, **stanza: Any) -> dict[str, Any]:
    """A user whose credentials come from a script beside the kubeconfig."""
    script = folder / "plugin"
    script.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": "./plugin", **stanza}}


def credential(**fields: Any) -> str:
    """Python source that prints an ExecCredential."""
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": fields,
    }
    return f"print({json.dumps(json.dumps(answer))})"


async def ask(folder: Path, api: FakeApi, **options: Any) -> list[str]:
    """One request; the Authorization header that arrived."""
    async with await open_cluster(folder, api.url, **options) as cluster:
        await cluster.list(PODS)
    return api.asked[-1].headers.get("Authorization", [])
