"""What will not come back as it was, said before a restore."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.archive.reader import Archive


def warnings(archive: Archive, manifest: dict[str, Any]) -> tuple[str, ...]:
    """Lines of archive.preview for this size, in the order of their weight."""
    return ()
