"""The shell's syntax tree."""

from __future__ import annotations

from dataclasses import dataclass, field


class SyntaxProblem(Exception):  # noqa: N818  (the shell's own `syntax error`)
    """The text is no shell command."""


class IncompleteInput(SyntaxProblem):
    """The text may become a command with another line."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Plain text; `quoted` text is neither split nor a pattern."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`, `${name}` or `${name<op><word>}`; op is one of :- - := = :+ + :? ? # ## % %% len."""

    name: str
    op: str = ""
    word: Word | None = None
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(commands)`."""

    body: Node
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`$((expression))`."""

    expression: Word
    quoted: bool = False


Part = Literal | Variable | Substitution | Arithmetic


@dataclass(frozen=True, slots=True)
class Word:
    """One word: parts that are joined after expansion."""

    parts: tuple[Part, ...]

    @property
    def plain(self) -> str | None:
        """Its text when it is a single unquoted literal, as keywords are."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Literal) and not self.parts[0].quoted:
            return self.parts[0].text
        return None


@dataclass(frozen=True, slots=True)
class Redirection:
    """`fd op target`: op is < > >> >& << (a here-document's text as the target)."""

    fd: int
    op: str
    target: Word


@dataclass(frozen=True, slots=True)
class Simple:
    """Assignments, words, redirections."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by `|`; `!` negates the exit code."""

    commands: tuple[Node, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """Items with what stands before each: '' (always), && or ||; `background` ends with `&`."""

    items: tuple[tuple[str, Node, bool], ...]


@dataclass(frozen=True, slots=True)
class For:
    """`for name in words; do body; done`; words None = "$@"."""

    name: str
    words: tuple[Word, ...] | None
    body: Node


@dataclass(frozen=True, slots=True)
class If:
    """`if/elif` conditions with their bodies, and `else`."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@dataclass(frozen=True, slots=True)
class Loop:
    """`while` or `until`."""

    condition: Node
    body: Node
    until: bool


@dataclass(frozen=True, slots=True)
class Case:
    """`case word in pattern) body;; esac`."""

    word: Word
    branches: tuple[tuple[tuple[Word, ...], Node], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """`{ list; }`, or `( list )` in a subshell; with redirections."""

    body: Node
    subshell: bool
    redirections: tuple[Redirection, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Function:
    """`name() { body; }`."""

    name: str
    body: Node


@dataclass(frozen=True, slots=True)
class Redirected:
    """A compound command with redirections."""

    body: Node
    redirections: tuple[Redirection, ...]


Node = Simple | Pipeline | Sequence | For | If | Loop | Case | Group | Function | Redirected
