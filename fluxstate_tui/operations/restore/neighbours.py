"""MiniClusters that live beside a restore, and what it could do to them. Pure rules."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Any

from fluxstate_tui.operations.catalogue.place import archive_volume


def dangers(
    manifest: dict[str, Any], saved_from: str, waiting: int, living: Iterable[dict[str, Any]]
) -> tuple[str, ...]:
    """One line for each danger.

    `manifest` is what a restore creates; `saved_from` the name of the MiniCluster that the
    archive was saved from (it may have been restored under it meanwhile); `waiting` how many of
    its jobs are not over; `living` are the MiniClusters of the namespace as the API server has
    them.
    """
    place = _file(manifest["spec"])
    lines = []
    for other in living:
        metadata = other.get("metadata") or {}
        name = metadata.get("name", "")
        if waiting and name == saved_from:
            jobs = "1 job" if waiting == 1 else f"{waiting} jobs"
            lines.append(
                f"DANGER: {name}, whose queue was saved in it, lives: {jobs} may run in both."
            )
        if place is not None and _file(other.get("spec") or {}) == place:
            lines.append(
                f"DANGER: {name} reads the same archive.path: if its lead container restarts "
                "before this is disarmed, it loads this archive and throws its own queue away."
            )
    return tuple(lines)


def _file(spec: dict[str, Any]) -> tuple[str, str, str] | None:
    """The file behind `spec.archive.path`: kind and name of its volume, and the path in that."""
    volume = archive_volume(spec)
    if volume is None:
        return None
    path = posixpath.relpath(str(spec["archive"]["path"]), str(volume["path"]))
    for kind in ("claimName", "hostPath"):
        if volume.get(kind):
            return kind, str(volume[kind]), path
    return None
