"""Running a syntax tree: pipelines, loops, redirections, functions, builtins."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Sequence as Items
from contextlib import suppress

from fluxstate_tui.sim.shell import syntax
from fluxstate_tui.sim.shell.builtins import BUILTINS, Break, Continue, Return
from fluxstate_tui.sim.shell.expansion import Scope, expand_one, expand_pattern, expand_words
from fluxstate_tui.sim.shell.parser import parse
from fluxstate_tui.sim.shell.process import (
    EXIT_NOT_FOUND,
    EXIT_SIGPIPE,
    Exit,
    Process,
    UsageError,
    run_program,
)
from fluxstate_tui.sim.shell.redirection import redirect
from fluxstate_tui.sim.shell.streams import BytesReader, BytesWriter, Pipe

_WRITING_BUILTINS = ("echo", "printf")
"""Programs here, but builtins of a real shell: when their reader has gone, the shell ends."""


class Shell:
    """One shell process (or subshell) with its variables, functions and working directory."""

    def __init__(self, process: Process, arguments: Items[str] = (), name: str = "sh") -> None:
        self.process = process
        self.functions: dict[str, syntax.Node] = {}
        self.exported: set[str] = set(process.env)
        self.scope = Scope(dict(process.env), process.files, self._substitute)
        self.scope.arguments = list(arguments)
        self.scope.name = name
        self.scope.pid = process.pid
        self.scope.cwd = process.cwd
        self.background: list[asyncio.Task[int]] = []
        self.on_exit = ""
        self._conditions = 0
        self._substituted = 0

    # -- texts and trees -------------------------------------------------------------------

    async def run_text(self, text: str) -> int:
        """Parse and run."""
        try:
            tree = parse(text)
        except syntax.SyntaxProblem as problem:
            await self.process.err(f"{self.scope.name}: -c: line 1: {problem}\n")
            self.scope.status = 2
            return 2
        return await self.run(tree)

    async def run(self, node: syntax.Node) -> int:
        """Run a tree; its exit code, which is also `$?`."""
        try:
            status = await self._dispatch(node)
        except UsageError as error:
            await self.process.err(f"{self.scope.name}: {error.message}\n")
            raise Exit(error.code) from None
        self.scope.status = status
        return status

    async def _dispatch(self, node: syntax.Node) -> int:
        match node:
            case syntax.Simple():
                return await self._simple(node)
            case syntax.Sequence():
                return await self._sequence(node)
            case syntax.Pipeline():
                return await self._pipeline(node)
            case syntax.If():
                return await self._if(node)
            case syntax.For():
                return await self._for(node)
            case syntax.Loop():
                return await self._loop(node)
            case syntax.Case():
                return await self._case(node)
            case syntax.Group():
                return await self._group(node)
            case syntax.Redirected():
                return await self._redirected(node.body, node.redirections)
            case syntax.Function():
                self.functions[node.name] = node.body
                return 0

    async def run_interactive(self, node: syntax.Node) -> None:
        """One command of an interactive shell: its errors do not end the shell."""
        try:
            await self.run(node)
        except (Break, Continue, Return):
            self.scope.status = 1

    # -- compound commands -----------------------------------------------------------------

    async def _sequence(self, node: syntax.Sequence) -> int:
        status = 0
        for index, (joiner, command, background) in enumerate(node.items):
            if (joiner == "&&" and status) or (joiner == "||" and not status):
                continue
            if background:
                self._start_background(command)
                status = 0
                continue
            following = node.items[index + 1][0] if index + 1 < len(node.items) else ""
            tested = following in ("&&", "||")
            self._conditions += tested
            try:
                status = await self.run(command)
            finally:
                self._conditions -= tested
            if not tested:
                self._stop_on_error(status, command)
        return status

    def _stop_on_error(self, status: int, command: syntax.Node) -> None:
        """`set -e`: a failing command ends the shell, unless its result is being tested."""
        negated = isinstance(command, syntax.Pipeline) and command.negated
        if status and "e" in self.scope.options and not self._conditions and not negated:
            raise Exit(status)

    def _start_background(self, node: syntax.Node) -> None:
        child = self.subshell()
        child.process.stdin = BytesReader()
        task = asyncio.get_running_loop().create_task(child.run_to_end(node))
        self.background.append(task)
        self.scope.last_background = child.process.pid

    async def _tested(self, node: syntax.Node) -> int:
        self._conditions += 1
        try:
            return await self.run(node)
        finally:
            self._conditions -= 1

    async def _if(self, node: syntax.If) -> int:
        for condition, body in node.branches:
            if await self._tested(condition) == 0:
                return await self.run(body)
        return await self.run(node.otherwise) if node.otherwise is not None else 0

    async def _for(self, node: syntax.For) -> int:
        if node.words is None:
            values = list(self.scope.arguments)
        else:
            values = await expand_words(node.words, self.scope)
        status = 0
        for value in values:
            self.scope.variables[node.name] = value
            try:
                status = await self.run(node.body)
            except Break as end:
                end.leave()
                break
            except Continue as end:
                end.leave()
        return status

    async def _loop(self, node: syntax.Loop) -> int:
        status = 0
        while (await self._tested(node.condition) == 0) is not node.until:
            await asyncio.sleep(0)
            try:
                status = await self.run(node.body)
            except Break as end:
                end.leave()
                break
            except Continue as end:
                end.leave()
        return status

    async def _case(self, node: syntax.Case) -> int:
        value = await expand_one(node.word, self.scope)
        for patterns, body in node.branches:
            for pattern in patterns:
                if fnmatch.fnmatchcase(value, await expand_pattern(pattern, self.scope)):
                    return await self.run(body)
        return 0

    async def _group(self, node: syntax.Group) -> int:
        if node.redirections:
            plain = syntax.Group(node.body, node.subshell)
            return await self._redirected(plain, node.redirections)
        if node.subshell:
            return await self.subshell().run_to_end(node.body)
        return await self.run(node.body)

    async def _redirected(
        self, body: syntax.Node, redirections: tuple[syntax.Redirection, ...]
    ) -> int:
        before = self.process
        self.process = before.child(before.argv)
        self.process.pid = before.pid
        try:
            if not await self._redirect(self.process, redirections):
                return 1
            return await self.run(body)
        finally:
            self.process = before

    # -- pipelines and subshells -----------------------------------------------------------

    def subshell(self) -> Shell:
        """A copy whose changes stay in it."""
        process = self.process.child(self.process.argv)
        process.cwd = self.scope.cwd
        child = Shell(process, self.scope.arguments, self.scope.name)
        child.scope.variables.update(self.scope.variables)
        child.functions = dict(self.functions)
        child.exported = set(self.exported)
        child.scope.options = set(self.scope.options)
        child.scope.status = self.scope.status
        child.scope.pid = self.scope.pid
        return child

    async def run_to_end(self, node: syntax.Node) -> int:
        """Run as a process of its own: `exit` ends only this."""
        try:
            status = await self.run(node)
        except Exit as end:
            status = end.code
        except Return as end:
            status = end.code
        except BrokenPipeError:
            status = EXIT_SIGPIPE
        return status

    async def _pipeline(self, node: syntax.Pipeline) -> int:
        if len(node.commands) == 1:
            status = await self._tested(node.commands[0])
        else:
            status = await self._piped(node.commands)
        return int(not status) if node.negated else status

    async def _piped(self, commands: tuple[syntax.Node, ...]) -> int:
        tasks: list[asyncio.Task[int]] = []
        source: Pipe | None = None
        for index, command in enumerate(commands):
            child = self.subshell()
            if source is not None:
                child.process.stdin = source
                child.process.opened.pop(0, None)
            target = Pipe() if index < len(commands) - 1 else None
            if target is not None:
                child.process.stdout = target
            stage = _stage(child, command, source, target)
            tasks.append(asyncio.get_running_loop().create_task(stage))
            source = target
        try:
            return (await asyncio.gather(*tasks))[-1]
        finally:
            await cancel_all(tasks)

    async def _substitute(self, body: syntax.Node) -> str:
        child = self.subshell()
        output = BytesWriter()
        child.process.stdout = output
        self.scope.status = self._substituted = await child.run_to_end(body)
        return output.data.decode("utf-8", "surrogateescape")

    async def wait_background(self) -> None:
        """The `wait` builtin."""
        for task in self.background:
            with suppress(Exception):
                await task
        self.background.clear()

    # -- simple commands -------------------------------------------------------------------

    async def _simple(self, node: syntax.Simple) -> int:
        self._substituted = 0
        words = await expand_words(node.words, self.scope)
        values = {name: await expand_one(word, self.scope) for name, word in node.assignments}
        if "x" in self.scope.options and words:
            await self.process.err("+ " + " ".join(words) + "\n")
        if not words:
            self.scope.variables.update(values)
            probe = self.process.child([self.scope.name])
            ok = await self._redirect(probe, node.redirections)
            # Of an assignment alone: as its last substitution ended.
            return self._substituted if ok else 1
        child = self.process.child(words)
        child.cwd = self.scope.cwd
        child.env = {
            name: value for name, value in self.scope.variables.items() if name in self.exported
        } | values
        if not await self._redirect(child, node.redirections):
            return 1
        return await self._call(child, words, values)

    async def _call(self, child: Process, words: list[str], values: dict[str, str]) -> int:
        name = words[0]
        if name in self.functions:
            return await self._function(self.functions[name], words[1:], child)
        builtin = BUILTINS.get(name)
        if builtin is not None:
            saved = {key: self.scope.variables.get(key) for key in values}
            self.scope.variables.update(values)
            try:
                return await builtin(self, child)
            finally:
                for key, value in saved.items():
                    if value is None:
                        self.scope.variables.pop(key, None)
                    else:
                        self.scope.variables[key] = value
        return await self.execute(child)

    async def execute(self, child: Process) -> int:
        """Run an external program as a child process."""
        from fluxstate_tui.sim.shell.programs import find_program

        program = find_program(child.machine, child.argv[0], child.env.get("PATH", ""), child.cwd)
        if program is None:
            name = child.argv[0]
            reason = "No such file or directory" if "/" in name else "command not found"
            await child.err(f"{self.scope.name}: line 1: {name}: {reason}\n")
            return EXIT_NOT_FOUND
        status = await run_program(program, child)
        if status == EXIT_SIGPIPE and child.argv[0] in _WRITING_BUILTINS:
            raise BrokenPipeError
        return status

    async def _function(self, body: syntax.Node, arguments: list[str], child: Process) -> int:
        before, arguments_before = self.process, self.scope.arguments
        self.process = child
        self.scope.arguments = arguments
        try:
            return await self.run(body)
        except Return as end:
            return end.code
        finally:
            self.process, self.scope.arguments = before, arguments_before

    async def _redirect(
        self, process: Process, redirections: tuple[syntax.Redirection, ...]
    ) -> bool:
        for redirection in redirections:
            target = await expand_one(redirection.target, self.scope)
            try:
                only_new = "C" in self.scope.options
                redirect(process, redirection, target, self.scope.cwd, only_new=only_new)
            except OSError as error:
                text = f"{self.scope.name}: line 1: {target}: {error.strerror}\n"
                await self.process.err(text)
                return False
        return True


async def _stage(
    child: Shell, command: syntax.Node, source: Pipe | None, target: Pipe | None
) -> int:
    try:
        return await child.run_to_end(command)
    finally:
        if target is not None:
            target.close_writer()
        if source is not None:
            source.close_reader()


async def cancel_all(tasks: Items[asyncio.Task[int]]) -> None:
    """Kill child processes and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
