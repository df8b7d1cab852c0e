"""The matrix by names, as it is spread over processes: operation, fault, point."""

from __future__ import annotations

import asyncio
from pathlib import Path

from . import attic, breakages, scenarios
from .points import Point
from .run import Result, broken, clean

Cell = tuple[str, str, str]


def cells_of(scenario: str, stuff: Path) -> list[Cell]:
    """All points of one operation, counted by a run without a fault."""
    one = scenarios.BY_NAME[scenario]
    seen = asyncio.run(clean(one, attic.take(stuff)))
    return [
        (scenario, breakage.name, str(point))
        for breakage in breakages.ALL
        for point in breakages.points(breakage, one, seen)
    ]


def attempt(cell: Cell, stuff: Path) -> Result:
    """Try one."""
    scenario, breakage, point = cell
    return asyncio.run(
        broken(
            scenarios.BY_NAME[scenario],
            breakages.BY_NAME[breakage],
            Point.parse(point),
            attic.take(stuff),
        )
    )
