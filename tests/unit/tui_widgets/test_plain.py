"""Text of the cluster looks like itself and moves nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fluxstate_tui.tui.text import fit, searchable, visible, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[/foo] [bold]x", "[/foo] [bold]x"),
        ("a\nb\tc", "a␊b␉c"),
        ("\x1b[31mred", "␛[31mred"),
        ("\x7f\x00", "␡␀"),
        ("\u202eabc", "�abc"),
        ("lone \ud800", "lone �"),
    ],
)
def test_what_would_move_the_cursor_is_a_picture(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(max_size=60), st.integers(0, 30), st.sampled_from(["left", "right"]))
def test_a_cell_is_exactly_as_wide_as_asked(text: str, width: int, align: str) -> None:
    shown = fit(text, width, align)
    assert cell_len(shown) == width
    assert "\n" not in shown
    assert "\x1b" not in shown


@given(st.text(max_size=400))
def test_what_is_searched_for_is_in_the_text_and_looks_like_itself(text: str) -> None:
    wanted = searchable(text)
    assert wanted in text
    assert visible(wanted) == wanted
    assert '"' not in wanted
    assert len(wanted) <= 100


def test_the_end_of_a_text_may_be_what_is_shown() -> None:
    assert fit("lammps-sweep-[2-3]", 10, tail=True) == "…eep-[2-3]"
    assert fit("日本語", 4, tail=True) == "… 語"
    assert fit("flux-0", 8, tail=True) == "flux-0  "


def test_wide_characters_are_measured_in_cells() -> None:
    assert fit("日本語", 4) == "日 …"
    assert fit("日本", 6) == "日本  "


def test_text_that_is_cut_says_so() -> None:
    assert fit("abcdefgh", 5) == "abcd…"
    assert fit("x" * 1_000_000, 5) == "xxxx…"


def test_lines_for_a_panel_are_cut_with_a_count() -> None:
    lines = visible_lines("a\r\nb" + "x" * 50, limit=10)
    assert lines[0] == "a"
    assert lines[-1].endswith("more)")
