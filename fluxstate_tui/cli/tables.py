"""Aligned tables as kubectl prints them, and times as it writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fluxstate_tui.formatting import aligned, human_duration


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns aligned to the left, three spaces apart; text of the cluster is made safe."""
    return "\n".join(aligned([header, *rows], gap=3))


def age(seconds: float) -> str:
    """As kubectl shortens it; a clock that is ahead of ours makes no negative age."""
    return human_duration(max(0.0, seconds))


def size(count: int) -> str:
    """`356 B`, `5.8 KiB`, `2.9 MiB`."""
    number = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{count} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError("unreachable")
