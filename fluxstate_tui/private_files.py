"""Files of this user alone: the state directory, and archives, which hold jobs' environments.

Whatever the umask is, folders are 0700 and files 0600. No link is followed below the folder that
the user named, and nothing is believed that another user owns. What is there for a moment only is
made here, too: what a killed program left goes when the next one is made in the same folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NotOursError(PermissionError):
    """Another user owns it or may write to it, or it is a link."""


def private_folder(root: Path, *names: str) -> Path:
    """`root/name/...`, made where it is missing. Raises OSError, NotOursError where it is not ours.

    `root` is what the user named: it may be a link, and an existing one keeps its mode, but others
    must not be able to write to it.
    """
    _make_all(root)
    _require_ours(root, _OTHERS_WRITE, os.O_DIRECTORY)
    path = root
    for name in names:
        path = path / name
        if not os.path.lexists(path):
            _make(path)
        descriptor = _open_ours(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if os.fstat(descriptor).st_mode & _OTHERS:
                os.fchmod(descriptor, 0o700)
        finally:
            os.close(descriptor)
    return path


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a regular file of ours. Raises OSError, NotOursError where it is not ours."""
    descriptor = _open_ours(path, flags)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise NotOursError(f"{path} is no regular file")
        created = flags & os.O_CREAT and stat.S_IMODE(state.st_mode) != 0o600
        if created or state.st_mode & _OTHERS:
            os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_private(path: Path, data: bytes) -> None:
    """The whole file or nothing. Raises OSError."""
    with temporary_file(path.parent) as (part, file):
        file.write(data)
        file.flush()
        part.replace(path)


def read_private(path: Path) -> bytes:
    """All of a file of ours. Raises OSError, NotOursError where it is not ours."""
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        return file.read()


# What is there for a moment only. Its program holds a lock on it (flock), which ends with the
# program, however that ends. A folder may be another computer's too, whose locks cannot be seen
# everywhere: so names begin with whose they are.

OLD_SECONDS = 6 * 3600.0
_OLD_NAMES = re.compile(r"(fetch-\w+\.part|verify-.+)", re.ASCII)
"""What version 0.1.0 left in its state directory, without a lock."""


@contextlib.contextmanager
def temporary_file(folder: Path, suffix: str = "") -> Iterator[tuple[Path, IO[bytes]]]:
    """A new private file, open to be written and read, gone after the block. Raises OSError."""
    remove_leftovers(folder)
    while True:
        path = folder / f"{_prefix()}{secrets.token_hex(8)}{suffix}"
        with open(path, "x+b", opener=lambda name, flags: open_private(Path(name), flags)) as file:
            if not _hold(file.fileno()):
                continue  # somebody took it for a leftover before it was locked
            try:
                yield path, file
            finally:
                path.unlink(missing_ok=True)
            return


@contextlib.contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """A new private folder, gone with all that is in it after the block. Raises OSError."""
    remove_leftovers(folder)
    while True:
        path = folder / f"{_prefix()}{secrets.token_hex(8)}"
        _make(path)
        descriptor = _open_ours(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if not _hold(descriptor):
                continue
            try:
                yield path
            finally:
                shutil.rmtree(path, ignore_errors=True)
            return
        finally:
            os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed programs of this user left there; never what a living one holds."""
    try:
        found = [Path(item.path) for item in os.scandir(folder)]
    except OSError:
        return
    for path in found:
        with contextlib.suppress(OSError):  # another program is at it as well
            if path.name.startswith(_prefix()):
                _remove_if_left(path)
            elif _OLD_NAMES.fullmatch(path.name) and _is_old(path):
                path.unlink()


def _remove_if_left(path: Path) -> None:
    descriptor = _open_ours(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def _hold(descriptor: int) -> bool:
    """Lock what was made; False if it is gone by then. Where there are no locks none removes it."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return os.fstat(descriptor).st_nlink > 0


def _is_old(path: Path) -> bool:
    state = path.lstat()
    ours = stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid()
    return ours and state.st_mtime < time.time() - OLD_SECONDS


@functools.cache
def _prefix() -> str:
    """Hidden, so that no catalog takes it for an archive."""
    return f".fluxstate-{hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:8]}-"


def _make_all(path: Path) -> None:
    if not os.path.lexists(path):
        _make_all(path.parent)
        _make(path)


def _make(path: Path) -> None:
    try:
        path.mkdir(0o700)
    except FileExistsError:
        return  # by another program of ours, in the same moment
    path.chmod(0o700)  # the umask may have taken away our own rights


def _open_ours(path: Path, flags: int) -> int:
    if path.is_symlink():
        raise NotOursError(f"{path} is a link")
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if os.fstat(descriptor).st_uid != os.geteuid():
        os.close(descriptor)
        raise NotOursError(f"{path} belongs to another user")
    return descriptor


def _require_ours(path: Path, refused: int, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | flags | os.O_CLOEXEC)
    try:
        state = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if state.st_uid != os.geteuid():
        raise NotOursError(f"{path} belongs to another user")
    if state.st_mode & refused:
        raise NotOursError(f"others may write to {path}: chmod go-w {path}")
