"""The shell's builtin commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fluxstate_tui.sim.shell.options import Options, parse_options
from fluxstate_tui.sim.shell.process import EXIT_NOT_FOUND, Exit, Process, UsageError
from fluxstate_tui.sim.shell.streams import LineReader

if TYPE_CHECKING:
    from fluxstate_tui.sim.shell.interpreter import Shell


Builtin = Callable[["Shell", Process], Awaitable[int]]


class _Levels(Exception):  # noqa: N818  (control flow of the interpreted shell)
    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.levels = levels

    def leave(self) -> None:
        """One loop was left; go on when more were asked for."""
        if self.levels > 1:
            self.levels -= 1
            raise self


class Break(_Levels):
    """`break [n]`."""


class Continue(_Levels):
    """`continue [n]`."""


class Return(Exception):  # noqa: N818
    """`return [n]`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _number(shell: Shell, process: Process, default: int) -> int:
    if not process.args:
        return default
    try:
        return int(process.args[0])
    except ValueError:
        raise UsageError(f"{process.name}: {process.args[0]}: numeric argument required", 2) from (
            None
        )


async def _colon(shell: Shell, process: Process) -> int:
    return 0


async def _cd(shell: Shell, process: Process) -> int:
    options = parse_options(process.args, "P L") if process.args != ["-"] else Options()
    operands = options.operands if process.args != ["-"] else process.args
    target = operands[0] if operands else shell.scope.variables.get("HOME", "/")
    if target == "-":
        target = shell.scope.variables.get("OLDPWD", shell.scope.cwd)
    path = process.path(target)
    try:
        if not process.files.stat(path).is_dir:
            return await _cd_failed(shell, process, target, "Not a directory")
    except OSError as error:
        return await _cd_failed(shell, process, target, error.strerror or "")
    path = process.files.real(path) if options.has("P") else path
    shell.scope.variables["OLDPWD"] = shell.scope.cwd
    shell.scope.variables["PWD"] = shell.scope.cwd = path
    return 0


async def _cd_failed(shell: Shell, process: Process, target: str, reason: str) -> int:
    await process.err(f"{shell.scope.name}: line 1: cd: {target}: {reason}\n")
    return 1


async def _pwd(shell: Shell, process: Process) -> int:
    options = parse_options(process.args, "P L")
    cwd = process.files.real(shell.scope.cwd) if options.has("P") else shell.scope.cwd
    await process.out(cwd + "\n")
    return 0


async def _export(shell: Shell, process: Process) -> int:
    for argument in process.args:
        name, equals, value = argument.partition("=")
        shell.exported.add(name)
        if equals:
            shell.scope.variables[name] = value
    return 0


async def _local(shell: Shell, process: Process) -> int:
    for argument in process.args:
        name, _, value = argument.partition("=")
        shell.scope.variables[name] = value
    return 0


async def _unset(shell: Shell, process: Process) -> int:
    for name in process.args:
        shell.scope.variables.pop(name, None)
        shell.functions.pop(name, None)
        shell.exported.discard(name)
    return 0


async def _set(shell: Shell, process: Process) -> int:
    arguments = list(process.args)
    while arguments and arguments[0][:1] in "-+" and arguments[0] not in ("-", "--"):
        flag = arguments.pop(0)
        if flag[1:] == "o" and arguments:
            arguments.pop(0)
        elif flag[0] == "-":
            shell.scope.options.update(flag[1:])
        else:
            shell.scope.options.difference_update(flag[1:])
    if arguments and arguments[0] == "--":
        shell.scope.arguments = arguments[1:]
    elif arguments:
        shell.scope.arguments = arguments
    return 0


async def _shift(shell: Shell, process: Process) -> int:
    count = _number(shell, process, 1)
    if count > len(shell.scope.arguments):
        return 1
    del shell.scope.arguments[:count]
    return 0


async def _exit(shell: Shell, process: Process) -> int:
    raise Exit(_number(shell, process, shell.scope.status))


async def _return(shell: Shell, process: Process) -> int:
    raise Return(_number(shell, process, shell.scope.status))


async def _break(shell: Shell, process: Process) -> int:
    raise Break(_number(shell, process, 1))


async def _continue(shell: Shell, process: Process) -> int:
    raise Continue(_number(shell, process, 1))


async def _source(shell: Shell, process: Process) -> int:
    if not process.args:
        raise UsageError(f"{process.name}: filename argument required", 2)
    try:
        text = process.files.read(process.path(process.args[0])).decode()
    except OSError as error:
        await process.err(f"{shell.scope.name}: line 1: {process.args[0]}: {error.strerror}\n")
        return 1
    arguments = shell.scope.arguments
    if len(process.args) > 1:
        shell.scope.arguments = process.args[1:]
    try:
        return await shell.run_text(text)
    except Return as end:
        return end.code
    finally:
        shell.scope.arguments = arguments


async def _eval(shell: Shell, process: Process) -> int:
    return await shell.run_text(" ".join(process.args))


async def _exec(shell: Shell, process: Process) -> int:
    if not process.args:
        return 0
    process.argv = process.args
    raise Exit(await shell.execute(process))


async def _command(shell: Shell, process: Process) -> int:
    if process.args[:1] == ["-v"]:
        return await _type(shell, process)
    process.argv = process.args
    builtin = BUILTINS.get(process.argv[0]) if process.argv else None
    if builtin is not None:
        return await builtin(shell, process)
    return await shell.execute(process) if process.argv else 0


async def _type(shell: Shell, process: Process) -> int:
    from fluxstate_tui.sim.shell.programs import which

    status = 0
    for name in process.args:
        if name == "-v":
            continue
        found = name if name in BUILTINS or name in shell.functions else which(process, name)
        if found:
            await process.out(found + "\n")
        else:
            status = 1
    return status


async def _read(shell: Shell, process: Process) -> int:
    names = [name for name in process.args if not name.startswith("-")] or ["REPLY"]
    reader = process.stdin
    if reader is shell.process.stdin:
        reader = _shared_lines(shell)
    elif not isinstance(reader, LineReader):
        reader = LineReader(reader)
    line = await reader.readline()
    fields = line.decode("utf-8", "replace").rstrip("\n").split(None, len(names) - 1)
    for index, name in enumerate(names):
        shell.scope.variables[name] = fields[index].rstrip() if index < len(fields) else ""
    return 0 if line else 1


def _shared_lines(shell: Shell) -> LineReader:
    """Reads of one loop share what was read ahead."""
    reader = shell.process.stdin
    if not isinstance(reader, LineReader):
        reader = shell.process.stdin = LineReader(reader)
    return reader


async def _wait(shell: Shell, process: Process) -> int:
    await shell.wait_background()
    return 0


async def _trap(shell: Shell, process: Process) -> int:
    if len(process.args) >= 2 and set(process.args[1:]) & {"EXIT", "0"}:
        shell.on_exit = "" if process.args[0] == "-" else process.args[0]
    return 0


async def _kill(shell: Shell, process: Process) -> int:
    """Only the shell itself can be hit: `kill -TERM $$`."""
    signals = {"HUP": 1, "INT": 2, "KILL": 9, "SEGV": 11, "TERM": 15, "USR1": 10}
    arguments = list(process.args)
    number = 15
    if arguments and arguments[0].startswith("-"):
        name = arguments.pop(0)[1:].removeprefix("SIG")
        number = int(name) if name.isdigit() else signals.get(name, 15)
    if str(shell.scope.pid) in arguments and number:
        raise Exit(128 + number)
    if number == 0 and arguments == [str(shell.scope.pid)]:
        return 0
    await process.err(
        f"{shell.scope.name}: line 1: kill: ({' '.join(arguments)}) - No such process\n"
    )
    return 1


async def _umask(shell: Shell, process: Process) -> int:
    return 0


async def _hash(shell: Shell, process: Process) -> int:
    return EXIT_NOT_FOUND if process.args and await _type(shell, process) else 0


BUILTINS: dict[str, Builtin] = {
    ":": _colon,
    ".": _source,
    "source": _source,
    "break": _break,
    "cd": _cd,
    "command": _command,
    "continue": _continue,
    "eval": _eval,
    "exec": _exec,
    "exit": _exit,
    "export": _export,
    "hash": _hash,
    "kill": _kill,
    "local": _local,
    "declare": _local,
    "pwd": _pwd,
    "read": _read,
    "readonly": _export,
    "return": _return,
    "set": _set,
    "shift": _shift,
    "trap": _trap,
    "type": _type,
    "umask": _umask,
    "unset": _unset,
    "wait": _wait,
}
