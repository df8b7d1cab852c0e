"""Redirections: `< > >> 2>&1`, here-documents, /dev/null, and `set -C`."""

from __future__ import annotations

import errno
import os
import posixpath
import stat

from fluxstate_tui.sim.shell.proc import read_file
from fluxstate_tui.sim.shell.process import Process
from fluxstate_tui.sim.shell.streams import BytesReader, CallWriter, NullWriter
from fluxstate_tui.sim.shell.syntax import Redirection

NULL = "/dev/null"


def redirect(
    process: Process, redirection: Redirection, target: str, cwd: str, *, only_new: bool = False
) -> None:
    """Change one stream of a process that is going to run. OSError when the file cannot be had.

    With `only_new` (`set -C`) a `>` makes a file and follows no link.
    """
    process.cwd = cwd
    if redirection.op == "<<":
        process.stdin = BytesReader(target.encode())
    elif redirection.op == "<":
        process.opened.pop(0, None)
        process.stdin = BytesReader(_open_to_read(process, target))
    elif redirection.op in (">&", "<&"):
        _duplicate(process, redirection.fd, target)
    else:
        append = redirection.op == ">>"
        writer = _open(process, redirection.fd, target, append=append, only_new=only_new)
        if redirection.fd > 2:
            process.writers[redirection.fd] = writer
        elif redirection.fd == 2:
            process.stderr = writer
        else:
            process.stdout = writer


def _open_to_read(process: Process, target: str) -> bytes:
    if target == NULL:
        return b""
    path = process.path(target)
    if path.startswith("/proc/self/"):
        return read_file(process, path)
    opened = process.opened[0] = process.files.open(path)
    return b"" if opened.node.is_dir else bytes(opened.node.data)


def _open(
    process: Process, fd: int, target: str, *, append: bool, only_new: bool
) -> CallWriter | NullWriter:
    if target == NULL:
        return NullWriter()
    path = process.path(target)
    if not append and only_new and _taken(process, path):
        raise OSError(errno.EEXIST, "cannot overwrite existing file")
    place = path if process.files.exists(path) else posixpath.dirname(path)
    if process.files.exists(place) and not process.may(place, "w"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if place != path:
        process.files.truncate(path)
        process.files.chown(path, process.uid)
    elif not append:
        process.files.truncate(path)
    append_to = process.files.open_append(path)
    process.opened[fd] = process.files.open(path)
    return CallWriter(append_to)


def _taken(process: Process, path: str) -> bool:
    try:
        mode = process.files.stat(path, follow=False).mode
    except FileNotFoundError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _duplicate(process: Process, fd: int, target: str) -> None:
    if target == "-":
        if fd == 0:
            process.stdin = BytesReader()
        elif fd == 1:
            process.stdout = NullWriter()
        else:
            process.stderr = NullWriter()
    elif target.isdigit() and int(target) > 2:
        if int(target) not in process.writers:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        process.stdout = process.writers[int(target)]
    elif fd == 2 and target == "1":
        process.stderr = process.stdout
    elif fd == 1 and target == "2":
        process.stdout = process.stderr
