"""Reading an archive out of a pod and parsing it: nothing is believed that was not read back."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fluxstate_tui.archive.reader import Archive, read_archive
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.operations.world.patience import BROKEN

if TYPE_CHECKING:
    from fluxstate_tui.flux.files import RemoteFiles

LEFTOVER_SECONDS = 6 * 3600.0  # what nobody has written to for so long, nobody will
_TRIES = 4
_PREFIX, _SUFFIX = "fetch-", ".part"
_TELL_EVERY = 4 * 1024 * 1024


async def _read(
    files: RemoteFiles, path: str, target: IO[bytes], tell: Callable[[int], None]
) -> None:
    """From the beginning, whatever was read before."""
    target.seek(0)
    target.truncate()
    done = told = 0
    async for chunk in files.read(path):
        target.write(chunk)
        done += len(chunk)
        if done - told >= _TELL_EVERY:
            told = done
            tell(done)
    target.flush()


@asynccontextmanager
async def fetch(
    files: RemoteFiles,
    path: str,
    state_dir: Path,
    tell: Callable[[str], None],
) -> AsyncIterator[Archive]:
    """Read it to a private temporary file, parse it, and compare the checksum with the pod's.

    Details of its jobs (output, jobspecs) can be read inside the block only.
    Raises FluxstateError (exit 6) when it reads back differently.
    """
    stat = await files.stat(path)
    await asyncio.to_thread(state_dir.mkdir, 0o700, True, True)
    with tempfile.NamedTemporaryFile(dir=state_dir, prefix=_PREFIX, suffix=_SUFFIX) as target:
        await asyncio.to_thread(_tidy, Path(target.name))
        for attempt in range(_TRIES):
            try:
                await _read(files, path, target, lambda done: tell(f"{done:,} of {stat.size:,}"))
                break
            except BROKEN as error:
                if attempt == _TRIES - 1:
                    raise
                tell(f"{error.message} Reading again.")
        archive = await asyncio.to_thread(read_archive, Path(target.name))
        if (archive.size, archive.sha256) != (stat.size, stat.sha256):
            raise FluxstateError(
                f"{path} was read out as {archive.size:,} bytes with another checksum",
                safe="The file in the pod is untouched.",
                advice="Somebody may be writing to it; try again.",
                exit_code=ExitCode.VERIFICATION,
            )
        yield archive


def _tidy(mine: Path) -> None:
    """Remove what killed programs left: archives hold the environments of jobs."""
    long_ago = mine.stat().st_mtime - LEFTOVER_SECONDS
    for path in mine.parent.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError):  # another program is tidying up as well
            if path.stat().st_mtime < long_ago:
                path.unlink()
