"""Long lines go on under their own text."""

from __future__ import annotations

import pytest

from fluxstate_tui.tui.text import hang, hang_at_most

Parts = list[tuple[str, str]]


@pytest.mark.parametrize(
    ("parts", "width", "lines"),
    [
        ([("    ↳ ", ""), ("one two three four", "")], 16, ["    ↳ one two", "      three four"]),
        ([("  do    ", ""), ("wait until up", "")], 16, ["  do    wait", "        until up"]),
        ([("· pod a-0: Pending", "")], 12, ["· pod a-0:", "  Pending"]),
        ([("plain words go on", "")], 11, ["plain words", "go on"]),
        ([("short", "")], 11, ["short"]),
        ([("日本語 日本語 日本語", "")], 8, ["日本語", "日本語", "日本語"]),
        ([(" " * 30 + "far", "")], 10, None),
    ],
)  # fmt: skip
def test_a_long_line_goes_on_under_its_text(
    parts: Parts, width: int, lines: list[str] | None
) -> None:
    made = hang(parts, width)
    assert all(line.cell_length <= width for line in made)
    if lines is not None:
        assert [line.plain.rstrip() for line in made] == lines


def test_what_is_left_out_is_said() -> None:
    made = hang_at_most([("one two three four five six", "")], 9, 2)
    assert [line.plain.rstrip() for line in made] == ["one two", "three …"]


def test_colours_stay_on_their_words() -> None:
    made = hang([("✗ ", "red"), ("failed because of it", "bold")], 10)
    assert all(span.style == "bold" for line in made[1:] for span in line.spans)
