"""Things by id without a dict behave as in a dict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.archive.job_map import sorted_by_id

_PAIRS = st.lists(st.tuples(st.integers(0, 40) | st.integers(0, 2**64 - 1), st.text(max_size=3)))


@given(_PAIRS, st.integers(0, 40))
def test_they_are_found_listed_and_counted_as_in_a_sorted_dict(
    pairs: list[tuple[int, str]], key: int
) -> None:
    expected = dict(sorted(dict(pairs).items()))
    found = sorted_by_id(pairs)
    assert list(found) == list(expected)
    assert list(found.items()) == list(expected.items())
    assert list(found.values()) == list(expected.values())
    assert len(found) == len(expected)
    assert found.get(key) == expected.get(key)
    assert (key in found) is (key in expected)
    assert dict(found) == expected


def test_what_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        sorted_by_id([(1, "a")])[2]
