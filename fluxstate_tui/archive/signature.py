"""Signatures of manifests: who has the namespace's key says so, and nobody changed it since.

The signature covers all that a manifest says as this format reads it: whose it is (namespace, name,
uid), its id, and the checksum of its archive. A newer version signs the same: what it adds is text
in `extra`, as older ones keep it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from fluxstate_tui.archive.manifest import Manifest, Signature

SHORTEST_KEY, LONGEST_KEY = 32, 1024  # bytes
_PURPOSE = b"fluxstate manifest, format 1\n"
_SIGNED = re.compile(r"hmac-sha256 ([-._A-Za-z0-9]{1,253}) ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One of those of a namespace; `id` is its name in the Secret."""

    id: str
    secret: bytes = field(repr=False)


def signed(manifest: Manifest, key: SigningKey | None) -> Manifest:
    """The same with a signature; without one if there is no key."""
    text = f"hmac-sha256 {key.id} {_mac(manifest, key)}" if key is not None else None
    return manifest.with_signature(text)


def check(manifest: Manifest, keys: Iterable[SigningKey]) -> Signature:
    """What its signature is worth to who has these keys: never OWN."""
    text = manifest.signature
    if text is None:
        return Signature.UNSIGNED
    match = _SIGNED.fullmatch(text)
    if match is None:
        return Signature.WRONG
    key = next((one for one in keys if one.id == match[1]), None)
    if key is None:
        return Signature.UNKNOWN_KEY
    right = hmac.compare_digest(match[2], _mac(manifest, key))
    return Signature.VALID if right else Signature.WRONG


def _mac(manifest: Manifest, key: SigningKey) -> str:
    bare = asdict(manifest.with_signature(None))
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"))
    return hmac.new(key.secret, _PURPOSE + text.encode(), hashlib.sha256).hexdigest()
