"""Long lines that go on under their own text: `  do    Wait until …` has its second line there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from textual.content import Content

from fluxstate_tui.widgets.plain import fit

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
