"""Files of this user alone: the state directory, and archives, which hold jobs' environments.

Whatever the umask is, folders are 0700 and files 0600. No link is followed below the folder that
the user named, and nothing is believed that another user owns.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

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
    part = path.with_name(f".part-{secrets.token_hex(8)}")
    try:
        with os.fdopen(open_private(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_private(path: Path) -> bytes:
    """All of a file of ours. Raises OSError, NotOursError where it is not ours."""
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        return file.read()


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
