"""The inside of one simulated container: its files, its programs, and the way to its broker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Protocol

from fluxstate_tui.sim.layout import Layout, layout_named
from fluxstate_tui.sim.shell.process import Process, run_program
from fluxstate_tui.sim.shell.programs import find_program
from fluxstate_tui.sim.shell.tty import Terminal

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.sim.files import Files
    from fluxstate_tui.sim.flux.instance import FluxInstance


DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CommandNotFound(Exception):  # noqa: N818  (named after what the runtime says)
    """The container has no such program: the runtime could not start it."""

    def __init__(self, command: str) -> None:
        super().__init__(f'exec: "{command}": executable file not found in $PATH')
        self.command = command


class ProcessIO(Protocol):
    """The streams of an exec, as the API server's side offers them."""

    async def read(self, size: int) -> bytes:
        """Up to `size` bytes of standard input; b"" at its end."""
        ...

    async def write_out(self, data: bytes) -> None:
        """Standard output."""
        ...

    async def write_err(self, data: bytes) -> None:
        """Standard error."""
        ...


@dataclass(slots=True)
class Collected:
    """A ProcessIO for callers that want the whole output: input given, output collected."""

    stdin: bytes = b""
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)

    async def read(self, size: int) -> bytes:
        """The next bytes of the input."""
        chunk, self.stdin = self.stdin[:size], self.stdin[size:]
        return chunk

    async def write_out(self, data: bytes) -> None:
        """Collect standard output."""
        self.stdout += data

    async def write_err(self, data: bytes) -> None:
        """Collect standard error."""
        self.stderr += data


@dataclass(slots=True)
class MachineFaults:
    """What tests switch on: seconds of delay before a program starts, and sudden death.

    `die_after_bytes`: the process is killed (exit 137) once it wrote that much.
    """

    delay: float = 0.0
    die_after_bytes: int | None = None


class Machine:
    """One container. `broker` gives the Flux instance that its socket leads to, or None.

    `rank` is the container's own broker rank; `python_bindings=False` takes `flux python`'s
    flux package away, as in images without Python.
    """

    def __init__(
        self,
        hostname: str,
        files: Files,
        clock: Clock,
        *,
        env: dict[str, str] | None = None,
        user: str = "root",
        uid: int = 0,
        layout: Layout | str = "v1alpha2",
        broker: Callable[[], FluxInstance | None] = lambda: None,
        rank: int = 0,
        python_bindings: bool = True,
    ) -> None:
        self.hostname = hostname
        self.files = files
        self.clock = clock
        self.user = user
        self.uid = uid
        self.layout = layout_named(layout) if isinstance(layout, str) else layout
        self.broker = broker
        self.rank = rank
        self.python_bindings = python_bindings
        self.faults = MachineFaults()
        self.env = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname, "HOME": "/root", **(env or {})}
        self._pids = count(100)
        self.layout.prepare(files)

    def next_pid(self) -> int:
        """A fresh process id."""
        return next(self._pids)

    def knows(self, name: str, path: str = "") -> bool:
        """Whether there is such a program in the container."""
        return find_program(self, name, path or self.env["PATH"]) is not None

    async def run(self, argv: list[str], io: ProcessIO, *, tty: bool = False) -> int:
        """Run a program to its end and return its exit code (0-255).

        CommandNotFound when there is no such program. Cancelling the caller kills it.
        """
        self.layout.show_socket(self.files, self.broker())
        if not self.knows(argv[0]):
            raise CommandNotFound(argv[0])
        if self.faults.delay:
            await self.clock.sleep(self.faults.delay)
        terminal = {"TERM": "xterm"} if tty else {}
        return await self._execute(argv, io, {**self.env, **terminal}, "/", tty=tty)

    async def run_task(
        self, argv: list[str], io: ProcessIO, *, env: dict[str, str], cwd: str
    ) -> int:
        """Run a job's task: with the job's environment and working directory."""
        where = cwd if self.files.exists(cwd) else "/"
        return await self._execute(argv, io, {**self.env, **env}, where)

    async def _execute(
        self, argv: list[str], io: ProcessIO, env: dict[str, str], cwd: str, *, tty: bool = False
    ) -> int:
        program = find_program(self, argv[0], env["PATH"])
        if program is None:
            raise CommandNotFound(argv[0])
        streams = Terminal(io, tty=tty, die_after=self.faults.die_after_bytes)
        process = Process(
            self, list(argv), env, cwd, streams.stdin, streams.stdout, streams.stderr,
            self.user, self.uid, self.next_pid(),
        )  # fmt: skip
        return await streams.run(run_program(program, process))
