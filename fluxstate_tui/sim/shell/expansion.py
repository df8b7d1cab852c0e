"""Expanding words: variables, substitutions, arithmetic, braces, splitting and patterns."""

from __future__ import annotations

import ast
import fnmatch
import math
import operator
import posixpath
import re
from collections.abc import Awaitable, Callable, Iterable
from itertools import product
from typing import TYPE_CHECKING

from fluxstate_tui.sim.shell.process import EXIT_NOT_FOUND, UsageError
from fluxstate_tui.sim.shell.streams import require_memory
from fluxstate_tui.sim.shell.syntax import (
    Arithmetic,
    Literal,
    Node,
    Part,
    Substitution,
    Variable,
    Word,
)

if TYPE_CHECKING:
    from fluxstate_tui.sim.files import Files


_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_PATTERN_CHARS = re.compile(r"[*?\[]")
_FIELD = 64  # bytes that a field takes besides its text


class Scope:
    """What words can refer to. `substitute` runs commands and gives their output."""

    def __init__(
        self,
        variables: dict[str, str],
        files: Files,
        substitute: Callable[[Node], Awaitable[str]],
    ) -> None:
        self.variables = variables
        self.files = files
        self.substitute = substitute
        self.arguments: list[str] = []
        self.name = "sh"
        self.status = 0
        self.pid = 1
        self.cwd = "/"
        self.last_background = 0
        self.options: set[str] = set()

    def value(self, name: str) -> str | None:
        """A variable or special parameter, None when it is not set."""
        special = {
            "?": str(self.status), "#": str(len(self.arguments)), "$": str(self.pid),
            "0": self.name, "!": str(self.last_background), "-": "".join(sorted(self.options)),
        }  # fmt: skip
        if name in special:
            return special[name]
        if name in ("@", "*"):
            return " ".join(self.arguments)
        if name.isdigit():
            index = int(name) - 1
            return self.arguments[index] if index < len(self.arguments) else None
        return self.variables.get(name)


async def expand_words(words: Iterable[Word], scope: Scope) -> list[str]:
    """All fields that the words expand to."""
    fields: list[str] = []
    size = 0
    for word in words:
        for piece in _braces(word):
            for field, is_pattern in await _fields(piece, scope):
                found = _matches(field, scope) if is_pattern else [field]
                size += sum(map(len, found)) + len(found) * _FIELD
                require_memory(size)
                fields.extend(found)
    return fields


async def expand_one(word: Word, scope: Scope) -> str:
    """One field: no splitting, no patterns (assignments, redirections, case)."""
    texts, size = [], 0
    for part in word.parts:
        texts.append((await _part(part, scope))[0])
        size += len(texts[-1])
        require_memory(size)
    return "".join(texts)


async def expand_pattern(word: Word, scope: Scope) -> str:
    """A pattern for `case` and `${x#p}`: quoted parts stand for themselves."""
    texts = []
    for part in word.parts:
        text, quoted = await _part(part, scope)
        texts.append(re.sub(r"([*?\[])", r"[\1]", text) if quoted else text)
    return "".join(texts)


async def _fields(word: Word, scope: Scope) -> list[tuple[str, bool]]:
    """Fields after splitting, each with whether it holds an unquoted pattern."""
    fields: list[tuple[str, bool]] = []
    current, open_, pattern = "", False, False
    for index, part in enumerate(word.parts):
        if isinstance(part, Variable) and part.name == "@" and part.quoted and not part.op:
            if not scope.arguments:
                continue
            first, *rest = scope.arguments
            current, open_ = current + first, True
            for argument in rest:
                fields.append((current, pattern))
                current, pattern = argument, False
            continue
        text, quoted = await _part(part, scope)
        require_memory(len(current) + len(text))
        if not index and isinstance(part, Literal) and not quoted:
            text = _tilde(text, scope)
        if quoted:
            current, open_ = current + text, True
        elif isinstance(part, Literal):
            current, open_ = current + text, open_ or bool(text)
            pattern = pattern or bool(_PATTERN_CHARS.search(text))
        else:
            pattern = pattern or bool(_PATTERN_CHARS.search(text))
            pieces = text.split()
            if text[:1].isspace() and open_:
                fields.append((current, pattern))
                current, open_ = "", False
            for count, piece in enumerate(pieces):
                if count:
                    fields.append((current, pattern))
                    current = ""
                current, open_ = current + piece, True
            if text[-1:].isspace() and open_:
                fields.append((current, pattern))
                current, open_ = "", False
    return [*fields, (current, pattern)] if open_ else fields


async def _part(part: Part, scope: Scope) -> tuple[str, bool]:
    if isinstance(part, Literal):
        return part.text, part.quoted
    if isinstance(part, Substitution):
        return (await scope.substitute(part.body)).rstrip("\n"), part.quoted
    if isinstance(part, Arithmetic):
        return str(evaluate(await expand_one(part.expression, scope), scope)), part.quoted
    return await _variable(part, scope), part.quoted


async def _variable(part: Variable, scope: Scope) -> str:
    value = scope.value(part.name)
    if part.op == "len":
        return str(len(value or ""))
    if not part.op:
        if value is None and "u" in scope.options and part.name not in ("@", "*"):
            raise UsageError(f"{part.name}: unbound variable", EXIT_NOT_FOUND)
        return value or ""
    word = part.word or Word(())
    missing = value is None or (part.op.startswith(":") and not value)
    match part.op.removeprefix(":"):
        case "-":
            return await expand_one(word, scope) if missing else value or ""
        case "=":
            if missing:
                scope.variables[part.name] = await expand_one(word, scope)
            return scope.variables.get(part.name, "")
        case "+":
            return "" if missing else await expand_one(word, scope)
        case "?":
            if missing:
                text = await expand_one(word, scope) or "parameter null or not set"
                raise UsageError(f"{part.name}: {text}", EXIT_NOT_FOUND)
            return value or ""
        case operation:
            return _trim(value or "", operation, await expand_pattern(word, scope))


def _trim(value: str, operation: str, pattern: str) -> str:
    """`#` and `%`: take the shortest (doubled: the longest) match off the front or the end."""
    lengths: Iterable[int] = range(len(value) + 1)
    if len(operation) == 2:
        lengths = reversed(range(len(value) + 1))
    for length in lengths:
        front = operation[0] == "#"
        piece = value[:length] if front else value[len(value) - length :]
        if fnmatch.fnmatchcase(piece, pattern):
            return value[length:] if front else value[: len(value) - length]
    return value


def _tilde(text: str, scope: Scope) -> str:
    if text == "~" or text.startswith("~/"):
        return scope.variables.get("HOME", "/root") + text[1:]
    return text


def _braces(word: Word) -> list[Word]:
    """`{1..5}` and `{a,b}` in unquoted text (bash)."""
    choices: list[list[Part]] = []
    for part in word.parts:
        if isinstance(part, Literal) and not part.quoted and "{" in part.text:
            choices.append([Literal(text) for text in _brace_texts(part.text)])
        else:
            choices.append([part])
    require_memory(math.prod(map(len, choices)) * _FIELD)
    return [Word(parts) for parts in product(*choices)]


def _brace_texts(text: str) -> list[str]:
    start, end = text.find("{"), text.find("}")
    if start < 0 or end < start:
        return [text]
    body, tails = text[start + 1 : end], _brace_texts(text[end + 1 :])
    if (match := _RANGE.fullmatch(body)) is not None:
        first, last = int(match[1]), int(match[2])
        step = 1 if last >= first else -1
        require_memory((abs(last - first) + 1) * _FIELD)
        values = [str(number) for number in range(first, last + step, step)]
    elif "," in body:
        values = body.split(",")
    else:
        values = ["{" + body + "}"]
    require_memory(len(values) * len(tails) * _FIELD)
    return [text[:start] + value + tail for value in values for tail in tails]


def _matches(pattern: str, scope: Scope) -> list[str]:
    """Paths that match; the pattern itself when none does."""
    found = [("/", "/")] if pattern.startswith("/") else [("", scope.cwd)]
    for part in [part for part in pattern.split("/") if part]:
        found = [
            (posixpath.join(shown, name), posixpath.join(real, name))
            for shown, real in found
            for name in _names(scope.files, real, part)
        ]
    return sorted(shown for shown, _ in found) if found else [pattern]


def _names(files: Files, folder: str, part: str) -> list[str]:
    try:
        names = files.listdir(folder)
    except OSError:
        return []
    if not _PATTERN_CHARS.search(part):
        return [part] if part in names or part in (".", "..") else []
    hidden = part.startswith(".")
    return [
        name
        for name in names
        if fnmatch.fnmatchcase(name, part) and (hidden or not name.startswith("."))
    ]


_OPERATIONS: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Gt: lambda a, b: int(a > b),
    ast.Lt: lambda a, b: int(a < b),
    ast.GtE: lambda a, b: int(a >= b),
    ast.LtE: lambda a, b: int(a <= b),
    ast.Eq: lambda a, b: int(a == b),
    ast.NotEq: lambda a, b: int(a != b),
}


def evaluate(expression: str, scope: Scope) -> int:
    """Integer arithmetic of `$((...))`."""
    try:
        return _evaluate(ast.parse(expression.strip() or "0", mode="eval").body, scope)
    except (SyntaxError, KeyError, ValueError, ZeroDivisionError, MemoryError):
        raise UsageError(f"{expression}: syntax error in expression") from None


def _evaluate(node: ast.expr, scope: Scope) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return _wrapped(node.value)
    if isinstance(node, ast.Name):
        return int(scope.value(node.id) or 0)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand, scope)
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, scope), _evaluate(node.right, scope)
        if isinstance(node.op, ast.LShift | ast.RShift):
            right %= 64
        return _wrapped(_OPERATIONS[type(node.op)](left, right))
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = _evaluate(node.left, scope), _evaluate(node.comparators[0], scope)
        return _OPERATIONS[type(node.ops[0])](left, right)
    raise ValueError(expression_error(node))


def _wrapped(number: int) -> int:
    """As 64 bits with a sign hold it."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def expression_error(node: ast.expr) -> str:
    """What could not be evaluated."""
    return type(node).__name__
