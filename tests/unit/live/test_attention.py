"""Connected is what is looked at, up to a limit."""

from __future__ import annotations

from fluxstate_tui.live.attention import Attention

LISTED = [f"mc-{number}" for number in range(10)]


def test_while_there_is_room_all_are_connected() -> None:
    assert Attention(10).chosen(LISTED, ()) == tuple(LISTED)


def test_what_is_on_the_screen_comes_first() -> None:
    attention = Attention(3)
    assert attention.look("list", ["mc-7", "mc-8"])
    assert attention.chosen(LISTED, ()) == ("mc-7", "mc-8", "mc-0")


def test_what_was_opened_last_comes_before_the_list_under_it() -> None:
    attention = Attention(2)
    attention.look("list", LISTED[:5])
    attention.look("minicluster", ["mc-9"])
    assert attention.chosen(LISTED, ()) == ("mc-9", "mc-0")
    attention.look("minicluster", ())
    assert attention.chosen(LISTED, ()) == ("mc-0", "mc-1")


def test_who_is_connected_stays_so_while_there_is_room() -> None:
    attention = Attention(4)
    attention.look("list", ["mc-5", "mc-6"])
    assert set(attention.chosen(LISTED, ("mc-1", "mc-2", "mc-3"))) == {
        *("mc-5", "mc-6", "mc-1", "mc-2")
    }


def test_an_operation_keeps_its_minicluster_connected() -> None:
    attention = Attention(1)
    attention.hold("mc-4")
    attention.look("list", LISTED)
    assert attention.chosen(LISTED, ()) == ("mc-4",)
    attention.release("mc-4")
    assert attention.chosen(LISTED, ()) == ("mc-0",)


def test_what_is_gone_is_not_chosen() -> None:
    attention = Attention(2)
    attention.look("list", ["gone", "mc-1"])
    assert attention.chosen(LISTED[:2], ("gone",)) == ("mc-1", "mc-0")


def test_to_look_at_the_same_is_no_news() -> None:
    attention = Attention()
    attention.look("list", ["mc-1"])
    assert not attention.look("list", ["mc-1"])
    assert not attention.look("minicluster", ())
