"""The MiniCluster objects that were seen here, so that a deleted one can be created again.

What others could have written is believed only if it is one of them: see `has_seen`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.private_files import private_folder, read_private, write_private

MOST_SPECS = 500
_OURS = "fluxstate/"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def remember(state_dir: Path, server: str, ref: ClusterRef, raw: dict[str, Any]) -> None:
    """Keep the object; a disk that refuses is no reason to stop (the manifest has it too)."""
    path = _path(state_dir, server, ref.namespace, ref.name)
    try:
        private_folder(state_dir, "seen", path.parent.name)
        write_private(path, json.dumps(raw).encode())
        _remember_spec(path.with_suffix(".specs"), raw)
    except OSError:
        return


def recall(state_dir: Path, server: str, namespace: str, name: str) -> dict[str, Any] | None:
    """The object as it was seen last on that API server, None when it never was."""
    try:
        raw = json.loads(read_private(_path(state_dir, server, namespace, name)))
    except (OSError, ValueError):
        return None
    return raw if isinstance(raw, dict) else None


def has_seen(state_dir: Path, server: str, namespace: str, name: str, raw: dict[str, Any]) -> bool:
    """Whether that MiniCluster was seen from here with just what `raw` asks for."""
    seen = recall(state_dir, server, namespace, name)
    if seen is not None and fingerprint(seen) == fingerprint(raw):
        return True
    path = _path(state_dir, server, namespace, name).with_suffix(".specs")
    return fingerprint(raw) in _fingerprints(path)


def fingerprint(raw: dict[str, Any]) -> str:
    """Of all of an object that can be created again, but for its name."""
    asked = json.dumps([raw.get("spec"), metadata_asked(raw)], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


def metadata_asked(raw: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Its labels and annotations, but for our own notes and kubectl's."""
    metadata = raw.get("metadata")
    found: dict[str, dict[str, Any]] = {}
    for field in ("labels", "annotations"):
        items = metadata.get(field) if isinstance(metadata, dict) else None
        kept = {
            key: value
            for key, value in (items.items() if isinstance(items, dict) else ())
            if not str(key).startswith(_OURS) and key != _LAST_APPLIED
        }
        if kept:
            found[field] = kept
    return found


def _remember_spec(path: Path, raw: dict[str, Any]) -> None:
    known, now = _fingerprints(path), fingerprint(raw)
    if now in known:
        return
    write_private(path, ("\n".join([*known, now][-MOST_SPECS:]) + "\n").encode())


def _fingerprints(path: Path) -> list[str]:
    try:
        return read_private(path).decode().split()
    except (OSError, ValueError):
        return []


def _path(state_dir: Path, server: str, namespace: str, name: str) -> Path:
    where = hashlib.sha256(server.encode()).hexdigest()[:12]
    return state_dir / "seen" / where / f"{namespace}.{name}.json"
