"""What the list of archives says of how far one was verified."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fluxstate_tui.tui.screens.archive.words import verified_word
from tests.unit.tui_screens import feed


@pytest.mark.parametrize(
    ("level", "mark"), [("L3", "·"), ("L2", "·"), ("L1", "·"), ("L0", "?"), ("", "?")]
)
def test_what_a_manifest_says_is_shown_as_a_claim(level: str, mark: str) -> None:
    entry = feed.entry("one", 60.0, {"completed": 1})
    assert entry.manifest is not None
    word = verified_word(replace(entry, manifest=replace(entry.manifest, verified=level)))
    assert word.glyph == mark
    assert word.word == f"says {level or 'L0'}"
