"""Programs about the process and the machine: sleep date id env test timeout sudo ..."""

from __future__ import annotations

import asyncio
import posixpath
import re
import stat as stat_bits
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from fluxstate_tui.sim.shell.options import parse_options
from fluxstate_tui.sim.shell.process import EXIT_NOT_FOUND, Process, UsageError, run_program

_SECONDS = re.compile(r"(\d+\.?\d*|\.\d+)([smhd]?)")
_FACTORS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_USERS = {"root": 0, "flux": 1000, "nobody": 65534}


FOR_EVER = 10 * 365 * 86400.0
"""As good as endless: ten years."""


def seconds(text: str) -> float:
    """`5`, `1.5m`, `infinity`. UsageError for anything else."""
    if text in ("inf", "infinity"):
        return FOR_EVER
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise UsageError(f"invalid time interval '{text}'")
    return float(match[1]) * _FACTORS[match[2]]


async def true(process: Process) -> int:
    """Exit code 0."""
    return 0


async def false(process: Process) -> int:
    """Exit code 1."""
    return 1


async def sleep(process: Process) -> int:
    """By the simulated clock."""
    if not process.args:
        raise UsageError("missing operand")
    await process.machine.clock.sleep(sum(seconds(arg) for arg in process.args))
    return 0


async def date(process: Process) -> int:
    """-u, -d @SECONDS, +FORMAT; the clock is UTC."""
    options = parse_options(process.args, "u,utc d,date= I=? R")
    now = process.machine.clock.now()
    given = options.get("date")
    if given.startswith("@"):
        now = float(given[1:])
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=now)
    form = next((arg[1:] for arg in options.operands if arg.startswith("+")), None)
    if options.has("I"):
        form = "%Y-%m-%dT%H:%M:%S+00:00" if options.get("I") == "seconds" else "%Y-%m-%d"
    if form is None:
        form = "%a %b %e %H:%M:%S UTC %Y"
    form = form.replace("%s", str(int(now))).replace("%N", f"{int(now % 1 * 1e9):09d}")
    await process.out(when.strftime(form) + "\n")
    return 0


async def whoami(process: Process) -> int:
    """The user's name."""
    await process.out(process.user + "\n")
    return 0


async def identity(process: Process) -> int:
    """id -u -g -n."""
    options = parse_options(process.args, "u g n G r")
    group = {"nobody": "nogroup"}.get(process.user, process.user)
    if options.has("u"):
        text = process.user if options.has("n") else str(process.uid)
    elif options.has("g") or options.has("G"):
        text = group if options.has("n") else str(process.uid)
    else:
        text = f"uid={process.uid}({process.user}) gid={process.uid}({group}) "
        text += f"groups={process.uid}({group})"
    await process.out(text + "\n")
    return 0


async def hostname(process: Process) -> int:
    """The pod's host name."""
    await process.out(process.machine.hostname + "\n")
    return 0


async def uname(process: Process) -> int:
    """-a -n -s -r -m."""
    parts = {"s": "Linux", "n": process.machine.hostname, "r": "6.1.0", "m": "x86_64"}
    letters = [letter for arg in process.args for letter in arg[1:]] or ["s"]
    wanted = list(parts) if "a" in letters else [key for key in parts if key in letters]
    await process.out(" ".join(parts[key] for key in wanted) + "\n")
    return 0


async def nproc(process: Process) -> int:
    """Cores of the node."""
    broker = process.machine.broker()
    cores = broker.pool.nodes[0].cores if broker is not None and broker.pool.nodes else 4
    await process.out(f"{cores}\n")
    return 0


async def env(process: Process) -> int:
    """Print the environment, or run a program with changes to it."""
    args = list(process.args)
    child = process.child([])
    while args and (args[0].startswith("-") or "=" in args[0]):
        word = args.pop(0)
        if word in ("-i", "-"):
            child.env = {}
        elif word == "-u":
            child.env.pop(args.pop(0), None)
        elif "=" in word:
            name, _, value = word.partition("=")
            child.env[name] = value
    if not args:
        await process.out("".join(f"{key}={value}\n" for key, value in sorted(child.env.items())))
        return 0
    child.argv = args
    return await run_other(process, child)


async def printenv(process: Process) -> int:
    """Variables by name."""
    if not process.args:
        return await env(process)
    status = 0
    for name in process.args:
        if name in process.env:
            await process.out(process.env[name] + "\n")
        else:
            status = 1
    return status


async def run_other(process: Process, child: Process) -> int:
    """Run `child.argv` for a program like env or timeout; 127 when there is no such program."""
    from fluxstate_tui.sim.shell.programs import find_program

    path = child.env.get("PATH", process.env.get("PATH", ""))
    program = find_program(child.machine, child.argv[0], path, child.cwd)
    if program is None:
        text = (
            f"failed to run command '{child.argv[0]}'"
            if process.name == "timeout"
            else (f"'{child.argv[0]}'")
        )
        await process.err(f"{process.name}: {text}: No such file or directory\n")
        return EXIT_NOT_FOUND
    return await run_program(program, child)


async def sudo(process: Process) -> int:
    """-u USER, -E, VAR=value ...: run as another user."""
    args = list(process.args)
    user, child = "root", process.child([])
    while args and (args[0].startswith("-") or re.match(r"[A-Za-z_]\w*=", args[0])):
        word = args.pop(0)
        if word in ("-u", "--user"):
            user = args.pop(0)
        elif word.startswith("-u"):
            user = word[2:]
        elif "=" in word:
            name, _, value = word.partition("=")
            child.env[name] = value
    if user not in _USERS:
        await process.err(f"sudo: unknown user {user}\nsudo: error initializing audit plugin\n")
        return 1
    if not args:
        raise UsageError("no command")
    child.user, child.uid, child.argv = user, _USERS[user], args
    child.env.setdefault("HOME", f"/home/{user}")
    child.env["USER"] = user
    return await run_other(process, child)


async def timeout(process: Process) -> int:
    """-s SIG: 124 when the time is over (137 with KILL)."""
    options = parse_options(process.args, "s,signal= k,kill-after= foreground", mixed=False)
    if len(options.operands) < 2:
        raise UsageError("missing operand", 125)
    limit = seconds(options.operands[0])
    child = process.child(options.operands[1:])
    task = asyncio.ensure_future(run_other(process, child))
    timer = asyncio.ensure_future(process.machine.clock.sleep(limit))
    try:
        await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        return 137 if options.get("signal").endswith("KILL") else 124
    finally:
        task.cancel()
        timer.cancel()
        await asyncio.gather(task, timer, return_exceptions=True)


_NUMBERS = 4096


async def seq(process: Process) -> int:
    """LAST, FIRST LAST, FIRST STEP LAST."""
    numbers = [int(arg) for arg in process.args]
    if not 1 <= len(numbers) <= 3:
        raise UsageError("missing operand")
    first = numbers[0] if len(numbers) > 1 else 1
    step = numbers[1] if len(numbers) == 3 else 1
    last = numbers[-1]
    end = last + (1 if step > 0 else -1)
    counted = range(first, end, step)
    for start in range(0, len(counted), _NUMBERS):
        await process.out("".join(f"{number}\n" for number in counted[start : start + _NUMBERS]))
        await asyncio.sleep(0)  # others want to run, too
    return 0


async def basename(process: Process) -> int:
    """The last part of a path, without a suffix."""
    path, *suffixes = _operands(process)
    name = posixpath.basename(path.rstrip("/")) or "/"
    suffix = suffixes[0] if suffixes else ""
    await process.out((name.removesuffix(suffix) if name != suffix else name) + "\n")
    return 0


async def dirname(process: Process) -> int:
    """A path without its last part."""
    path = _operands(process)[0]
    above = posixpath.dirname(path.rstrip("/")) or ("/" if path.startswith("/") else ".")
    await process.out(above + "\n")
    return 0


def _operands(process: Process) -> list[str]:
    args = process.args[1:] if process.args[:1] == ["--"] else process.args
    if not args:
        raise UsageError("missing operand")
    return list(args)


async def test(process: Process) -> int:
    """`test` and `[`: files, texts, numbers, !, -a, -o, parentheses."""
    args = list(process.args)
    if process.name == "[" and (not args or args.pop() != "]"):
        raise UsageError("missing `]'", 2)
    try:
        return 0 if _Test(process, args).evaluate() else 1
    except (ValueError, IndexError):
        text = " ".join(args)
        await process.err(f"{process.name}: {text}: integer or operator expected\n")
        return 2


class _Test:
    def __init__(self, process: Process, args: list[str]) -> None:
        self._process = process
        self._args = args

    def evaluate(self) -> bool:
        if not self._args:
            return False
        value = self._either()
        if self._args:
            raise ValueError(self._args)
        return value

    def _either(self) -> bool:
        value = self._both()
        while self._args[:1] == ["-o"]:
            self._args.pop(0)
            value = self._both() or value
        return value

    def _both(self) -> bool:
        value = self._one()
        while self._args[:1] == ["-a"]:
            self._args.pop(0)
            value = self._one() and value
        return value

    def _one(self) -> bool:
        args = self._args
        if len(args) >= 3 and args[1] in _COMPARISONS:
            left, name, right = args[:3]
            del args[:3]
            return _COMPARISONS[name](left, right)
        if len(args) >= 3 and args[1] in ("-nt", "-ot"):
            left, name, right = args[:3]
            del args[:3]
            return self._newer(left, right) if name == "-nt" else self._newer(right, left)
        if args[0] == "!" and len(args) > 1:
            args.pop(0)
            return not self._one()
        if args[0] == "(":
            args.pop(0)
            value = self._either()
            args.pop(0)
            return value
        if len(args) >= 2 and re.fullmatch(r"-[a-zA-Z]", args[0]):
            name, operand = args[:2]
            del args[:2]
            return self._unary(name, operand)
        return bool(args.pop(0))

    def _unary(self, name: str, operand: str) -> bool:
        if name == "-z":
            return not operand
        if name == "-n":
            return bool(operand)
        if name == "-t":
            return False
        try:
            info = self._process.files.stat(self._process.path(operand), follow=name not in "-h-L")
        except OSError:
            return False
        kinds = {
            "-f": stat_bits.S_ISREG, "-d": stat_bits.S_ISDIR, "-S": stat_bits.S_ISSOCK,
            "-h": stat_bits.S_ISLNK, "-L": stat_bits.S_ISLNK,
        }  # fmt: skip
        if name in kinds:
            return kinds[name](info.mode)
        if name == "-s":
            return info.size > 0
        if name in ("-r", "-w", "-x"):
            return self._process.may(self._process.path(operand), name[1])
        return True

    def _newer(self, one: str, two: str) -> bool:
        files, path = self._process.files, self._process.path
        if not files.exists(path(one)):
            return False
        return (
            not files.exists(path(two)) or files.stat(path(one)).mtime > files.stat(path(two)).mtime
        )


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "-eq": lambda a, b: int(a) == int(b),
    "-ne": lambda a, b: int(a) != int(b),
    "-lt": lambda a, b: int(a) < int(b),
    "-le": lambda a, b: int(a) <= int(b),
    "-gt": lambda a, b: int(a) > int(b),
    "-ge": lambda a, b: int(a) >= int(b),
}

PROGRAMS = {
    "[": test, "basename": basename, "date": date, "dirname": dirname, "env": env,
    "false": false, "hostname": hostname, "id": identity, "nproc": nproc, "printenv": printenv,
    "seq": seq, "sleep": sleep, "test": test, "timeout": timeout, "true": true, "uname": uname,
    "whoami": whoami,
}  # fmt: skip
