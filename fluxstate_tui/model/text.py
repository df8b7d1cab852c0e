"""Text of jobs and clusters for plain output: shown as it is, but never obeyed by a terminal."""

from __future__ import annotations


def plain(text: str) -> str:
    r"""One line: control, format and bidi characters, line ends and surrogates become `\x1b`."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def plain_lines(text: str) -> str:
    """Several lines: line ends and tabs stay, everything else is as in `plain`."""
    return "\n".join(
        "\t".join(plain(piece) for piece in line.split("\t")) for line in text.split("\n")
    )


def _shown(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
