"""What a job's program does, as far as it needs no shell: how long, what it prints, how it ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "ms": 0.001}
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ms|[smhd]?)")


@dataclass(frozen=True, slots=True)
class Played:
    """One task's life: seconds, its output, its exit code."""

    seconds: float = 0.0
    stdout: bytes = b""
    stderr: bytes = b""
    code: int = 0


@dataclass(frozen=True, slots=True)
class TaskContext:
    """Where a task runs: its host and user, and the time."""

    host: str
    user: str
    now: float


def parse_duration(text: str) -> float:
    """Seconds of a Flux standard duration (RFC 23): `10`, `1.5m`, `2h`, `1d`. ValueError else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f'invalid Flux standard duration: "{text}"')
    return float(match[1]) * _UNITS[match[2]]


def quick(argv: Sequence[str], context: TaskContext) -> Played | None:
    """Play a simple command without starting anything; None = it needs the shell."""
    player = _PLAYERS.get(argv[0].rpartition("/")[2]) if argv else None
    return None if player is None else player(list(argv[1:]), context)


def _sleep(args: list[str], _: TaskContext) -> Played | None:
    try:
        return Played(seconds=sum(parse_duration(arg) for arg in args)) if args else None
    except ValueError:
        return None


def _echo(args: list[str], _: TaskContext) -> Played | None:
    if args and args[0].startswith("-"):
        return None
    return Played(stdout=" ".join(args).encode() + b"\n")


def _hostname(args: list[str], context: TaskContext) -> Played | None:
    return None if args else Played(stdout=context.host.encode() + b"\n")


def _whoami(args: list[str], context: TaskContext) -> Played | None:
    return None if args else Played(stdout=context.user.encode() + b"\n")


def _date(args: list[str], context: TaskContext) -> Played | None:
    if args:
        return None
    when = datetime.fromtimestamp(context.now, UTC)
    return Played(stdout=when.strftime("%a %b %e %H:%M:%S UTC %Y\n").encode())


_PLAYERS: dict[str, Callable[[list[str], TaskContext], Played | None]] = {
    "sleep": _sleep,
    "echo": _echo,
    "hostname": _hostname,
    "whoami": _whoami,
    "date": _date,
    "true": lambda _args, _context: Played(),
    "false": lambda _args, _context: Played(code=1),
}
