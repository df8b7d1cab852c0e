"""Aligned tables as kubectl prints them, and times as it writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fluxstate_tui.formatting import human_duration, plain

_WIDEST = 64


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns aligned to the left, three spaces apart; text of the cluster is made safe.

    All but the last column are cut at 64: one job with a name of a thousand letters must not push
    what is said about all others out of sight. Object names of Kubernetes are shorter.
    """
    lines = [list(header), *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(row: Sequence[object]) -> list[str]:
    *cells, last = (plain(str(cell)) for cell in row)
    cut = [cell if len(cell) <= _WIDEST else f"{cell[: _WIDEST - 1]}…" for cell in cells]
    return [*cut, last]


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
