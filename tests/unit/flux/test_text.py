"""Text of jobs cannot command a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.formatting import plain, plain_lines


def test_escapes_and_bidi_characters_are_shown() -> None:
    assert plain("a\x1b[2Jb\u202ec\x9d\n") == "a\\x1b[2Jb\\u202ec\\x9d\\n"
    assert plain("grüße 世界 🚀") == "grüße 世界 🚀"


def test_lines_and_tabs_stay_lines_and_tabs() -> None:
    assert plain_lines("a\tb\nc\rd") == "a\tb\nc\\rd"


@given(st.text(st.characters()))
def test_nothing_unprintable_passes(text: str) -> None:
    assert plain(text).isprintable()
    plain(text).encode()
