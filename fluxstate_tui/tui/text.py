"""Text of the cluster on the screen: it looks like itself, breaks nothing, and is never markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size
from textual.content import Content

# C0 and C1 controls, DEL, line and paragraph separators, bidi controls, zero-width and variation
# characters, tags, lone surrogates: everything that would move the cursor or reorder a line.
_TROUBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if code in (0x200D, 0xFE0F, 0xFE0E):
        return ""  # joiners and emoji variations: terminals disagree about their width
    return "�"


def visible(text: str) -> str:
    """One line in which every control character is a visible picture (`\\n` is ␊, ESC is ␛)."""
    return _TROUBLE.sub(_picture, text)


def searchable(text: str, limit: int = 100) -> str:
    """The longest stretch of it that looks like itself: what can stand in a filter, and finds it.

    Without quotation marks, which end a filter's value.
    """
    batched = _TROUBLE.sub('"', text[: 10 * limit]).split('"')
    return max(batched, key=len)[:limit].strip()


def visible_lines(text: str, limit: int = 20_000) -> list[str]:
    """Lines for a multi-line panel, each made visible; tabs become four spaces."""
    cut = text if len(text) <= limit else text[:limit] + f"… ({len(text) - limit} more)"
    return [visible(line) for line in cut.replace("\r\n", "\n").expandtabs(4).split("\n")]


def fit(text: str, width: int, align: str = "left", *, tail: bool = False) -> str:
    """Exactly `width` cells: cut with … or padded. A megabyte costs no more than a word.

    With `tail` the end of a text that is cut is shown, not its beginning.
    """
    if width <= 0:
        return ""
    most = width * 4 + 8
    shown = visible(text[-most:] if tail else text[:most])
    cells = cell_len(shown)
    if cells > width or len(text) > most:
        if tail:
            return "…" + set_cell_size(shown[::-1], width - 1)[::-1]
        return set_cell_size(shown, width - 1) + "…"
    padding = " " * (width - cells)
    return padding + shown if align == "right" else shown + padding


# Long lines that go on under their own text: `  do    Wait until …` has its second line there.

# What stands before the text of a line: a glyph such as · or ↳, or a label in its own column.
_GLYPH: Final = re.compile(r"\s*(?:[^\w\s]\s+)?")
_LABEL: Final = re.compile(r".{0,14}\s{2,}")


def hang(parts: Sequence[tuple[str, str]], width: int) -> list[Content]:
    """The parts of one line as lines of at most `width` cells, all but the first indented."""
    content = Content.assemble(*parts)
    if width <= 0 or content.cell_length <= width:
        return [content]
    before = _before_text(parts)
    indent = cell_len(content.plain[:before])
    if indent > width // 2:
        before = indent = 0
    first, *others = content[before:].wrap(width - indent)
    return [content[:before] + first, *(line.pad_left(indent) for line in others)]


def hang_at_most(parts: Sequence[tuple[str, str]], width: int, most: int) -> list[Content]:
    """As `hang`, but only the first lines; the last one says with … that it goes on."""
    lines = hang(parts, width)
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    cut = Content(fit(f"{last.plain} …", width), spans=list(last.spans))
    return [*lines[: most - 1], cut]


def _before_text(parts: Sequence[tuple[str, str]]) -> int:
    """How many characters stand before the text of a line."""
    first = parts[0][0] if parts else ""
    if len(parts) > 1 and _LABEL.fullmatch(first):
        return len(first)
    found = _GLYPH.match("".join(text for text, _ in parts))
    return found.end() if found else 0
