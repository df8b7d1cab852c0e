"""What the list of archives says of how far one was verified."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fluxstate_tui.screens.views.archives import verified_word
from tests.unit.screens import feed


@pytest.mark.parametrize(
    ("level", "mark"), [("L3", "✓"), ("L2", "✓"), ("L1", "✓"), ("L0", "?"), ("", "?")]
)
def test_only_what_was_read_back_has_the_mark_of_the_verified(level: str, mark: str) -> None:
    entry = feed.entry("one", 60.0, {"completed": 1})
    assert entry.manifest is not None
    word = verified_word(replace(entry, manifest=replace(entry.manifest, verified=level)))
    assert word.glyph == mark
