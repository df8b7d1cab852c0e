"""Which stretch of time a Gantt chart shows, and its axis. Numbers only."""

from __future__ import annotations

from dataclasses import dataclass, replace

_NICE = (1, 2, 5, 10, 15, 30)
_STEPS = (
    *(value / 1000 for base in (1, 10, 100) for value in (base, 2 * base, 5 * base)),
    *_NICE,
    *(60 * value for value in _NICE),
    *(3600 * value for value in (1, 2, 3, 6, 12)),
    *(86400 * value for value in (1, 2, 7, 14, 30, 90, 365)),
)
FINEST = 1e-4
_LABEL_ROOM = 10


@dataclass(frozen=True, slots=True)
class View:
    """`width` cells of `step` seconds from `begin` on; all that there is lasts `whole` seconds."""

    whole: float
    width: int
    begin: float
    step: float

    @classmethod
    def of_all(cls, whole: float, width: int) -> View:
        """Everything, in the cells that there are."""
        width = max(1, width)
        return cls(whole, width, 0.0, max(whole / width, FINEST))

    def cell(self, x: int) -> tuple[float, float]:
        """From when to when one cell is."""
        return self.begin + x * self.step, self.begin + (x + 1) * self.step

    def column(self, t: float) -> int:
        """The cell that a moment is in; may be outside."""
        return int((t - self.begin) // self.step)

    @property
    def end(self) -> float:
        """Where it ends."""
        return self.begin + self.width * self.step

    @property
    def zoomed(self) -> bool:
        """It shows only a part."""
        return self.width * self.step < self.whole * 0.999

    def zoom(self, factor: float, around: float) -> View:
        """`factor` 0.5 shows half as much; that moment stays in its place."""
        step = min(max(self.step * factor, FINEST), max(self.whole / self.width, FINEST))
        begin = around - (around - self.begin) * step / self.step
        return replace(self, step=step)._from(begin)

    def pan(self, cells: int) -> View:
        """Later or earlier by so many cells."""
        return self._from(self.begin + cells * self.step)

    def showing(self, t: float) -> View:
        """Moved as little as possible, so that this moment is in it."""
        column = self.column(t)
        if column < 0:
            return self.pan(column)
        return self.pan(column - self.width + 1) if column >= self.width else self

    def resized(self, width: int) -> View:
        """In another number of cells: all stays all, a part begins where it began."""
        if not self.zoomed:
            return View.of_all(self.whole, width)
        widest = max(self.whole / max(1, width), FINEST)
        return replace(self, width=max(1, width), step=min(self.step, widest))._from(self.begin)

    def _from(self, begin: float) -> View:
        last = max(0.0, self.whole - self.width * self.step)
        return replace(self, begin=min(max(0.0, begin), last))


def axis(view: View) -> list[tuple[int, str]]:
    """Columns with their labels: round times since the beginning, as many as fit."""
    step = next((s for s in _STEPS if s / view.step >= _LABEL_ROOM), None)
    if step is None:
        step = _STEPS[-1] * max(1.0, round(view.step * _LABEL_ROOM / _STEPS[-1]))
    found = []
    number = int(view.begin // step)
    for _ in range(view.width // _LABEL_ROOM + 2):
        column = view.column(number * step + view.step * 1e-6)
        if 0 <= column < view.width:
            found.append((column, span_text(number * step)))
        number += 1
    return found


def span_text(seconds: float) -> str:
    """A moment since the beginning: 0s, 0.25s, 1m30s, 2h05m, 3d4h."""
    if seconds < 60:
        return f"{round(seconds, 4):g}s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s" if whole % 60 else f"{whole // 60}m"
    if whole < 86400:
        minutes = whole % 3600 // 60
        return f"{whole // 3600}h{minutes:02d}m" if minutes else f"{whole // 3600}h"
    hours = whole % 86400 // 3600
    return f"{whole // 86400}d{hours}h" if hours else f"{whole // 86400}d"
