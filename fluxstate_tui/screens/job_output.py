"""The end of a job's output, however much there is, and how much of it is not kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from fluxstate_tui.screens.actions import OutputLine
from fluxstate_tui.widgets.panel import Row
from fluxstate_tui.widgets.plain import visible_lines

MOST_CHARACTERS: Final = 100_000
MOST_LINES: Final = 1_000


@dataclass(slots=True)
class OutputTail:
    """The last pieces, at most `most` characters of them. `dropped` counts characters."""

    most: int = MOST_CHARACTERS
    dropped: int = 0
    pieces: deque[OutputLine] = field(default_factory=deque)
    _kept: int = 0

    def add(self, pieces: Iterable[OutputLine]) -> None:
        """Take more, and drop the oldest where it gets too much."""
        for piece in pieces:
            self.pieces.append(piece)
            self._kept += len(piece.text)
            while self._kept > self.most:
                self._drop(self._kept - self.most)

    def _drop(self, excess: int) -> None:
        oldest = self.pieces.popleft()
        cut = min(excess, len(oldest.text))
        if cut < len(oldest.text):
            self.pieces.appendleft(OutputLine(oldest.stream, oldest.rank, oldest.text[cut:]))
        self._kept -= cut
        self.dropped += cut

    def rows(self) -> list[Row]:
        """What the tasks wrote; stderr and the rank are marked. Above it what is not shown."""
        rows: list[Row] = []
        several = len({piece.rank for piece in self.pieces}) > 1
        for piece in self.pieces:
            style = "$state-warn" if piece.stream == "stderr" else ""
            tag = f"{piece.rank}: " if several else ""
            lines = visible_lines(piece.text.removesuffix("\n"), self.most)
            rows += [((tag, "$muted"), (line, style)) for line in lines]
        hidden = max(0, len(rows) - MOST_LINES)
        said = [f"{self.dropped:,} characters"] if self.dropped else []
        said += [f"{hidden:,} lines"] if hidden else []
        rows = rows[hidden:]
        if said:
            rows.insert(0, ((f"… {' and '.join(said)} before this are not shown", "$muted"),))
        return rows
