"""The API server's clock, estimated from the `Date` header of its answers (RFC 9110, 6.6.1)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime


class ServerClock:
    """Its clock minus ours. Each answer narrows the range that the offset must lie in.

    The header has whole seconds: an answer sent at server time T says floor(T), and T lies between
    our sending and our receiving. So offset is in [date - received, date + 1 - sent].
    """

    def __init__(self) -> None:
        self._low = 0.0
        self._high = 0.0
        self._known = False

    @property
    def offset(self) -> float:
        """Seconds to add to our clock to get the server's; 0.0 as long as nothing is known."""
        return (self._low + self._high) / 2

    @property
    def uncertainty(self) -> float | None:
        """The offset is right within this many seconds; None as long as nothing is known."""
        return (self._high - self._low) / 2 if self._known else None

    def observe(self, date: str | None, sent: float, received: float) -> None:
        """Take in one answer. A header that is missing or no date is ignored."""
        try:
            seconds = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        low, high = seconds - received, seconds + 1 - sent
        if self._known and max(low, self._low) <= min(high, self._high):
            low, high = max(low, self._low), min(high, self._high)
        # Otherwise a clock was set, or one of them runs faster: the newest answer counts.
        self._low, self._high, self._known = low, high, True
