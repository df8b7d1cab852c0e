"""The key value store: read a value, write one, and make a checkpoint (RFC 11 tree objects).

A checkpoint is what a broker falls back to that dies without a clean shutdown. A commit with the
sync flag writes one, also a commit without any change (flux-core 0.88, tried).
"""

import base64
import errno
import json
from typing import Any, Dict, List

from fluxstate_tui.flux.remote.request import Request

SYNC = 4  # FLUX_KVS_SYNC: flush to the backing store, then checkpoint


def commit(request: Request, ops: List[Dict[str, Any]]) -> None:
    """Commit and checkpoint; `synced` is read back: the checkpoint has our commit."""

    def committed(root: Dict[str, Any]) -> None:
        def looked_up(answer: Dict[str, Any]) -> None:
            found = answer["value"]
            newest = found[0] if isinstance(found, list) else found  # a list since 0.7x
            synced = newest["rootref"] == root["rootref"]
            if "sequence" in newest:  # others may have committed since
                synced = newest["sequence"] >= root["rootseq"]
            request.reply({"root": root, "checkpoint": newest, "synced": synced})

        request.ask("content.checkpoint-get", None, looked_up)

    payload = {"namespace": "primary", "flags": SYNC, "ops": ops}
    request.ask("kvs.commit", payload, committed)


def state(request: Request) -> None:
    """Reply the root, the newest checkpoint (None without one), and whether it has that root.

    Every change makes a root with another `rootref`; a checkpoint of the same one has it all.
    """

    def rooted(root: Dict[str, Any]) -> None:
        def found(answer: Dict[str, Any]) -> None:
            value = answer["value"]
            newest = value[0] if isinstance(value, list) else value
            fresh = newest["rootref"] == root["rootref"]
            request.reply({"root": root, "checkpoint": newest, "fresh": fresh})

        def missing(error: Any) -> None:
            if error.errno != errno.ENOENT:
                request.fail(error)
            else:
                request.reply({"root": root, "checkpoint": None, "fresh": False})

        request.ask("content.checkpoint-get", None, found, missing)

    request.ask("kvs.getroot", {"namespace": "primary", "flags": 0}, rooted)


def sync(request: Request) -> None:
    """Make a checkpoint of what is."""
    commit(request, [])


def put(request: Request) -> None:
    """Set `key` to `value` (any JSON), and checkpoint."""
    data = base64.b64encode(json.dumps(request.args["value"]).encode("utf-8")).decode("ascii")
    value = {"ver": 1, "type": "val", "data": data}
    commit(request, [{"key": request.args["key"], "flags": 0, "dirent": value}])


def unlink(request: Request) -> None:
    """Remove `key` (it need not exist), and checkpoint."""
    commit(request, [{"key": request.args["key"], "flags": 0, "dirent": None}])


def get(request: Request) -> None:
    """Reply the text of a small value; ENOENT if there is none."""

    def found(answer: Dict[str, Any]) -> None:
        if answer["val"]["type"] != "val":
            raise ValueError("not a small value, but a %s" % answer["val"]["type"])
        text = base64.b64decode(answer["val"]["data"]).decode("utf-8")
        request.reply({"value": text})

    payload = {"key": request.args["key"], "namespace": "primary", "flags": 0}
    request.ask("kvs.lookup", payload, found)
