"""An interpreter that waits, warm, and is forked for each program (run by warm_python.py).

`python -I -S -B -u warm_interpreter.py FD`: on the socket FD come requests; each is a length, five
file descriptors (stdin, stdout, stderr, the broker's socket, one for news) and that many bytes of
JSON. The news are the process id, and later its exit status. Only the standard library is used.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
from typing import Any

# What the bindings and flux/remote_program.py import: that is what takes the time.
for module in ("base64", "builtins", "collections.abc", "errno", "re", "shutil",
               "subprocess", "tempfile", "time", "types", "zlib"):  # fmt: skip
    importlib.import_module(module)

LENGTH = struct.Struct("!I")
DESCRIPTORS = 5


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next request and its descriptors; None when nobody asks any more."""
    head, descriptors, _, _ = socket.recv_fds(control, LENGTH.size, DESCRIPTORS)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = b""
    while len(body) < length:
        part = control.recv(length - len(body))
        if not part:
            return None
        body += part
    return json.loads(body), descriptors


def reap(news: dict[int, int]) -> None:
    """Tell how forks ended."""
    while news:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not process:
            return
        told = news.pop(process)
        with contextlib.suppress(OSError):  # nobody may want to know any more
            os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(told)


def become(request: dict[str, Any], descriptors: list[int]) -> list[str]:
    """In a fork: take its place at the descriptors, and its environment."""
    *standard, broker, _ = descriptors
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.set_inheritable(broker, True)
    os.environ.clear()
    os.environ.update(request["environment"], FLUXSTATE_SIM_FD=str(broker))
    arguments: list[str] = request["arguments"]
    return arguments


def serve(number: int) -> list[str]:
    """Fork for every request. Returns the arguments, and only in the forks."""
    control = socket.socket(fileno=number)
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    os.chdir("/")
    news: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            reap(news)
        if control not in ready:
            continue
        found = receive(control)
        if found is None:
            sys.exit(0)
        request, descriptors = found
        process = os.fork()
        if not process:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for thing in (control, woken, wake):
                thing.close()
            for other in (*news.values(), descriptors[-1]):
                os.close(other)
            return become(request, descriptors)
        news[process] = descriptors.pop()
        with contextlib.suppress(OSError):  # who asked may have gone: the others need us
            os.write(news[process], b"%d\n" % process)
        for descriptor in descriptors:
            os.close(descriptor)


bindings, program, *sys.argv = serve(int(sys.argv[1]))
sys.path.insert(0, bindings)
exec(compile(program, sys.argv[0], "exec"), {"__name__": "__main__"})
