"""`flux dump` and checksums of files beside the broker, over a session."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fluxstate_tui.broker.commands import FluxFailed
from fluxstate_tui.broker.files import MISSING, STAT, TAKEN

if TYPE_CHECKING:
    from fluxstate_tui.broker.session import FluxSession


MAXREQS_SINCE: Final = (0, 81)
"""`flux dump --maxreqs`: 64 is twice as fast as the default (ARCHITECTURE.md#F14)."""
LONGEST: Final = 3600.0
_COUNT = re.compile(r"\r?flux-dump: archived (\d+) keys\n?")

# `flux dump` would truncate a file that is there (ARCHITECTURE.md#F3).
_DUMP = 'if [ -e "$1" ]; then exit 45; fi; shift; exec flux dump "$@"'


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A file's size in bytes, sha256, and modification time (seconds since the epoch)."""

    size: int
    sha256: str
    mtime: float


async def dump(session: FluxSession, path: str, progress: Callable[[int], None]) -> Fingerprint:
    """`flux dump` into a file that must not exist; `progress` gets the keys that are in it so far.

    Raises FluxFailed with flux-dump's own words, FileExistsError, and what `fingerprint` raises.
    """
    said: list[str] = []

    def listen(text: str) -> None:
        counts = _COUNT.findall(text)
        if counts:
            progress(int(counts[-1]))
        said.append(_COUNT.sub("", text))

    numbers = tuple(int(part) for part in re.findall(r"\d+", session.hello.version)[:2])
    options = ["--maxreqs=64"] if numbers >= MAXREQS_SINCE else []
    argv = ["/bin/sh", "-c", _DUMP, "sh", path, *options, path]
    code = await session.run(argv, listen, only_reads=False, timeout=LONGEST)
    words = "".join(said).strip()
    if code == TAKEN:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    if code != 0:
        raise FluxFailed("flux dump", words, code=code)
    return await fingerprint(session, path)


async def fingerprint(session: FluxSession, path: str) -> Fingerprint:
    """Of a file that the lead container sees. Raises FileNotFoundError, FluxFailed."""
    said: list[str] = []
    argv = ["/bin/sh", "-c", STAT, "sh", path]
    code = await session.run(argv, said.append, only_reads=True, timeout=LONGEST)
    words = "".join(said).split()
    if code == MISSING:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    if code != 0 or len(words) != 5 or words[:2] != words[3:]:
        raise FluxFailed(path, " ".join(words) or "it changes while it is read", code=code)
    return Fingerprint(int(words[0]), words[2], float(words[1]))
