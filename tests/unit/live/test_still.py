"""Rows that never change are put in order in short steps, with the same result."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from fluxstate_tui.chunked import clear_in_chunks, in_order
from fluxstate_tui.live.selection import NotWantedError, Selection, StillSelection


def test_sorting_in_short_steps_gives_the_same_order() -> None:
    numbers = list(range(90_000))
    assert in_order(numbers) == numbers
    random.Random(1).shuffle(numbers)
    assert in_order(numbers) == sorted(numbers)
    assert in_order([]) == []


def test_a_selection_made_in_steps_is_the_one_made_at_once() -> None:
    chance = random.Random(2)
    rows = {number: chance.randrange(50) for number in range(45_000)}
    choices: tuple[tuple[Callable[[int], int] | None, Callable[[int], bool] | None], ...] = (
        (None, None),
        (lambda row: row % 7, lambda row: row > 10),
    )
    for sort, where in choices:
        wanted = Selection(rows, sort=sort, where=where, reverse=True)
        empty: StillSelection[int, int] = StillSelection({}, sort=sort, where=where, reverse=True)
        made = empty.of(rows)
        assert len(made) == len(wanted)
        assert [made.key_at(n) for n in range(0, len(made), 97)] == [
            wanted.key_at(n) for n in range(0, len(wanted), 97)
        ]
        some = made.key_at(1234)
        hidden = next((key for key, row in rows.items() if where and not where(row)), -1)
        assert made.index_of(hidden) is None
        assert made.index_of(some) == 1234
        assert made.index_of(-1) is None


def test_what_is_not_wanted_any_more_is_not_finished() -> None:
    empty: StillSelection[int, int] = StillSelection({})
    with pytest.raises(NotWantedError):
        empty.of({number: number for number in range(45_000)}, lambda: False)


def test_a_list_is_let_go_in_steps() -> None:
    numbers = list(range(45_000))
    clear_in_chunks(numbers)
    assert not numbers
