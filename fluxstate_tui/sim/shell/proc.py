"""What a process of a simulated container reads about itself in /proc/self."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxstate_tui.sim.files import OpenFile
    from fluxstate_tui.sim.shell.process import Process


_DESCRIPTOR = re.compile(r"/proc/self/fd/(\d+)")
_INFO = re.compile(r"/proc/self/fdinfo/(\d+)")


def descriptor(process: Process, path: str) -> OpenFile | None:
    """What `/proc/self/fd/N` leads to, None for other paths and for what is no file."""
    found = _DESCRIPTOR.fullmatch(path)
    return process.opened.get(int(found[1])) if found else None


def read_file(process: Process, path: str) -> bytes:
    """A file's content, those of /proc/self too. OSError as the kernel gives it."""
    if path == "/proc/self/mountinfo":
        return process.files.mountinfo()
    found = _INFO.fullmatch(path)
    if found and (opened := process.opened.get(int(found[1]))) is not None:
        return f"pos:\t0\nflags:\t0100000\nmnt_id:\t{opened.mount_id}\n".encode()
    return process.files.read(path)
