"""Armed is a moment: the copy at `spec.archive.path` exists only while a restore needs it.

A copy, never a link: people dump to that path by hand, and `flux dump` opens (truncates) what is
there, which through a link would be the version in the catalog.
"""

from __future__ import annotations

import posixpath
import secrets
from enum import Enum
from typing import TYPE_CHECKING

from fluxstate_tui.archive.manifest import archive_name, folder_of, new_id
from fluxstate_tui.broker.files import RemoteFileDamaged, RemoteFileElsewhere
from fluxstate_tui.catalog.catalog import Version, is_there
from fluxstate_tui.catalog.transfer import has, require_room
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.operations.base import LeftBehind, OperationKind

if TYPE_CHECKING:
    from fluxstate_tui.broker.files import RemoteFiles
    from fluxstate_tui.minicluster.minicluster import MiniCluster


async def arm(files: RemoteFiles, version: Version, archive_path: str, name: str) -> str:
    """Copy a version to `archive_path` and verify it there; returns the read-back.

    What lay there before is entered into the catalog, never overwritten.
    Raises FluxstateError (exit 6) when the copy reads back differently.
    """
    said = ""
    if await is_there(files, archive_path):
        found = await files.stat(archive_path)
        if (found.size, found.sha256) == (version.size, version.sha256):
            return f"{archive_path} is that archive already"
        adopted = await adopt(files, archive_path, name)
        said = f"what lay there is kept as {posixpath.basename(adopted)}; "
    suffix = _suffix(version.path)
    folder = posixpath.dirname(archive_path)
    await require_room(files, folder, version.size)
    temporary = posixpath.join(folder, f".part-{secrets.token_hex(6)}{suffix}")
    try:
        await _copy(files, version.path, temporary, (version.size, version.sha256))
        await files.link_new(temporary, archive_path)
    finally:
        await files.remove(temporary)
    armed = await files.stat(archive_path)
    if (armed.size, armed.sha256) != (version.size, version.sha256):
        raise exchanged(archive_path)
    return f"{said}{archive_path}: {armed.size:,} bytes, sha256 {armed.sha256[:12]}"


class ArmedState(Enum):
    """What lies at `spec.archive.path` of what was armed there."""

    WHOLE = "whole"
    EXCHANGED = "exchanged"
    GONE = "gone"
    ELSEWHERE = "elsewhere"  # the volume is not the one on which it was armed


async def look_armed(files: RemoteFiles, version: Version, archive_path: str) -> ArmedState:
    """Read it back. `version` is its original in the catalog, on the same volume."""
    try:
        if await has(files, version, archive_path):
            return ArmedState.WHOLE
        if await is_there(files, archive_path):
            return ArmedState.EXCHANGED
        there = await has(files, version, version.path)
    except (RemoteFileElsewhere, RemoteFileDamaged):
        return ArmedState.EXCHANGED
    return ArmedState.GONE if there else ArmedState.ELSEWHERE


def exchanged(archive_path: str) -> FluxstateError:
    """Before a lead could read it."""
    return FluxstateError(
        f"at {archive_path} is not the archive that was armed: somebody exchanged or removed it",
        safe="Nothing was created, and the archive in the catalog is untouched.",
        advice="Look who can write to the volume, every job included; then restore again.",
        exit_code=ExitCode.VERIFICATION,
    )


async def disarm_original(files: RemoteFiles, version: Version, archive_path: str) -> str:
    """Remove the armed copy of `version`, which must lie in the catalog of the same volume.

    Raises FluxstateError when the volume is not the one on which it was armed: that nothing lies
    at the path says nothing then.
    """
    if await look_armed(files, version, archive_path) is ArmedState.ELSEWHERE:
        raise another_volume(files, version, archive_path)
    return await disarm(files, archive_path, version.sha256)


def another_volume(files: RemoteFiles, version: Version, archive_path: str) -> FluxstateError:
    """`files` see a volume that cannot be the one on which it was armed."""
    where = files.mount_of(archive_path) or "what is mounted"
    return FluxstateError(
        f"it could not be looked where it was armed: {where} holds neither it nor {version.path}, "
        "so it is another volume, or both are gone",
        safe="Nothing was removed.",
        exit_code=ExitCode.VERIFICATION,
    )


async def disarm(files: RemoteFiles, archive_path: str, sha256: str = "") -> str:
    """Remove the armed copy; returns the read-back. With `sha256`, only that very content.

    Another file at that path is somebody else's: it is left and FluxstateError raised.
    """
    if not await is_there(files, archive_path):
        return f"nothing lies at {archive_path}"
    found = await files.stat(archive_path)
    if sha256 and found.sha256 != sha256:
        raise FluxstateError(
            f"another file lies at {archive_path} now",
            safe="It was left there.",
            advice="Whoever put it there has armed the MiniCluster again; disarm it by hand.",
        )
    await files.remove(archive_path)
    if await is_there(files, archive_path):
        raise FluxstateError(f"{archive_path} is still there")
    return f"{archive_path} is gone"


async def adopt(files: RemoteFiles, archive_path: str, name: str) -> str:
    """Move a file that others left at `archive_path` into the catalog; returns its new path."""
    kept = await keep_copy(files, archive_path, folder_of(archive_path), name)
    await files.remove(archive_path)
    return kept


async def keep_copy(files: RemoteFiles, path: str, folder: str, name: str) -> str:
    """Copy a file into the catalog under a new id of its own time; returns its new path."""
    await files.mkdir(folder)
    stat = await files.stat(path)
    suffix = _suffix(path)
    temporary = posixpath.join(folder, f".part-{secrets.token_hex(6)}{suffix}")
    try:
        await _copy(files, path, temporary, (stat.size, stat.sha256))
        taken = {item.name for item in await files.list(folder)}
        while True:
            identity = new_id(stat.mtime, name, taken)
            target = posixpath.join(folder, identity + suffix)
            try:
                await files.link_new(temporary, target)
            except FileExistsError:
                taken |= {posixpath.basename(target), archive_name(identity)}
            else:
                return target
    finally:
        await files.remove(temporary)


async def _copy(files: RemoteFiles, source: str, target: str, wanted: tuple[int, str]) -> None:
    """Copy it; raises FluxstateError (exit 6) unless size and sha256 read back as `wanted`."""
    await files.copy(source, target)
    copied = await files.stat(target)
    if (copied.size, copied.sha256) != wanted:
        raise FluxstateError(
            f"the copy of {source} reads back differently",
            safe="The file itself is untouched.",
            exit_code=ExitCode.VERIFICATION,
        )


def _suffix(path: str) -> str:
    name = posixpath.basename(path)
    for suffix in (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar", ".zip"):
        if name.endswith(suffix):
            return suffix
    return posixpath.splitext(name)[1]


def still_armed(minicluster: MiniCluster) -> LeftBehind:
    """What an operation left that armed an archive and was cut off before it took it away."""
    says = f"An archive is still armed at {minicluster.archive_path}."
    return LeftBehind(says, OperationKind.DISARM)
