"""A selection that is patched shows what one built anew would show."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fluxstate_tui.live.selection import Selection

Rows = dict[int, int]
CHANGES = st.lists(
    st.dictionaries(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 5)), max_size=6),
    max_size=12,
)
SORTS: list[Any] = [None, lambda row: row]
FILTERS: list[Any] = [None, lambda row: row % 2 == 0]


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.integers(0, 30), st.integers(0, 5)),
    CHANGES,
    st.sampled_from(SORTS),
    st.sampled_from(FILTERS),
    st.booleans(),
)
def test_patching_gives_the_same_as_building_anew(
    rows: Rows, changes: list[dict[int, int | None]], sort: Any, where: Any, reverse: bool
) -> None:
    selection: Selection[int, int] = Selection(rows, sort=sort, where=where, reverse=reverse)
    for change in changes:
        for key, value in change.items():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        selection.patch(change)
        fresh: Selection[int, int] = Selection(rows, sort=sort, where=where, reverse=reverse)
        shown = [selection.key_at(line) for line in range(len(selection))]
        assert shown == [fresh.key_at(line) for line in range(len(fresh))]
        assert [selection.index_of(key) for key in shown] == list(range(len(shown)))


def test_a_key_that_is_filtered_out_has_no_line() -> None:
    selection: Selection[int, int] = Selection({1: 1, 2: 2}, where=lambda row: row > 1)
    assert selection.index_of(1) is None
    assert selection.index_of(2) == 0


def test_a_change_that_moves_nothing_says_so() -> None:
    rows = {1: 1, 2: 2}
    selection: Selection[int, int] = Selection(rows)
    rows[1] = 5
    assert selection.patch([1]) is False
    rows[3] = 0
    assert selection.patch([3]) is True
