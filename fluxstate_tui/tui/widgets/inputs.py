"""A short list to choose from: the chosen one has a mark, and the list has two ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from textual.content import Content
from textual.dom import DOMNode
from textual.widgets import Checkbox, OptionList
from textual.widgets.option_list import Option

from fluxstate_tui.tui.text import visible

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


# A checkbox whose mark is there or not: Textual's own tells on from off by colour alone.


class Tick(Checkbox):
    """`[✓] label` or `[ ] label`. Space ticks it."""

    BUTTON_LEFT = "["
    BUTTON_RIGHT = "]"

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]  # noqa: N802 (as the base has it)
        """What stands in the brackets."""
        return "✓" if self.value else " "


# Coroutines that a widget starts and that end with it.

_log = logging.getLogger(__name__)

_SHOWN = 500
_SECONDS = 20.0


def in_background(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], group: str = "default"
) -> None:
    """Start `work`; a newer one of the same group and node replaces it.

    The function is passed, not its coroutine: one that is replaced before it began was never made.
    An error in it is told and ends nothing else: a bug in a preview must not end the program
    while it saves a queue. Without a terminal (in tests) it is raised.
    """

    async def run() -> None:
        try:
            await work()
        except Exception as error:
            _log.exception("beside a screen")
            if node.app.is_headless:
                raise
            node.app.notify(
                visible(f"{type(error).__name__}: {error}"[:_SHOWN]),
                title="A bug in fluxstate-tui: please report it",
                severity="error",
                timeout=_SECONDS,
                markup=False,
            )

    node.run_worker(run, group=group, exclusive=True)  # type: ignore[arg-type]
