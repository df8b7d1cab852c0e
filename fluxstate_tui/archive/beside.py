"""The manifest that lies beside a local archive, as in a catalogue."""

from __future__ import annotations

from pathlib import Path

from fluxstate_tui.archive.catalogue import MANIFEST_SUFFIX, id_of
from fluxstate_tui.archive.manifest import Part, from_bytes


def expected_part(archive: Path) -> Part | None:
    """Size and checksum that the manifest beside it names, None without a manifest.

    Raises OSError or ManifestError (a ValueError) when there is one that cannot be read.
    """
    name = id_of(archive.name)
    beside = archive.with_name(name + MANIFEST_SUFFIX)
    if not name or not beside.is_file():
        return None
    parts = from_bytes(beside.read_bytes()).parts
    return next((part for part in parts if part.file == archive.name), None)
