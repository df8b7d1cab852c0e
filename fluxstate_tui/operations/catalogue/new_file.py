"""Files of this computer that never overwrite another one and are whole once they have a name.

Temporary name in the same folder, flush, name, flush the folder (facts/client.md, P1-P3). A flush
that fails is an error, and what was written is thrown away.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """What is written is `path` after the block, unless that raises: then nothing is there.

    Raises FileExistsError, without having touched it, when something has that name.
    """
    if path.exists() or path.is_symlink():
        raise FileExistsError(f"{path} exists")
    part = path.with_name(f".part-{secrets.token_hex(8)}")
    try:
        with part.open("xb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        _enter(part, path)
    finally:
        part.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """So that a name, or that it is gone, survives a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _enter(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here: take the name first, so that of two programs one fails.
        path.open("xb").close()
        try:
            part.replace(path)
        except BaseException:
            path.unlink()
            raise
    flush_folder(path.parent)
