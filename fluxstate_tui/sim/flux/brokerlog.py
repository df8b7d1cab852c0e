"""The broker's log: what `flux dmesg` shows and what the pod's log gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

LEVELS = {"err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
RING_SIZE = 1024


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One message. `source` is `broker`, `job-manager` ...; `level` a name of syslog."""

    timestamp: float
    source: str
    level: str
    rank: int
    text: str

    def dmesg(self) -> str:
        """As `flux dmesg` prints it."""
        when = datetime.fromtimestamp(self.timestamp, UTC)
        stamp = when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return f"{stamp} {self.source}.{self.level}[{self.rank}]: {self.text}"

    def stderr(self) -> str:
        """As the broker prints it under the operator (log-stderr-mode=local)."""
        return f"<{LEVELS[self.level]}>{self.source}.{self.level}[{self.rank}]: {self.text}"


class BrokerLog:
    """Entries for `flux dmesg` (a ring), and lines for the container's standard error."""

    def __init__(self, now: Callable[[], float], stderr_level: int = 6) -> None:
        self._now = now
        self._stderr_level = stderr_level
        self.entries: list[LogEntry] = []
        self.lines: list[str] = []
        self._listeners: list[Callable[[str], None]] = []

    def add(self, text: str, *, source: str = "broker", level: str = "info", rank: int = 0) -> None:
        """Log a message; it goes to standard error when its level allows it."""
        entry = LogEntry(self._now(), source, level, rank, text)
        self.entries.append(entry)
        del self.entries[:-RING_SIZE]
        if LEVELS[level] <= self._stderr_level:
            self.lines.append(entry.stderr())
            for listener in tuple(self._listeners):
                listener(entry.stderr())

    def subscribe(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call it with every new line of standard error. Returns how to stop that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe
