"""Small graphs in text: sparklines and bars. Each has a numeric twin beside it on the screen."""

from __future__ import annotations

from collections.abc import Sequence

_STEPS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """One cell per value, scaled from 0 to the largest."""
    top = max(values, default=0)
    if top <= 0:
        return _STEPS[0] * len(values)
    return "".join(_STEPS[min(7, int(value / top * 7.999))] for value in values)


def bar(share: float, width: int) -> str:
    """A filled share (0 to 1) of `width` cells."""
    filled = round(max(0.0, min(1.0, share)) * width)
    return "█" * filled + "░" * (width - filled)
