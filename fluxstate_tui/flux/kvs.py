"""The key value store over a session: values, and checkpoints (RFC 11 tree objects).

A checkpoint is what a broker falls back to that dies without a clean shutdown. A commit with the
sync flag writes one, also a commit without any change (flux-core 0.88, tried).
"""

from __future__ import annotations

import base64
import binascii
import errno
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.command import FluxFailed

if TYPE_CHECKING:
    from fluxstate_tui.flux.session import FluxSession

SYNC: Final = 4  # FLUX_KVS_SYNC: flush to the backing store, then checkpoint
_NEWEST: Final = "kvs-primary"  # checkpoints had keys once (0.66 refuses to go without: tried)


@dataclass(frozen=True, slots=True)
class KvsState:
    """The root (a blobref), and whether the newest checkpoint has all of it.

    `made` is when that was made, in seconds since the epoch by the broker's clock; None if there
    is none, or if it does not say (flux-core before 0.40).
    """

    root: str
    made: float | None
    fresh: bool


async def read_state(session: FluxSession) -> KvsState:
    """The root, and the newest checkpoint."""
    root = await session.rpc("kvs.getroot", {"namespace": "primary", "flags": 0})
    return await _with_checkpoint(session, root)


async def make_checkpoint(session: FluxSession) -> KvsState:
    """Make one. Raises FluxstateError if it does not read back."""
    return await _commit(session, [])


async def read_value(session: FluxSession, key: str) -> str | None:
    """The text of a small value, None if there is none. Raises ValueError for what is no text."""
    payload = {"key": key, "namespace": "primary", "flags": 0}
    try:
        found = (await session.rpc("kvs.lookup", payload))["val"]
    except FluxFailed as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    if found["type"] != "val":
        raise ValueError(f"'{key}' is no small value, but a {found['type']}")
    try:
        return base64.b64decode(found["data"]).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"'{key}' is no text: {error}") from None


async def write_value(session: FluxSession, key: str, value: Any) -> KvsState:
    """Set `key` to JSON data, and make a checkpoint. Raises FluxstateError as that does."""
    data = base64.b64encode(json.dumps(value).encode("utf-8")).decode("ascii")
    entry = {"ver": 1, "type": "val", "data": data}
    return await _commit(session, [{"key": key, "flags": 0, "dirent": entry}])


async def remove_value(session: FluxSession, key: str) -> KvsState:
    """Remove `key` (it need not exist), and make a checkpoint. Raises FluxstateError as that."""
    return await _commit(session, [{"key": key, "flags": 0, "dirent": None}])


async def _commit(session: FluxSession, ops: list[dict[str, Any]]) -> KvsState:
    payload = {"namespace": "primary", "flags": SYNC, "ops": ops}
    state = await _with_checkpoint(session, await session.rpc("kvs.commit", payload))
    if not state.fresh:
        raise FluxstateError("the KVS checkpoint does not read back")
    return state


async def _with_checkpoint(session: FluxSession, root: dict[str, Any]) -> KvsState:
    """Every change makes a root with another `rootref`; a later `sequence` has it too."""
    reference = str(root["rootref"])
    try:
        value = (await session.rpc("content.checkpoint-get", {"key": _NEWEST}))["value"]
    except FluxFailed as error:
        if error.errno == errno.ENOENT:
            return KvsState(reference, None, fresh=False)
        raise
    newest = value[0] if isinstance(value, list) else value  # a list since 0.7x
    later = newest.get("sequence", -1) >= root["rootseq"]
    made = newest.get("timestamp")
    return KvsState(
        reference,
        float(made) if isinstance(made, (int, float)) else None,
        fresh=later or newest["rootref"] == reference,
    )
