"""The manifest that lies beside a local archive, as in a catalogue."""

from __future__ import annotations

import re
from pathlib import Path

from fluxstate_tui.archive.catalogue import MANIFEST_SUFFIX, id_of
from fluxstate_tui.archive.manifest import ManifestError, Part, from_bytes

_OURS = re.compile(r"[0-9]{8}-[0-9]{6}-", re.ASCII)


def expected_part(archive: Path) -> Part | None:
    """Size and checksum that the manifest beside it names, None without a manifest.

    Raises OSError or ManifestError (a ValueError) when there is one that cannot be read.
    """
    name = id_of(archive.name)
    beside = archive.with_name(name + MANIFEST_SUFFIX)
    if not name or not beside.is_file():
        return None
    try:
        parts = from_bytes(beside.read_bytes()).parts
    except ManifestError:
        if _OURS.match(name):
            raise
        return None  # such as what `flux jobs --json` wrote beside what `flux dump` did
    return next((part for part in parts if part.file == archive.name), None)
