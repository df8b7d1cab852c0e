"""Which MiniClusters are connected: what people look at first, and never too many at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

MOST_CONNECTED = 16
"""Each is an exec stream through the API server and a process in the lead's container."""


class Attention:
    """Who looks at what. Without anybody who looks, the first ones of the list are connected."""

    def __init__(self, most: int = MOST_CONNECTED) -> None:
        self.most = most
        self._looks: dict[str, tuple[str, ...]] = {}
        self._held: Counter[str] = Counter()

    def look(self, viewer: str, uids: Iterable[str]) -> bool:
        """`viewer` (a screen) shows these now, the most important first. True if that is news."""
        seen = tuple(uids)
        if self._looks.pop(viewer, ()) == seen:
            if seen:
                self._looks[viewer] = seen
            return False
        if seen:
            self._looks[viewer] = seen  # the newest viewer is the last
        return True

    def hold(self, uid: str) -> None:
        """An operation works on it: it stays connected until it is released."""
        self._held[uid] += 1

    def release(self, uid: str) -> None:
        """The operation has ended."""
        self._held[uid] -= 1
        self._held += Counter()

    def chosen(self, listed: Iterable[str], connected: Iterable[str]) -> tuple[str, ...]:
        """Of those that are `listed`, the ones to connect, the most important first.

        Who is connected stays so while there is room: to go up and down a list costs nothing.
        """
        there = dict.fromkeys(listed)
        looked_at = (uid for seen in reversed(self._looks.values()) for uid in seen)
        order = dict.fromkeys([*self._held, *looked_at, *connected, *there])
        return tuple(uid for uid in order if uid in there)[: self.most]
