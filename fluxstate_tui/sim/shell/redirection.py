"""Redirections: `< > >> 2>&1`, here-documents, /dev/null."""

from __future__ import annotations

import errno
import os
import posixpath

from fluxstate_tui.sim.shell.process import Process
from fluxstate_tui.sim.shell.streams import BytesReader, CallWriter, NullWriter
from fluxstate_tui.sim.shell.syntax import Redirection

NULL = "/dev/null"


def redirect(process: Process, redirection: Redirection, target: str, cwd: str) -> None:
    """Change one stream of a process that is going to run. OSError when the file cannot be had."""
    process.cwd = cwd
    if redirection.op == "<<":
        process.stdin = BytesReader(target.encode())
    elif redirection.op == "<":
        data = b"" if target == NULL else process.files.read(process.path(target))
        process.stdin = BytesReader(data)
    elif redirection.op in (">&", "<&"):
        _duplicate(process, redirection.fd, target)
    else:
        writer = _open(process, target, append=redirection.op == ">>")
        if redirection.fd == 2:
            process.stderr = writer
        else:
            process.stdout = writer


def _open(process: Process, target: str, *, append: bool) -> CallWriter | NullWriter:
    if target == NULL:
        return NullWriter()
    path = process.path(target)
    place = path if process.files.exists(path) else posixpath.dirname(path)
    if process.files.exists(place) and not process.may(place, "w"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if place != path:
        process.files.truncate(path)
        process.files.chown(path, process.uid)
    elif not append:
        process.files.truncate(path)
    return CallWriter(process.files.open_append(path))


def _duplicate(process: Process, fd: int, target: str) -> None:
    if target == "-":
        if fd == 0:
            process.stdin = BytesReader()
        elif fd == 1:
            process.stdout = NullWriter()
        else:
            process.stderr = NullWriter()
    elif fd == 2 and target == "1":
        process.stderr = process.stdout
    elif fd == 1 and target == "2":
        process.stdout = process.stderr
