"""bash and sh: `-c`, a script file, or commands from standard input, with a prompt on a tty."""

from __future__ import annotations

from fluxstate_tui.sim.shell.builtins import Break, Continue, Return
from fluxstate_tui.sim.shell.interpreter import Shell, cancel_all
from fluxstate_tui.sim.shell.parser import parse
from fluxstate_tui.sim.shell.process import EXIT_NOT_FOUND, Exit, Process
from fluxstate_tui.sim.shell.streams import LineReader
from fluxstate_tui.sim.shell.syntax import IncompleteInput, SyntaxProblem


async def shell_program(process: Process) -> int:
    """bash [-euxlc] [COMMANDS [NAME ARGS...]] | [SCRIPT ARGS...]."""
    args = list(process.args)
    flags: set[str] = set()
    while args and args[0][:1] in "-+" and args[0] != "-":
        word = args.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            continue
        flags.update(word[1:])
        if word in ("-o", "-eo", "-euo"):
            args.pop(0)
    if "c" in flags:
        text = args.pop(0) if args else ""
        shell = Shell(process, args[1:], args[0] if args else process.argv[0])
        return await _to_end(shell, flags, text)
    if args:
        return await run_script(process, args[0], args[1:], flags)
    shell = Shell(process, (), process.argv[0])
    return await _interactive(shell, flags)


async def run_script(
    process: Process, name: str, arguments: list[str], flags: set[str] | None = None
) -> int:
    """Run a script file."""
    try:
        text = process.files.read(process.path(name)).decode()
    except OSError as error:
        await process.err(f"{process.name}: {name}: {error.strerror}\n")
        return EXIT_NOT_FOUND
    return await _to_end(Shell(process, arguments, name), flags or set(), text)


async def _to_end(shell: Shell, flags: set[str], text: str) -> int:
    shell.scope.options.update(flags & set("eux"))
    try:
        status = await _caught(shell, text)
        if shell.on_exit:
            await _caught(shell, shell.on_exit)
        return status
    finally:
        await cancel_all(shell.background)


async def _caught(shell: Shell, text: str) -> int:
    try:
        return await shell.run_text(text)
    except Exit as end:
        return end.code
    except Return as end:
        return end.code
    except (Break, Continue):
        return shell.scope.status


async def _interactive(shell: Shell, flags: set[str]) -> int:
    """Commands from standard input, one at a time; children may read what follows."""
    lines = LineReader(shell.process.stdin)
    shell.process.stdin = lines
    prompting = "i" in flags or shell.process.env.get("TERM") == "xterm"
    text = ""
    try:
        while True:
            if prompting:
                await shell.process.err("> " if text else _prompt(shell))
            line = await lines.readline()
            if not line:
                break
            text += line.decode("utf-8", "surrogateescape")
            try:
                tree = parse(text)
            except IncompleteInput:
                continue
            except SyntaxProblem as problem:
                await shell.process.err(f"{shell.scope.name}: {problem}\n")
                shell.scope.status, text = 2, ""
                continue
            text = ""
            await shell.run_interactive(tree)
    except Exit as end:
        return end.code
    finally:
        await cancel_all(shell.background)
    if prompting:
        await shell.process.err("exit\n")
    return shell.scope.status


def _prompt(shell: Shell) -> str:
    process = shell.process
    sign = "#" if process.uid == 0 else "$"
    return f"{process.user}@{process.machine.hostname}:{shell.scope.cwd}{sign} "
