"""From shell text to a syntax tree (POSIX sh and what tutorials use of bash)."""

from __future__ import annotations

import re
from functools import lru_cache

from fluxstate_tui.sim.shell.syntax import (
    Case,
    For,
    Function,
    Group,
    If,
    IncompleteInput,
    Literal,
    Loop,
    Node,
    Pipeline,
    Redirected,
    Redirection,
    Sequence,
    Simple,
    SyntaxProblem,
    Word,
)
from fluxstate_tui.sim.shell.words import WordReader

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_REDIRECTION = re.compile(r"(\d*)(&>>|&>|>>|>&|<&|<<-|<<<|<<|>\||>|<)")
_CLOSERS = {"then", "else", "elif", "fi", "do", "done", "esac", "}"}
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)[ \t]*\(\)")


@lru_cache(maxsize=256)  # the program's own scripts come again and again; trees never change
def parse(text: str) -> Node:
    """The tree of a whole text. IncompleteInput when more lines may help, else SyntaxProblem."""
    parser = Parser(text)
    try:
        tree = parser.sequence(frozenset())
    except RecursionError:
        raise SyntaxProblem("commands are nested too deep") from None
    parser.reader.skip_blanks()
    if rest := parser.reader.peek():
        raise SyntaxProblem(f"syntax error near unexpected token `{rest}'")
    return tree


class Parser:
    """Recursive descent over the text."""

    def __init__(self, text: str) -> None:
        self.reader = WordReader(text, parse)

    def sequence(self, closers: frozenset[str]) -> Sequence:
        """Commands up to a closing keyword or the end."""
        items: list[tuple[str, Node, bool]] = []
        joiner = ""
        while True:
            self._newlines()
            if self._at_end(closers):
                break
            command = self._pipeline()
            self.reader.skip_blanks()
            background, next_joiner, more = self._separator()
            items.append((joiner, command, background))
            joiner = next_joiner
            if not more:
                break
        if joiner:
            raise IncompleteInput("syntax error: unexpected end of file")
        if not items and closers:
            self._require_more()
        return Sequence(tuple(items))

    def _require_more(self) -> None:
        if not self.reader.peek():
            raise IncompleteInput("syntax error: unexpected end of file")

    def _at_end(self, closers: frozenset[str]) -> bool:
        reader = self.reader
        reader.skip_blanks()
        if not reader.peek() or reader.peek() == ")" or reader.peek(2) == ";;":
            return True
        return self._keyword() in closers

    def _keyword(self) -> str:
        reader = self.reader
        start = reader.at
        text = reader.word().plain or ""
        reader.at = start
        return text

    def _separator(self) -> tuple[bool, str, bool]:
        """(in background, how the next one is joined, whether there may be a next one)."""
        reader = self.reader
        for token in ("&&", "||"):
            if reader.peek(2) == token:
                reader.at += 2
                return False, token, True
        if reader.peek(2) == ";;":
            return False, "", False
        if reader.peek() in ("&", ";"):
            background = reader.peek() == "&"
            reader.at += 1
            return background, "", True
        return False, "", reader.peek() == "\n"

    def _newlines(self) -> None:
        reader = self.reader
        reader.skip_blanks()
        while reader.peek() == "\n":
            reader.at += 1
            reader.skip_blanks()

    def _pipeline(self) -> Node:
        negated = False
        if self._keyword() == "!":
            self.reader.word()
            self.reader.skip_blanks()
            negated = True
        commands = [self._command()]
        self.reader.skip_blanks()
        while self.reader.peek() == "|" and self.reader.peek(2) != "||":
            self.reader.at += 1
            self._newlines()
            if not self.reader.peek():
                raise IncompleteInput("syntax error: unexpected end of file")
            commands.append(self._command())
            self.reader.skip_blanks()
        if len(commands) == 1 and not negated:
            return commands[0]
        return Pipeline(tuple(commands), negated)

    def _command(self) -> Node:
        reader = self.reader
        reader.skip_blanks()
        if reader.peek() == "(":
            reader.at += 1
            body = self.sequence(frozenset({")"}))
            self._take(")")
            return Group(body, True, self._redirections())
        if (match := _NAME.match(reader.text, reader.at)) is not None:
            reader.at = match.end()
            self._newlines()
            return Function(match[1], self._command())
        compound = _COMPOUNDS.get(self._keyword())
        if compound is not None:
            reader.word()
            node: Node = compound(self)
            redirections = self._redirections()
            return Redirected(node, redirections) if redirections else node
        return self._simple()

    def _take(self, token: str) -> None:
        """A closing token or keyword."""
        self._newlines()
        reader = self.reader
        if token in "()":
            if reader.peek() == token:
                reader.at += 1
                return
        elif self._keyword() == token:
            reader.word()
            return
        if not reader.peek():
            raise IncompleteInput("syntax error: unexpected end of file")
        raise SyntaxProblem(f"syntax error near unexpected token `{reader.peek()}'")

    def _simple(self) -> Node:
        reader = self.reader
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        while True:
            reader.skip_blanks()
            if (redirection := self._redirection()) is not None:
                redirections.extend(redirection)
                continue
            if not reader.peek() or reader.peek() in "\n;&|()":
                break
            match = _ASSIGNMENT.match(reader.text, reader.at) if not words else None
            if match is not None:
                reader.at = match.end()
                assignments.append((match[1], reader.word()))
            else:
                words.append(reader.word())
        if not (assignments or words or redirections):
            found = reader.peek() or "newline"
            raise SyntaxProblem(f"syntax error near unexpected token `{found}'")
        if words and words[0].plain in _CLOSERS:
            raise SyntaxProblem(f"syntax error near unexpected token `{words[0].plain}'")
        return Simple(tuple(assignments), tuple(words), tuple(redirections))

    def _redirections(self) -> tuple[Redirection, ...]:
        found: list[Redirection] = []
        while True:
            self.reader.skip_blanks()
            redirection = self._redirection()
            if redirection is None:
                return tuple(found)
            found.extend(redirection)

    def _redirection(self) -> list[Redirection] | None:
        reader = self.reader
        match = _REDIRECTION.match(reader.text, reader.at)
        if match is None:
            return None
        reader.at = match.end()
        reader.skip_blanks()
        op = match[2]
        fd = int(match[1]) if match[1] else (0 if op.startswith("<") else 1)
        target = reader.word()
        if not target.parts:
            raise SyntaxProblem("syntax error near unexpected token `newline'")
        if op in ("<<", "<<-"):
            return [Redirection(fd, "<<", self._document(target, op == "<<-"))]
        if op == "<<<":
            text = Word((*target.parts, Literal("\n", quoted=True)))
            return [Redirection(fd, "<<", text)]
        if op in ("&>", "&>>"):
            one = Redirection(1, op[1:], target)
            return [one, Redirection(2, ">&", Word((Literal("1"),)))]
        return [Redirection(fd, ">" if op == ">|" else op, target)]

    def _document(self, end: Word, strip: bool) -> Word:
        """The here-document whose lines follow this one."""
        reader = self.reader
        quoted = any(isinstance(part, Literal) and part.quoted for part in end.parts)
        marker = "".join(part.text for part in end.parts if isinstance(part, Literal))
        line_end = reader.text.find("\n", reader.at)
        if line_end < 0:
            raise IncompleteInput("here-document delimited by end-of-file")
        lines, at = [], line_end + 1
        while True:
            stop = reader.text.find("\n", at)
            line = reader.text[at:] if stop < 0 else reader.text[at:stop]
            line = line.lstrip("\t") if strip else line
            if line == marker:
                break
            if stop < 0:
                raise IncompleteInput("here-document delimited by end-of-file")
            lines.append(line + "\n")
            at = stop + 1
        end_at = len(reader.text) if stop < 0 else stop + 1
        reader.text = reader.text[: line_end + 1] + reader.text[end_at:]
        body = "".join(lines)
        return Word((Literal(body, quoted=True),)) if quoted else reader.here_document(body)

    def _for(self) -> Node:
        reader = self.reader
        reader.skip_blanks()
        name = reader.word().plain or ""
        words: list[Word] | None = None
        self._newlines()
        if self._keyword() == "in":
            reader.word()
            words = []
            reader.skip_blanks()
            while reader.peek() and reader.peek() not in "\n;":
                words.append(reader.word())
                reader.skip_blanks()
        if reader.peek() == ";":
            reader.at += 1
        self._take("do")
        body = self.sequence(frozenset({"done"}))
        self._take("done")
        return For(name, None if words is None else tuple(words), body)

    def _if(self) -> Node:
        branches = []
        otherwise: Node | None = None
        closers = frozenset({"elif", "else", "fi"})
        while True:
            condition = self.sequence(frozenset({"then"}))
            self._take("then")
            branches.append((condition, self.sequence(closers)))
            self._newlines()
            if self._keyword() != "elif":
                break
            self.reader.word()
        if self._keyword() == "else":
            self.reader.word()
            otherwise = self.sequence(frozenset({"fi"}))
        self._take("fi")
        return If(tuple(branches), otherwise)

    def _loop(self, until: bool) -> Node:
        condition = self.sequence(frozenset({"do"}))
        self._take("do")
        body = self.sequence(frozenset({"done"}))
        self._take("done")
        return Loop(condition, body, until)

    def _case(self) -> Node:
        reader = self.reader
        reader.skip_blanks()
        word = reader.word()
        self._take("in")
        branches = []
        self._newlines()
        while self._keyword() != "esac":
            if reader.peek() == "(":
                reader.at += 1
            patterns = []
            while True:
                reader.skip_blanks()
                patterns.append(reader.word())
                reader.skip_blanks()
                if reader.peek() != "|":
                    break
                reader.at += 1
            self._take(")")
            branches.append((tuple(patterns), self.sequence(frozenset({"esac"}))))
            if reader.peek(2) == ";;":
                reader.at += 2
            self._newlines()
            if not reader.peek():
                raise IncompleteInput("syntax error: unexpected end of file")
        self._take("esac")
        return Case(word, tuple(branches))

    def _group(self) -> Node:
        body = self.sequence(frozenset({"}"}))
        self._take("}")
        return Group(body, False)


_COMPOUNDS = {
    "for": Parser._for,
    "if": Parser._if,
    "while": lambda parser: parser._loop(False),
    "until": lambda parser: parser._loop(True),
    "case": Parser._case,
    "{": Parser._group,
}
