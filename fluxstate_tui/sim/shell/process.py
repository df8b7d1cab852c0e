"""One process of a simulated container, and how programs report errors."""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fluxstate_tui.sim.shell.streams import BytesReader, NullWriter, Reader, Writer

if TYPE_CHECKING:
    from fluxstate_tui.sim.files import Files, OpenFile
    from fluxstate_tui.sim.machine import Machine


EXIT_SIGPIPE = 141
EXIT_SEGV = 139
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127


class Exit(Exception):  # noqa: N818  (it is how a process ends, not an error)
    """Ends the process from anywhere inside it."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code & 0xFF


class UsageError(Exception):
    """A program was called in a way it does not know: message to stderr, its usual code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(slots=True)
class Process:
    """Arguments, environment, streams and identity of one running program.

    `opened` are the files behind its descriptors, `writers` the streams of those above 2.
    """

    machine: Machine
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    stdin: Reader = field(default_factory=BytesReader)
    stdout: Writer = field(default_factory=NullWriter)
    stderr: Writer = field(default_factory=NullWriter)
    user: str = "root"
    uid: int = 0
    pid: int = 1
    opened: dict[int, OpenFile] = field(default_factory=dict)
    writers: dict[int, Writer] = field(default_factory=dict)

    @property
    def files(self) -> Files:
        """The container's files."""
        return self.machine.files

    @property
    def name(self) -> str:
        """The program's own name, as error messages begin."""
        return posixpath.basename(self.argv[0])

    @property
    def args(self) -> list[str]:
        """What follows the program's name."""
        return self.argv[1:]

    def path(self, name: str) -> str:
        """An absolute path from one that may be relative to the working directory."""
        return posixpath.normpath(posixpath.join(self.cwd, name))

    def may(self, path: str, kind: str) -> bool:
        """Whether its user may read (`r`), write to (`w`) or enter (`x`) what is at `path`.

        Root may, but for entering or running what nobody may. Raises OSError when nothing is there.
        """
        info = self.files.stat(path)
        bit = {"r": 0o4, "w": 0o2, "x": 0o1}[kind]
        if self.uid == 0:
            return kind != "x" or bool(info.mode & 0o111)
        return bool(info.mode & (bit << 6 if info.uid == self.uid else bit))

    def child(self, argv: list[str]) -> Process:
        """A process with the same streams and identity, and its own environment."""
        return replace(
            self, argv=argv, env=dict(self.env), pid=self.machine.next_pid(),
            opened=dict(self.opened), writers=dict(self.writers),
        )  # fmt: skip

    async def out(self, text: str) -> None:
        """Write to standard output."""
        await self.stdout.write(text.encode())

    async def err(self, text: str) -> None:
        """Write to standard error."""
        await self.stderr.write(text.encode())

    async def fail(self, text: str, code: int = 1) -> int:
        """`name: text` on standard error, and the exit code to return."""
        await self.err(f"{self.name}: {text}\n")
        return code


Program = Callable[[Process], Awaitable[int]]
"""A program: runs as the process that it gets, returns its exit code."""


async def run_program(program: Program, process: Process) -> int:
    """Run it to its end; what it raises becomes an exit code, as the kernel and libc do it."""
    try:
        return (await program(process)) & 0xFF
    except Exit as end:
        return end.code
    except BrokenPipeError:
        return EXIT_SIGPIPE
    except RecursionError:
        return EXIT_SEGV
    except UsageError as error:
        await process.err(f"{process.name}: {error.message}\n")
        return error.code
    except (IndexError, ValueError):  # programs take their operands without counting them first
        await process.err(f"{process.name}: missing or invalid operand\n")
        return 1
    except OSError as error:
        await process.err(f"{process.name}: {error.filename or ''}: {error.strerror}\n")
        return 1
