"""The MiniCluster objects that were seen last, so that a deleted one can be created again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from fluxstate_tui.model.reference import ClusterRef


def remember(state_dir: Path, server: str, ref: ClusterRef, raw: dict[str, Any]) -> None:
    """Keep the object; a disk that refuses is no reason to stop (the manifest has it too)."""
    path = _path(state_dir, server, ref.namespace, ref.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(raw))
        temporary.chmod(0o600)
        temporary.replace(path)
    except OSError:
        return


def recall(state_dir: Path, server: str, namespace: str, name: str) -> dict[str, Any] | None:
    """The object as it was seen last on that API server, None when it never was."""
    try:
        raw = json.loads(_path(state_dir, server, namespace, name).read_text())
    except (OSError, ValueError):
        return None
    return raw if isinstance(raw, dict) else None


def _path(state_dir: Path, server: str, namespace: str, name: str) -> Path:
    where = hashlib.sha256(server.encode()).hexdigest()[:12]
    return state_dir / "seen" / where / f"{namespace}.{name}.json"
