"""The manifest beside every archive in a catalogue: what it holds and how that is known."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import msgspec

# The newest form that can be read. A newer version adds fields, which are kept, without another
# number; it takes another one only when what is here would be misunderstood.
FORMAT = 1

_LATEST = 253402300800.0  # the year 10000: later, no calendar of Python can say when it is

DUMPED = "flux dump"  # how most manifests' `came_from` begins


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a saved state. Today always the queue's archive; storage will add parts."""

    kind: str
    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A saved state. Times are seconds since the epoch, by the clock of who wrote it.

    `counts` is jobs by status (`COMPLETED`, `SCHED`, ...). `verified` is the highest level that
    was reached when it was saved: L0 size, L1 sha256, L2 structure and counts, L3 opened by Flux.
    `idle` says that the queue was stopped and idle when it was dumped.
    """

    id: str
    minicluster: str
    namespace: str
    uid: str
    size: int
    created: float
    created_by: str
    core_version: str
    counts: dict[str, int]
    verified: str
    idle: bool
    came_from: str = ""
    parts: tuple[Part, ...] = ()
    format: int = FORMAT
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """What its queue, or the file, came from; '' for a queue that began empty."""
        return self.came_from.removeprefix(DUMPED).removeprefix("; ")


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One archive that was found. `manifest` is None for a file that others made by `flux dump`."""

    id: str
    path: str
    size: int
    modified: float
    manifest: Manifest | None
    problem: str = ""


class ManifestError(ValueError):
    """The bytes are not an intact manifest."""


def to_bytes(manifest: Manifest) -> bytes:
    """The manifest as readable JSON. Its last line is a checksum of all bytes before it."""
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False)
    head = text.encode(errors="backslashreplace")  # names of files need not be UTF-8
    head = head.removesuffix(b"\n}") + b",\n"
    return head + _checksum_line(head)


def from_bytes(data: bytes) -> Manifest:
    """Read it back. Any changed byte raises ManifestError.

    Fields that a newer version added are kept in `extra`, as JSON text if they are not text.
    """
    head, line = _split(data)
    if line != _checksum_line(head):
        raise ManifestError("the manifest's checksum does not fit: it is damaged or was edited")
    try:
        value = json.loads(data)
        del value["checksum"]
        newer = int(value.get("format", FORMAT)) > FORMAT
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError(f"the manifest cannot be read ({error})") from error
    if newer:
        raise ManifestError(
            f"its manifest has format {value['format']} of a newer fluxstate-tui; this one knows "
            f"{FORMAT}"
        )
    try:
        return _manifest(value)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError(f"the manifest cannot be read ({error})") from error


def _checksum_line(head: bytes) -> bytes:
    return b'  "checksum": "sha256:%b"\n}\n' % hashlib.sha256(head).hexdigest().encode()


def _split(data: bytes) -> tuple[bytes, bytes]:
    at = data.rfind(b'  "checksum": ')
    if at < 0:
        raise ManifestError("the manifest has no checksum: it is cut off, or no manifest")
    return data[:at], data[at:]


def _manifest(value: dict[str, Any]) -> Manifest:
    """Every field has the type that it should have: others write into shared volumes, too."""
    extra = {str(key): str(text) for key, text in value.pop("extra").items()}
    known = {field.name for field in fields(Manifest)}
    for key in [key for key in value if key not in known]:
        newer = value.pop(key)
        extra[key] = newer if isinstance(newer, str) else json.dumps(newer)
    manifest = msgspec.convert({**value, "extra": extra}, Manifest)
    if not 0 <= manifest.created < _LATEST:
        raise ValueError(f"{manifest.created} is no time")
    return manifest
