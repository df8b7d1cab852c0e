"""A short list to choose from: the chosen one has a mark, and the list has two ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

MARK: Final = "▸ "


class ChoiceList(OptionList):
    """`offer` takes what there is to choose.

    Colour alone does not tell what is chosen, and a key too many does not go round from the last,
    dangerous choice to the first or the other way: Textual's own list does both.
    """

    def __init__(self, offers: Sequence[Content] = (), *, id: str | None = None) -> None:
        self._offers = tuple(offers)  # the list tells of its first choice while it is made
        self._marked: int | None = None
        super().__init__(*(Option(_marked(offer, "")) for offer in offers), compact=True, id=id)

    def offer(self, offers: Sequence[Content], disabled: Sequence[int] = ()) -> None:
        """Other things to choose from; nothing is chosen until `highlighted` is set."""
        self._offers, self._marked = tuple(offers), None
        self.clear_options()
        self.add_options(
            Option(_marked(offer, ""), disabled=number in disabled)
            for number, offer in enumerate(self._offers)
        )

    def watch_highlighted(self, highlighted: int | None) -> None:
        """The mark follows."""
        for number, mark in ((self._marked, ""), (highlighted, MARK)):
            if number is not None and number < len(self._offers):
                self.replace_option_prompt_at_index(number, _marked(self._offers[number], mark))
        self._marked = highlighted
        super().watch_highlighted(highlighted)

    def action_cursor_down(self) -> None:
        """The next one, if there is one."""
        if self._any_after(self.highlighted, 1):
            super().action_cursor_down()

    def action_cursor_up(self) -> None:
        """The one before, if there is one."""
        if self._any_after(self.highlighted, -1):
            super().action_cursor_up()

    def _any_after(self, number: int | None, step: int) -> bool:
        if number is None:
            return True
        others = self.options[number + 1 :] if step > 0 else self.options[:number]
        return any(not option.disabled for option in others)


def _marked(offer: Content, mark: str) -> Content:
    """All lines of it indented by the mark, which stands in the first."""
    first, *others = offer.split("\n")
    start = Content(mark or " " * len(MARK))
    return Content("\n").join([start + first, *(line.pad_left(len(MARK)) for line in others)])
