"""The key-value store."""

from __future__ import annotations

import base64
import json
from typing import Any

_PENDING: list[dict[str, Any]] = []


def get(handle: Any, key: str) -> Any:
    """A value, decoded from JSON. OSError ENOENT when there is none."""
    answer = handle.rpc("kvs.lookup", {"key": key, "namespace": "primary", "flags": 0}).get()
    return json.loads(base64.b64decode(answer["val"]["data"]))


def put(handle: Any, key: str, value: Any) -> None:
    """Set it with the next `commit`."""
    data = base64.b64encode(json.dumps(value).encode()).decode()
    entry = {"ver": 1, "type": "val", "data": data}
    _PENDING.append({"key": key, "flags": 0, "dirent": entry})


def delete(handle: Any, key: str) -> None:
    """Remove it with the next `commit`."""
    _PENDING.append({"key": key, "flags": 0, "dirent": None})


def commit(handle: Any, flags: int = 0) -> None:
    """Write what was put. FLUX_KVS_SYNC makes a checkpoint as well."""
    operations, _PENDING[:] = list(_PENDING), []
    payload = {"namespace": "primary", "flags": flags, "ops": operations}
    handle.rpc("kvs.commit", payload).get()
