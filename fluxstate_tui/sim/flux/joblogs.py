"""A job's guest namespace: its output, input and exec logs as the job shell writes them (0.88)."""

from __future__ import annotations

import base64
from typing import Any

from fluxstate_tui.flux.eventlog import Event, encode_line
from fluxstate_tui.flux.jobid import f58_ascii

MOST_OUTPUT = 10 << 20
"""What a job's output may have in the KVS: it is the memory of this computer."""


_LINE = 64  # bytes of an entry besides its text


class GuestLogs:
    """The three logs while a job runs. Lines are added in time order."""

    def __init__(self, *, mock: bool) -> None:
        self.mock = mock
        self.output: list[bytes] = []
        self._written = 0
        self.input: list[bytes] = []
        self.exec: list[bytes] = []

    def content(self) -> dict[str, bytes]:
        """The namespace as the KVS gets it. The mock executor writes no output."""
        logs = {"exec/eventlog": b"".join(self.exec)}
        if not self.mock:
            logs["input"] = b"".join(self.input)
            logs["output"] = b"".join(self.output)
        return logs

    def note(self, when: float, name: str, context: dict[str, Any] | None = None) -> None:
        """Add to the exec log."""
        self.exec.append(encode_line(Event(when, name, context or {})))

    def shell_starts(self, when: float, job_id: int, nnodes: int, ntasks: int) -> None:
        """The job shells come up: headers, shell.init, shell.start."""
        header = {"version": 1, "encoding": {"stdin": "UTF-8"}, "count": {"stdin": 1}}
        self.input.append(encode_line(Event(when - 0.004, "header", {**header, "options": {}})))
        context = {
            "version": 1,
            "encoding": {"stdout": "UTF-8", "stderr": "UTF-8"},
            "count": {"stdout": ntasks, "stderr": ntasks},
            "options": {},
        }
        self.output.append(encode_line(Event(when - 0.001, "header", context)))
        service = f"0-shell-{f58_ascii(job_id)}"
        self.note(when, "shell.init", {"service": service, "leader-rank": 0, "size": nnodes})

    def tasks_start(self, when: float, nnodes: int, ntasks: int) -> None:
        """All tasks are running."""
        taskmap = {"version": 1, "map": task_map(nnodes, ntasks)}
        self.note(when, "shell.start", {"taskmap": taskmap})

    def data(self, when: float, stream: str, rank: int, data: bytes) -> None:
        """What a task wrote, one event per line as line buffering gives it."""
        for piece in data.splitlines(keepends=True):
            if self._written > MOST_OUTPUT:
                return
            self._written += len(piece) + _LINE
            if self._written > MOST_OUTPUT:
                self.failure(
                    when, f"{stream} of rank {rank} is truncated: over {MOST_OUTPUT} bytes"
                )
                return
            context: dict[str, Any] = {"stream": stream, "rank": str(rank)}
            try:
                context["data"] = piece.decode()
            except UnicodeDecodeError:
                context["encoding"] = "base64"
                context["data"] = base64.b64encode(piece).decode()
            self.output.append(encode_line(Event(when, "data", context)))

    def eof(self, when: float, stream: str, rank: int) -> None:
        """A task closed a stream."""
        context = {"stream": stream, "rank": str(rank), "eof": True}
        self.output.append(encode_line(Event(when, "data", context)))

    def redirect(self, when: float, rank: int, path: str) -> None:
        """Output goes to a file instead."""
        for stream in ("stdout", "stderr"):
            context = {"stream": stream, "rank": str(rank), "path": path}
            self.output.append(encode_line(Event(when, "redirect", context)))

    def failure(self, when: float, message: str) -> None:
        """The shell could not start the program."""
        context = {
            "rank": 0, "level": 0, "message": message, "file": "shell.c", "line": 2036,
        }  # fmt: skip
        self.output.append(encode_line(Event(when, "log", context)))

    def task_exit(self, when: float, pid: int, code: int) -> None:
        """The first task is gone."""
        signal = code - 128 if 128 < code < 160 else 0
        context = {
            "localid": 0,
            "rank": 0,
            "state": "Exited",
            "pid": pid,
            "wait_status": signal or code << 8,
            "signaled": signal,
            "exitcode": code,
        }
        self.note(when, "shell.task-exit", context)

    def done(self, when: float, status: int) -> None:
        """The shells are gone."""
        self.note(when, "shell-exit", {"rank": 0, "wait_status": status})
        self.note(when + 0.00004, "complete", {"status": status})
        self.note(when + 0.0001, "done")


def task_map(nnodes: int, ntasks: int) -> list[list[int]]:
    """Tasks in blocks over nodes (RFC 34): [first node, nodes, tasks per node, repeat]."""
    each, rest = divmod(ntasks, max(1, nnodes))
    if not rest:
        return [[0, nnodes, each, 1]]
    blocks = [[0, rest, each + 1, 1]]
    return blocks + ([[rest, nnodes - rest, each, 1]] if each else [])
