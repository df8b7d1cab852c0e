"""Text of the cluster made safe for a terminal."""

from __future__ import annotations


def plain(text: str) -> str:
    """The text on one line, with control characters shown instead of obeyed."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )
