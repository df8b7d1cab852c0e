"""Programs that run code: in a simulated container they are there, and say that they do not."""

from __future__ import annotations

from fluxstate_tui.sim.shell.process import EXIT_NOT_EXECUTABLE, Process

REFUSAL = (
    "the simulation runs no code that it is given, only shell scripts and the commands that it "
    "simulates"
)

SHELLS = frozenset({"sh", "bash", "dash", "ash"})


async def refuse(process: Process) -> int:
    """Say so, with the exit code of a program that cannot be executed."""
    return await process.fail(REFUSAL, EXIT_NOT_EXECUTABLE)


def runs_in_shell(program: bytes) -> bool:
    """Whether a program file is one that the simulated shell can play: text, and its own `#!`."""
    first, _, _ = program.partition(b"\n")
    if b"\0" in first:
        return False
    if not first.startswith(b"#!"):
        return True
    words = [word.rpartition("/")[2] for word in first[2:].decode("utf-8", "replace").split()]
    if words[:1] == ["env"]:
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return bool(words) and words[0] in SHELLS


PROGRAMS = dict.fromkeys(
    (
        *("awk", "cc", "csh", "fish", "gawk", "gcc", "gdb", "java", "julia", "ksh", "lua"),
        *("make", "mpirun", "nawk", "node", "perl", "php", "pip", "pip3", "pypy3", "python"),
        *("python2", "python3", "ruby", "Rscript", "sed", "ssh", "strace", "tclsh", "zsh"),
    ),
    refuse,
)
