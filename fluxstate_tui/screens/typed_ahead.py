"""Keys are handled one after the other, also when they are typed faster than screens open."""

from __future__ import annotations

from collections import deque
from typing import Any

from textual import events
from textual.app import App, ReturnType
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

LONGEST = 0.25
"""Seconds after which a key no longer waits for the one before it."""


class KeyHandled(Message):
    """Follows a key from the focused widget up to the app: when it arrives, the key is done."""


class KeysInOrder(App[ReturnType]):
    """Textual forwards each key to what has the focus when the key arrives.

    So the letters after a Tab, or after a key that opens a dialog, would go to the old place when
    they come in one burst (a paste without brackets, a slow link, tmux send-keys). Here a key waits
    until the one before it was handled, and until the screen that it opened is there.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._typed: deque[events.Key] = deque()
        self._patience: Timer | None = None
        self._key_in_hand = False
        self._typed_on: Screen[Any] | None = None

    async def on_event(self, event: events.Event) -> None:
        """Keys queue up; everything else is as always."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if not self._key_in_hand:
            await self._next_key()

    def on_key_handled(self, event: KeyHandled) -> None:
        """The key went all the way: the next one, after what it has asked of the app."""
        event.stop()
        self._then_next()

    async def _next_key(self) -> None:
        self._key_in_hand = bool(self._typed)
        if not self._typed:
            return
        key = self._typed.popleft()
        self._typed_on, target = self.screen, self.focused or self.screen
        await super().on_event(key)
        if key.is_forwarded and target.post_message(KeyHandled()):
            self._patience = self.set_timer(LONGEST, self._next_key)
        else:
            self._then_next()

    def _then_next(self) -> None:
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
        if self.screen is self._typed_on:
            self.call_later(self._next_key)
        else:  # it has to be mounted first; the key itself is the app's to handle
            self.screen.call_after_refresh(self.call_later, self._next_key)
