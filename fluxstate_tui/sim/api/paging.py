"""Lists in pages: `limit` and `continue`, with snapshots that expire as etcd's do."""

from __future__ import annotations

import base64
import json
from collections import OrderedDict

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.json_types import JsonObject

_KEPT_SNAPSHOTS = 50


def encode_token(version: int, start: str) -> str:
    """A continue token as the API server encodes it."""
    token = {"v": "meta.k8s.io/v1", "rv": version, "start": start}
    text = json.dumps(token, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode().rstrip("=")


def decode_token(token: str) -> tuple[int, str]:
    """Version and last key of a token. Raises ApiError 400."""
    try:
        decoded = json.loads(base64.b64decode(token + "=" * (-len(token) % 4)))
        return int(decoded["rv"]), str(decoded["start"])
    except (ValueError, KeyError, TypeError):
        raise errors.bad_request("continue key is not valid") from None


class Pages:
    """Snapshots of lists that are being read page by page."""

    def __init__(self) -> None:
        self._snapshots: OrderedDict[tuple[str, int], list[JsonObject]] = OrderedDict()

    def forget(self) -> None:
        """Compaction: every token handed out so far is too old."""
        self._snapshots.clear()

    def page(
        self, key: str, items: list[JsonObject], version: int, limit: int, token: str
    ) -> tuple[list[JsonObject], JsonObject]:
        """One page and its list metadata. Raises ApiError 410 for a token that expired."""
        start = ""
        if token:
            version_of_token, start = decode_token(token)
            if version_of_token >= 0:
                snapshot = self._snapshots.get((key, version_of_token))
                if snapshot is None:
                    raise errors.expired_continue(encode_token(-1, start))
                items, version = snapshot, version_of_token
        rest = [item for item in items if _key(item) > start]
        metadata: JsonObject = {"resourceVersion": str(version)}
        if limit <= 0 or len(rest) <= limit:
            return rest, metadata
        self._snapshots[(key, version)] = items
        while len(self._snapshots) > _KEPT_SNAPSHOTS:
            self._snapshots.popitem(last=False)
        metadata["continue"] = encode_token(version, _key(rest[limit - 1]))
        metadata["remainingItemCount"] = len(rest) - limit
        return rest[:limit], metadata


def _key(item: JsonObject) -> str:
    metadata = item["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}\x00"
