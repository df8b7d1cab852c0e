"""Private copies of archives that were looked into: read out once, verified, removed at the end."""

from __future__ import annotations

import itertools
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from fluxstate_tui.archive.progress import ReadingCancelledError
from fluxstate_tui.archive.verify import Verdict, verify
from fluxstate_tui.private_files import temporary_folder

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogEntry
    from fluxstate_tui.archive.progress import Reading
    from fluxstate_tui.broker.files import RemoteFiles


class ArchiveCopies:
    """Copies by the archive's path, size and time: a version is never overwritten."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._folder: Path | None = None
        self._verdicts: dict[tuple[str, str, int, float], Verdict] = {}
        self._numbers = itertools.count()

    def known(self, owner: str, entry: CatalogEntry) -> Verdict | None:
        """The verdict on it, if it was read already."""
        return self._verdicts.get(_key(owner, entry))

    async def read(
        self, owner: str, entry: CatalogEntry, files: RemoteFiles, reading: Reading
    ) -> Verdict:
        """Read it out (size and sha256 are compared with the pod's), then verify the copy."""
        if self._folder is None:
            root = Path(tempfile.gettempdir())
            self._folder = self._open.enter_context(temporary_folder(root))
        copy = self._folder / f"{next(self._numbers)}.part"
        reading.begin("fetching")
        with copy.open("xb") as target:
            async for chunk in files.read(entry.path):
                target.write(chunk)
                reading.progress(target.tell(), entry.size)
                if reading.stopped():
                    raise ReadingCancelledError("Fetching the archive was cancelled.")
        reading.begin("reading")
        parts = entry.manifest.parts if entry.manifest is not None else ()
        expected = parts[0] if parts else None
        verdict = await reading.in_thread(
            lambda: verify(
                copy,
                expected=expected,
                progress=reading.progress,
                cancelled=reading.stopped,
            )
        )
        self._verdicts[_key(owner, entry)] = verdict
        return verdict

    def close(self) -> None:
        """Remove the copies."""
        self._verdicts.clear()
        self._open.close()
        self._folder = None


def _key(owner: str, entry: CatalogEntry) -> tuple[str, str, int, float]:
    return owner, entry.path, entry.size, entry.modified
