"""What a process inside the simulated container sees of files, programs and the time.

The program runs on the user's own computer; its paths mean the container's. So `open`, `os.open`,
`os.stat`, the clock, and `flux` as a child process lead to the simulation once a handle is open.
"""

from __future__ import annotations

import base64
import builtins
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from .wire import Message, check, wire

_real_open = builtins.open
_real_os_open = os.open
_real_stat = os.stat
_real_popen = subprocess.Popen
_FOLDER = tempfile.gettempdir()
_COUNT: list[None] = []
_OWN = ("/dev/", "/proc/", sys.prefix, sys.base_prefix, os.path.dirname(__file__))


def use_clock(now: Callable[[], float]) -> None:
    """From now on time and paths are the container's."""
    if time.time is now:
        return
    time.time = now
    builtins.open = _open
    os.open = _os_open
    os.stat = _stat
    shutil.which = _which  # type: ignore[assignment]
    subprocess.Popen = _popen  # type: ignore[assignment,misc]


def _inside(path: Any) -> bool:
    return isinstance(path, str) and path.startswith("/") and not path.startswith(_OWN)


def _open(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
    """Reading is all that programs do with the container's files here."""
    if not _inside(file):
        return _real_open(file, mode, *args, **options)
    if set(mode) & set("wax+"):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), file)
    answer = wire().call({"do": "file.read", "path": file})["ok"]
    descriptor = _nameless_file()
    os.write(descriptor, base64.b64decode(answer["data"]))
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.utime(descriptor, (answer["mtime"], answer["mtime"]))
    return _real_open(descriptor, mode, *args, **options)


def _nameless_file() -> int:
    """A real file for a copy of a simulated one, so that it can be read and asked for its times."""
    _COUNT.append(None)
    name = os.path.join(_FOLDER, f"fluxstate-{os.getpid()}-{len(_COUNT)}")
    descriptor = _real_os_open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(name)
    return descriptor


def _os_open(path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
    if not _inside(path):
        return _real_os_open(path, flags, mode, **options)
    if flags & os.O_CREAT:
        exclusive = bool(flags & os.O_EXCL)
        wire().call({"do": "file.create", "path": path, "exclusive": exclusive})
    else:
        wire().call({"do": "file.stat", "path": path})
    return _real_os_open(os.devnull, flags & ~(os.O_CREAT | os.O_EXCL))


def _stat(path: Any, **options: Any) -> os.stat_result:
    if not _inside(path):
        return _real_stat(path, **options)
    found = wire().call({"do": "file.stat", "path": path})["ok"]
    stamp = int(found["mtime"])
    return os.stat_result(
        (found["mode"], found["inode"], 0, found["links"], 0, 0, found["size"], stamp, stamp, stamp)
    )


def _which(command: str, *_args: Any, **_options: Any) -> str | None:
    return command if command == "flux" else None


class _Child:
    """A program that runs in the container.

    Of its standard error, or of both outputs together (stderr=STDOUT), there is a pipe.
    """

    def __init__(self, argv: list[str], *, both: bool) -> None:
        reading, self._writing = os.pipe()
        pipe = _real_open(reading, "rb", buffering=0)
        self.stdout = pipe if both else None
        self.stderr = None if both else pipe
        self.stdin = None
        self.returncode: int | None = None
        self._number = wire().send({"do": "run", "argv": argv, "both": both}, self._take)

    def _take(self, message: Message) -> None:
        if message.get("more"):
            os.write(self._writing, base64.b64decode(message["ok"]["data"]))
            return
        try:
            self.returncode = int(check(message)["ok"]["code"])
        except OSError:
            self.returncode = -9
        os.close(self._writing)

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended."""
        while self.returncode is None:
            wire().read()
        return self.returncode

    def kill(self) -> None:
        """End it."""
        if self.returncode is None:
            wire().send({"do": "kill", "run": self._number}, None)

    terminate = kill


def _popen(argv: Any, *_args: Any, **options: Any) -> Any:
    if not isinstance(argv, list):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(argv))
    return _Child(argv, both=options.get("stderr") == subprocess.STDOUT)
