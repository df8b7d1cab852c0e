"""Private copies of archives that were looked into: read out once, verified, removed at the end."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fluxstate_tui.archive.verify import Verdict, verify

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogueEntry
    from fluxstate_tui.flux.files import RemoteFiles


class ArchiveCopies:
    """Copies by the archive's path, size and time: a version is never overwritten."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._verdicts: dict[tuple[str, str, int, float], Verdict] = {}

    def known(self, owner: str, entry: CatalogueEntry) -> Verdict | None:
        """The verdict on it, if it was read already."""
        return self._verdicts.get(_key(owner, entry))

    async def read(self, owner: str, entry: CatalogueEntry, files: RemoteFiles) -> Verdict:
        """Read it out (size and sha256 are compared with the pod's), then verify the copy."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="fluxstate-")
        copy = Path(self._folder.name) / f"{len(self._verdicts)}-{Path(entry.path).name}"
        with copy.open("xb") as target:
            async for chunk in files.read(entry.path):
                target.write(chunk)
        parts = entry.manifest.parts if entry.manifest is not None else ()
        expected = parts[0] if parts else None
        verdict = await asyncio.to_thread(verify, copy, expected=expected)
        self._verdicts[_key(owner, entry)] = verdict
        return verdict

    def close(self) -> None:
        """Remove the copies."""
        self._verdicts.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _key(owner: str, entry: CatalogueEntry) -> tuple[str, str, int, float]:
    return owner, entry.path, entry.size, entry.modified
