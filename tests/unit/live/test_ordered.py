"""Keys in blocks are what one sorted list of them would be, however many come and go."""

from __future__ import annotations

import random
from bisect import bisect_left, insort

from fluxstate_tui.live.selection import BLOCK, Ordered


def test_keys_that_come_and_go_are_where_a_sorted_list_has_them() -> None:
    chance = random.Random(4)
    wanted = sorted((chance.randrange(5), key) for key in range(3 * BLOCK))
    ordered = Ordered([([value for value, _ in wanted], [key for _, key in wanted])])
    for step in range(8 * BLOCK):
        if step < 5 * BLOCK:  # grows until blocks are split, then shrinks until some are empty
            pair = (chance.randrange(5), 10 * BLOCK + step)
            ordered.add(*pair)
            insort(wanted, pair)
        else:
            pair = wanted.pop(chance.randrange(min(len(wanted), BLOCK)))
            assert ordered.remove(*pair)
            assert not ordered.remove(*pair)
        if step % 50 == 0:
            assert ordered.between(0, len(wanted)) == [key for _, key in wanted]
            probe = chance.choice(wanted)
            assert ordered.place(*probe) == bisect_left(wanted, probe)
    assert len(ordered) == len(wanted)


def test_a_part_of_the_order_may_lie_over_several_blocks() -> None:
    keys = list(range(5 * BLOCK))
    ordered = Ordered([([0] * len(keys), keys)])
    assert ordered.between(BLOCK - 2, 3 * BLOCK + 1) == keys[BLOCK - 2 : 3 * BLOCK + 1]
    assert ordered.between(5 * BLOCK - 1, 9 * BLOCK) == keys[-1:]
    assert ordered.between(5 * BLOCK, 6 * BLOCK) == []


def test_an_empty_order_takes_its_first_key_and_gives_it_back() -> None:
    ordered: Ordered[str] = Ordered()
    assert ordered.between(0, 5) == []
    assert ordered.place(0, "a") is None
    assert not ordered.remove(0, "a")
    ordered.add(0, "a")
    assert (len(ordered), ordered.between(0, 5), ordered.place(0, "a")) == (1, ["a"], 0)
    assert ordered.remove(0, "a")
    assert (len(ordered), ordered.between(0, 5)) == (0, [])


def test_an_order_is_let_go_in_steps() -> None:
    keys = list(range(100 * BLOCK))
    ordered = Ordered([(keys, keys)])
    ordered.clear_in_chunks()
    assert (len(ordered), ordered.between(0, 9)) == (0, [])
