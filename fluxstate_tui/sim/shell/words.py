"""Reading words: quotes, variables and substitutions, up to where a word ends."""

from __future__ import annotations

from collections.abc import Callable

from fluxstate_tui.sim.shell.syntax import (
    Arithmetic,
    IncompleteInput,
    Literal,
    Node,
    Part,
    Substitution,
    SyntaxProblem,
    Variable,
    Word,
)

WORD_ENDS = " \t\n;&|<>()"
_SPECIAL = "@*#?$!-0123456789"
_OPERATORS = (":-", ":=", ":+", ":?", "##", "%%", "-", "=", "+", "?", "#", "%")


class WordReader:
    """A cursor over shell text. `parse_list` is the parser's, for `$(...)`."""

    def __init__(self, text: str, parse: Callable[[str], Node]) -> None:
        self.text = text
        self.at = 0
        self._parse = parse

    def peek(self, length: int = 1) -> str:
        """The next characters, '' at the end."""
        return self.text[self.at : self.at + length]

    def skip_blanks(self) -> None:
        """Over blanks, comments and line continuations."""
        while True:
            if self.peek(2) == "\\\n":
                self.at += 2
            elif self.peek() and self.peek() in " \t":
                self.at += 1
            elif self.peek() == "#" and (self.at == 0 or self.text[self.at - 1] in " \t\n;&|("):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def word(self, ends: str = WORD_ENDS) -> Word:
        """The word that begins here (maybe of no parts)."""
        parts: list[Part] = []
        while (char := self.peek()) and char not in ends:
            if char == "'":
                parts.append(Literal(self._single_quoted(), quoted=True))
            elif char == '"':
                self.at += 1
                parts.extend(self._double_quoted('"'))
            elif char == "\\":
                if self.peek(2) != "\\\n":
                    parts.append(Literal(self.text[self.at + 1 : self.at + 2], quoted=True))
                self.at += 2
            elif char in "$`":
                parts.append(self._dollar(quoted=False))
            else:
                parts.append(Literal(self._plain(ends)))
        return Word(tuple(parts))

    def _plain(self, ends: str) -> str:
        start = self.at
        while (char := self.peek()) and char not in ends and char not in "'\"\\$`":
            self.at += 1
        return self.text[start : self.at]

    def _single_quoted(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise IncompleteInput("unexpected EOF while looking for matching `''")
        quoted = self.text[self.at + 1 : end]
        self.at = end + 1
        return quoted

    def _double_quoted(self, closing: str) -> list[Part]:
        parts: list[Part] = [Literal("", quoted=True)]
        buffer = ""
        while (char := self.peek()) != closing:
            if not char:
                raise IncompleteInput(f"unexpected EOF while looking for matching `{closing}'")
            if char == "\\" and self.peek(2)[1:] in ('"', "\\", "$", "`", "\n"):
                buffer += "" if self.peek(2)[1:] == "\n" else self.peek(2)[1:]
                self.at += 2
            elif char in "$`":
                parts.append(Literal(buffer, quoted=True))
                buffer = ""
                parts.append(self._dollar(quoted=True))
            else:
                buffer += char
                self.at += 1
        self.at += 1
        return [*parts, Literal(buffer, quoted=True)]

    def here_document(self, text: str) -> Word:
        """A here-document's text with its variables."""
        inner = WordReader(text + "\0", self._parse)
        return Word(tuple(inner._double_quoted("\0")))

    def _dollar(self, *, quoted: bool) -> Part:
        if self.peek() == "`":
            return self._backquoted(quoted=quoted)
        after = self.text[self.at + 1 : self.at + 2]
        if self.peek(3) == "$((":
            return self._arithmetic(quoted=quoted)
        if after == "(":
            body = self._balanced(self.at + 2)
            return Substitution(self._parse(body), quoted=quoted)
        if after == "{":
            return self._braced(quoted=quoted)
        if after == "'" and not quoted:
            self.at += 1
            return Literal(_unescape(self._single_quoted()), quoted=True)
        if after and after in _SPECIAL:
            self.at += 2
            return Variable(after, quoted=quoted)
        end = self.at + 1
        while end < len(self.text) and (self.text[end].isalnum() or self.text[end] == "_"):
            end += 1
        name = self.text[self.at + 1 : end]
        self.at = max(end, self.at + 1)
        return Variable(name, quoted=quoted) if name else Literal("$", quoted=True)

    def _balanced(self, start: int) -> str:
        """The text up to the `)` that closes what opened before `start`."""
        depth, at = 1, start
        while at < len(self.text):
            char = self.text[at]
            if char == "\\":
                at += 1
            elif char in "'\"":
                at = self._end_of_quote(at)
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
                if not depth:
                    self.at = at + 1
                    return self.text[start:at]
            at += 1
        raise IncompleteInput("unexpected EOF while looking for matching `)'")

    def _end_of_quote(self, at: int) -> int:
        quote, at = self.text[at], at + 1
        while at < len(self.text) and self.text[at] != quote:
            at += 2 if self.text[at] == "\\" and quote == '"' else 1
        return at

    def _backquoted(self, *, quoted: bool) -> Part:
        end = self.text.find("`", self.at + 1)
        if end < 0:
            raise IncompleteInput("unexpected EOF while looking for matching ``'")
        body = self.text[self.at + 1 : end]
        self.at = end + 1
        return Substitution(self._parse(body), quoted=quoted)

    def _arithmetic(self, *, quoted: bool) -> Part:
        start = self.at + 3
        body = self._balanced(start)
        if self.peek() != ")":
            raise SyntaxProblem("syntax error near unexpected token `)'")
        self.at += 1
        return Arithmetic(WordReader(body, self._parse).word(ends=""), quoted=quoted)

    def _braced(self, *, quoted: bool) -> Part:
        self.at += 2
        if self.peek() == "#" and self.peek(2) not in ("#}", "#"):
            self.at += 1
            name = self._name()
            self._expect("}")
            return Variable(name, "len", quoted=quoted)
        name = self._name()
        for op in _OPERATORS:
            if self.peek(len(op)) == op:
                self.at += len(op)
                word = self._braced_word(quoted=quoted)
                self._expect("}")
                return Variable(name, op, word, quoted=quoted)
        self._expect("}")
        return Variable(name, quoted=quoted)

    def _braced_word(self, *, quoted: bool) -> Word:
        if not quoted:
            return self.word(ends="}")
        parts: list[Part] = []
        while (char := self.peek()) != "}":
            if not char:
                raise IncompleteInput("unexpected EOF while looking for matching `}'")
            if char in "$`":
                parts.append(self._dollar(quoted=True))
            elif char == '"':
                self.at += 1
                parts.extend(self._double_quoted('"'))
            else:
                self.at += 1
                parts.append(Literal(char, quoted=True))
        return Word(tuple(parts))

    def _name(self) -> str:
        start = self.at
        if self.peek() and self.peek() in _SPECIAL:
            self.at += 1
        else:
            while self.peek().isalnum() or self.peek() == "_":
                self.at += 1
        if start == self.at:
            raise SyntaxProblem("bad substitution")
        return self.text[start : self.at]

    def _expect(self, char: str) -> None:
        if self.peek() != char:
            if not self.peek():
                raise IncompleteInput(f"unexpected EOF while looking for matching `{char}'")
            raise SyntaxProblem("bad substitution")
        self.at += 1


def _unescape(text: str) -> str:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
