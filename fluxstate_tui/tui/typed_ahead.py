"""Keys one after the other: what is typed ahead waits for its screen, or is refused visibly."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from textual import events

if TYPE_CHECKING:
    from textual.app import App
    from textual.message_pump import MessagePump

QUIET: Final = 0.5
"""Seconds without a key after which who types has seen that keys were refused."""
LOOK_AGAIN: Final = 0.01
MOST_SECONDS: Final = 1.0
"""How long the next key waits for one whose widget went away with it."""
NEVER: Final = float("inf")

_ANSWERS: Final = frozenset(
    ("enter", "left", "right", "tab", "shift+tab", "backspace", "delete", "home", "end")
)


class TypedAhead:
    """`take` every key; `deliver` gets them in order.

    A key goes on its way when what the one before it did is done (Textual looks for bindings of a
    key's screen before that), and when the screen on top is complete. Keys that answer a question
    are refused while the question is not there yet (`answers_from` of the screen, monotonic), and
    so is the rest of a burst that began there; `refused` is told once for each burst.
    """

    def __init__(
        self,
        app: App[Any],
        deliver: Callable[[events.Key], Awaitable[None]],
        refused: Callable[[], None],
    ) -> None:
        self._app = app
        self._deliver = deliver
        self._refused = refused
        self._waiting: deque[events.Key] = deque()
        self._number = 0
        self._busy = False
        self._refused_at = -NEVER

    async def take(self, event: events.Key) -> None:
        """Deliver it, now or when it is its turn. In the task of the app's messages only."""
        self._waiting.append(event)
        if not self._busy:
            await self._go_on()

    async def _go_on(self) -> None:
        while self._waiting:
            self._busy = True
            if not self._app.screen.is_mounted:
                self._app.set_timer(LOOK_AGAIN, self._when_complete)
                return
            event = self._waiting.popleft()
            if self._is_too_early(event):
                continue
            chain: list[MessagePump] = [
                *(self._app.focused or self._app.screen).ancestors_with_self,
            ]
            await self._deliver(event)
            self._follow(chain)
            return
        self._busy = False

    def _when_complete(self) -> None:
        # Its first focus is set by a message to the app that is on its way now.
        self._app.call_later(self._go_on)

    def _follow(self, chain: list[MessagePump]) -> None:
        """Go the way of the key, from its widget up to the app; then it has done what it does."""
        self._number += 1
        mine, way = self._number, deque(chain)

        async def next_one() -> None:
            if self._number == mine:
                self._number += 1
                await self._go_on()

        def hop() -> None:
            while way:
                node = way.popleft()
                if node is not self._app and node.call_later(hop):
                    return
            self._app.call_later(next_one)

        self._app.set_timer(MOST_SECONDS, next_one)
        hop()

    def _is_too_early(self, event: events.Key) -> bool:
        if event.key == "escape":
            self._refused_at = -NEVER
        if event.key not in _ANSWERS and not event.is_printable:
            return False
        in_burst = event.time - self._refused_at < QUIET
        if not in_burst and event.time >= getattr(self._app.screen, "answers_from", 0.0):
            return False
        self._refused_at = event.time
        if not in_burst:
            self._refused()
        return True


def from_now_on() -> float:
    """For `answers_from`: keys that were typed before are no answers."""
    return monotonic()
