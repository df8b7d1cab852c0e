"""The grid: the cursor follows the key, and only what looks different is painted."""

from __future__ import annotations

from typing import ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from fluxstate_tui.tui.theme import VARIABLES
from fluxstate_tui.tui.widgets.grid import Column, Grid, place

COLUMNS: tuple[Column[str], ...] = (
    Column("text", "TEXT", 6, lambda row, _: row, sort=lambda row: row, flex=1),
    Column("size", "SIZE", 5, lambda row, _: str(len(row)), "right", rank=1),
    Column("late", "LATE", 5, lambda row, now: f"{now:.0f}", rank=2, ticks=lambda row: row == "b"),
)


class Bench(App[None]):
    """A grid alone."""

    ENABLE_COMMAND_PALETTE = False
    time: ClassVar[float] = 0.0

    def __init__(self, rows: dict[int, str], columns: tuple[Column[str], ...] = COLUMNS) -> None:
        super().__init__()
        self.rows = rows
        self.seconds = 1.0
        self.grid: Grid[int, str] = Grid(columns, now=lambda: self.seconds, empty="Nothing yet.")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(VARIABLES)

    def compose(self) -> ComposeResult:
        yield self.grid

    def on_mount(self) -> None:
        self.grid.show(self.rows)
        self.grid.focus()


def lines(grid: Grid[int, str]) -> list[str]:
    return [grid.render_line(y).text.rstrip() for y in range(grid.size.height)]


def painted(grid: Grid[int, str], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The screen lines that are asked to be painted from now on; -1 stands for all."""
    seen: list[int] = []
    original = grid.refresh

    def refresh(*regions: Region, **options: bool) -> object:
        seen.extend(region.y for region in regions)
        if not regions:
            seen.append(-1)
        return original(*regions, **options)

    monkeypatch.setattr(grid, "refresh", refresh)
    return seen


async def test_rows_stand_under_their_titles() -> None:
    app = Bench({1: "a", 2: "bb"})
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        header, first, second = lines(app.grid)[:3]
        assert header.split() == ["TEXT", "SIZE", "LATE"]
        assert first.split() == ["▌", "a", "1", "1"]
        assert second.split() == ["bb", "2", "1"]


async def test_the_cursor_follows_its_row_when_others_come_before_it() -> None:
    app = Bench({5: "a", 6: "b", 7: "c"})
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.press("down")
        assert app.grid.cursor_key == 6
        app.rows[1] = "new"
        app.grid.patch([1])
        await pilot.pause()
        assert app.grid.cursor_key == 6
        assert lines(app.grid)[3].startswith("▌ b")


async def test_the_cursor_stays_on_its_line_when_its_row_is_gone() -> None:
    app = Bench({5: "a", 6: "b", 7: "c"})
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.press("down")
        del app.rows[6]
        app.grid.patch([6])
        await pilot.pause()
        assert app.grid.cursor_key == 7


async def test_a_cursor_that_nobody_moved_follows_the_row_that_was_first_at_first() -> None:
    app = Bench({5: "a"})
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        app.rows[1] = "first now"
        app.grid.patch([1])
        await pilot.pause()
        assert app.grid.cursor_key == 5
        assert lines(app.grid)[2].startswith("▌ a")
        app.grid.show({1: "first now", 4: "another", 5: "a"})
        assert app.grid.cursor_key == 5


async def test_who_chooses_an_order_before_moving_is_shown_its_first_row() -> None:
    app = Bench({1: "c", 2: "b", 3: "a"})
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        app.grid.order_by("text", reverse=False)
        assert app.grid.cursor_key == 3
        app.rows[0] = "A"
        app.grid.patch([0])
        assert app.grid.cursor_key == 3


async def test_where_keys_act_on_the_row_its_going_leaves_the_cursor_nowhere() -> None:
    app = Bench({5: "a", 6: "b", 7: "c"})
    app.grid = Grid(COLUMNS, acted_on=True)
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        del app.rows[5]
        app.grid.patch([5])
        assert app.grid.cursor_key is None
        app.rows[5] = "a"
        app.grid.patch([5])
        assert app.grid.cursor_key == 5
        del app.rows[5]
        app.grid.patch([5])
        await pilot.press("down")
        assert app.grid.cursor_key == 6


async def test_a_change_paints_its_line_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Bench(dict(enumerate("abcdef")))
    async with app.run_test(size=(30, 12)) as pilot:
        await pilot.pause()
        seen = painted(app.grid, monkeypatch)
        app.rows[3] = "changed"
        app.grid.patch([3])
        assert seen == [4]
        assert "chang" in lines(app.grid)[4]


async def test_a_change_out_of_sight_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Bench({n: str(n) for n in range(1000)})
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.pause()
        seen = painted(app.grid, monkeypatch)
        app.rows[900] = "changed"
        app.grid.patch([900])
        assert seen == []


async def test_a_row_more_or_less_lays_nothing_out_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Bench({n: str(n) for n in range(100)})
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.pause()
        laid_out: list[bool] = []
        original = app.grid.refresh

        def refresh(*regions: Region, **options: bool) -> object:
            laid_out.append(options.get("layout", False))
            return original(*regions, **options)

        monkeypatch.setattr(app.grid, "refresh", refresh)
        app.rows[100] = "one more"
        del app.rows[3], app.rows[4]
        app.grid.patch([100, 3, 4])
        await pilot.press("end")
        assert not any(laid_out)
        assert app.grid.cursor_key == 100
        assert "one" in lines(app.grid)[9]
        assert app.grid.vertical_scrollbar.window_virtual_size == 100


async def test_the_scrollbar_comes_and_goes_with_the_rows() -> None:
    app = Bench({1: "a"})
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.pause()
        assert not app.grid.show_vertical_scrollbar
        app.rows.update({n: str(n) for n in range(50)})
        app.grid.patch(range(50))
        await pilot.pause()
        assert app.grid.vertical_scrollbar.display
        assert app.grid.vertical_scrollbar.region.height == 10
        await pilot.press("end")
        assert lines(app.grid)[9].startswith("▌")
        app.grid.show({1: "a"})
        await pilot.pause()
        assert not app.grid.vertical_scrollbar.display
        assert app.grid.scroll_offset.y == 0


async def test_all_rows_that_pass_the_filter_are_marked_and_unmarked() -> None:
    app = Bench({1: "a", 2: "b", 3: "a"})
    async with app.run_test(size=(30, 10)) as pilot:
        app.grid.filter_by(lambda row: row == "a")
        await pilot.press("asterisk")
        assert app.grid.marked == {1, 3}
        app.grid.filter_by(None)
        await pilot.press("asterisk")
        assert app.grid.marked == {1, 2, 3}
        assert "◆" in lines(app.grid)[2]
        await pilot.press("asterisk")
        assert app.grid.marked == set()


async def test_a_screen_without_colour_has_none_in_the_grid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Bench({1: "a"})
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        strips = app.grid.render_lines(app.grid.size.region)
        inks = {segment.style.color for strip in strips for segment in strip if segment.style}
        assert all(ink is None or len(set(ink.triplet or ())) <= 1 for ink in inks)


async def test_time_paints_only_rows_whose_text_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Bench({1: "a", 2: "b", 3: "c"})
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.pause()
        lines(app.grid)
        seen = painted(app.grid, monkeypatch)
        app.seconds = 1.2
        app.grid.tick()
        assert seen == []
        app.seconds = 2.0
        app.grid.tick()
        assert seen == [2]


ALL_TICK: tuple[Column[str], ...] = (
    Column("text", "TEXT", 6, lambda row, _: row, sort=lambda row: row, flex=1),
    Column("late", "LATE", 5, lambda row, now: f"{now:.0f}", ticks=lambda _: True),
)


async def test_time_changes_every_visible_line_wherever_the_cursor_was_and_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Bench({n: f"row {n:02}" for n in range(40)}, ALL_TICK)
    async with app.run_test(size=(30, 10)) as pilot:
        seen = painted(app.grid, monkeypatch)
        keys = ("down", "down", "up", "end", "pageup", "home", "space", "pagedown", "o")
        for number, key in enumerate(keys, 2):
            await pilot.press(key)
            await pilot.pause()
            app.seconds = float(number)
            seen.clear()
            app.grid.tick()
            assert sorted(seen) == list(range(1, 10)), key
            await pilot.pause()
            seen.clear()
            app.grid.tick()
            assert seen == [], key


async def test_the_end_of_a_long_list_can_be_reached_and_left() -> None:
    app = Bench({n: f"row {n}" for n in range(500)})
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert app.grid.cursor_key == 499
        assert "row" in lines(app.grid)[9]
        assert lines(app.grid)[9].startswith("▌")
        await pilot.press("pageup", "home")
        await pilot.pause()
        assert lines(app.grid)[1].startswith("▌")


async def test_sorting_and_filtering_keep_the_cursor_on_its_row() -> None:
    app = Bench({1: "c", 2: "a", 3: "b"})
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("down", "down")
        assert app.grid.cursor_key == 3
        app.grid.order_by("text", reverse=True)
        assert [line.split()[-3] for line in lines(app.grid)[1:4]] == ["c", "b", "a"]
        assert app.grid.cursor_key == 3
        app.grid.filter_by(lambda row: row != "c")
        assert app.grid.cursor_key == 3
        assert "TEXT▼" in lines(app.grid)[0]


async def test_space_marks_and_goes_on() -> None:
    app = Bench({1: "a", 2: "b", 3: "c"})
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("space", "space")
        assert app.grid.marked == {1, 2}
        assert app.grid.cursor_key == 3
        assert "◆" in lines(app.grid)[1]


async def test_a_click_chooses_a_row_and_a_click_on_a_title_sorts() -> None:
    app = Bench({1: "c", 2: "a"})
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.click(Grid, offset=(5, 2))
        assert app.grid.cursor_key == 2
        await pilot.click(Grid, offset=(4, 0))
        assert app.grid.sorted_by == "text"
        assert lines(app.grid)[1].split()[-3] == "a"


async def test_an_empty_grid_says_so() -> None:
    app = Bench({})
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        assert "Nothing yet." in lines(app.grid)[2]
        await pilot.press("down", "end", "space", "pageup")
        assert app.grid.cursor_key is None


async def test_a_long_reason_for_emptiness_is_wrapped_and_not_cut() -> None:
    why = "No connection to https://cluster.example:6443. " * 3 + "Try kubectl cluster-info."
    app = Bench({})
    app.grid.say_when_empty(f"{why}\nctrl+r connects again.")
    async with app.run_test(size=(40, 14)):
        shown = lines(app.grid)
        assert " ".join(" ".join(shown).split()).endswith(f"{why} ctrl+r connects again.")
        assert shown[-1] == ""


async def test_hostile_text_stays_in_its_cell() -> None:
    rows = {1: "[/foo]\n\x1b[2J", 2: "👩‍🚀 日本語日本語日本語", 3: "x" * 1_000_000}
    app = Bench(rows)
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        for y in range(8):
            assert app.grid.render_line(y).cell_length == app.grid.scrollable_content_region.width
        assert "[/foo]␊" in lines(app.grid)[1]


def test_columns_go_by_rank_when_there_is_no_room() -> None:
    kept = [placed.column.key for placed in place(COLUMNS, 13)]
    assert kept == ["text", "size"]
    assert [placed.column.key for placed in place(COLUMNS, 3)] == ["text"]


def test_a_name_is_shown_whole_before_columns_of_little_weight_are() -> None:
    name: Column[str] = Column("name", "NAME", 6, lambda row, _: row, grow=10, flex=1)
    state: Column[str] = Column("state", "STATE", 5, lambda row, _: row, rank=2)
    old: Column[str] = Column("age", "AGE", 4, lambda row, _: row, rank=5)
    columns = (name, state, old)

    def shown(longest: int) -> dict[str, int]:
        return {p.column.key: p.width for p in place(columns, 18, {"name": longest})}

    assert shown(6) == {"name": 7, "state": 5, "age": 4}
    assert shown(9) == {"name": 11, "state": 5}
    assert shown(13) == {"name": 7, "state": 5, "age": 4}  # too long in any case


async def test_a_column_grows_with_a_longer_name_and_does_not_shrink_again() -> None:
    columns: tuple[Column[str], ...] = (
        Column("name", "NAME", 4, lambda row, _: row, grow=20),
        Column("rest", "REST", 4, lambda row, _: "x"),
    )
    app = Bench({1: "ab"})
    app.grid = Grid(columns)
    async with app.run_test(size=(40, 8)) as pilot:
        await pilot.pause()
        assert "  ab   " in lines(app.grid)[1].replace("▌", " ")
        app.rows[2] = "a-longer-name"
        app.grid.patch([2])
        await pilot.pause()
        assert "a-longer-name  x" in lines(app.grid)[2]
        del app.rows[2]
        app.grid.patch([2])
        await pilot.pause()
        assert lines(app.grid)[1].endswith("ab" + " " * 13 + "x")


@pytest.mark.parametrize("width", range(6, 60, 7))
def test_columns_never_take_more_than_there_is(width: int) -> None:
    placed = place(COLUMNS, width)
    assert sum(p.width + p.gap for p in placed) <= width


async def test_another_theme_gives_every_line_other_colours() -> None:
    app = Bench({1: "a", 2: "b"})
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        before = [segment.style for segment in app.grid.render_line(2)]
        app.theme = "textual-light"
        await pilot.pause()
        assert [segment.style for segment in app.grid.render_line(2)] != before


async def test_the_scrollbar_covers_no_text() -> None:
    app = Bench(dict.fromkeys(range(50), "x" * 100))
    async with app.run_test(size=(24, 10)) as pilot:
        await pilot.pause()
        room = app.grid.scrollable_content_region.width
        assert room < 24
        assert all(len(line) <= room for line in lines(app.grid))
        app.grid.filter_by(lambda row: False)
        app.grid.show({1: "x" * 100})
        app.grid.filter_by(None)
        await pilot.pause()
        assert "…" in lines(app.grid)[1]
