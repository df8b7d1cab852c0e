"""A sample of the matrix; `python -m tests.faults` tries all of it."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from .matrix import attic, breakages, scenarios
from .matrix.attic import Attic
from .matrix.points import Point
from .matrix.run import Result, broken, clean
from .matrix.scenarios import Scenario

SAMPLE = 4
# Another number, another sample.
SEED = os.environ.get("FLUXSTATE_FAULT_SEED", "1")


@pytest.fixture(scope="session")
def cupboard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attic") / "attic"


@pytest.fixture
def stuff(cupboard: Path) -> Attic:
    """What earlier days left; it takes a while, so that it is made once."""
    if not cupboard.exists():
        attic.keep(asyncio.run(attic.furnish()), cupboard)
    return attic.take(cupboard)


def sample(scenario: Scenario, seen: list[Point]) -> list[tuple[breakages.Breakage, Point]]:
    """Some faults, each at one of its points."""
    chance = random.Random(f"{SEED} {scenario.name}")
    possible = [
        (fault, points)
        for fault in breakages.ALL
        if (points := breakages.points(fault, scenario, seen))
    ]
    return [(fault, chance.choice(points)) for fault, points in chance.sample(possible, SAMPLE)]


@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda one: str(one.name))
async def test_whatever_breaks_nothing_is_lost_and_it_can_be_taken_up_again(
    scenario: Scenario, stuff: Attic
) -> None:
    points = await clean(scenario, stuff)
    results = [await broken(scenario, *cell, stuff) for cell in sample(scenario, points)]
    assert [one for one in results if one.problems] == []
    assert any(one.reached for one in results)


def test_a_result_with_problems_shows_in_the_table() -> None:
    from .matrix.table import table

    good = Result("save", "HTTP 500", "dump/GET pod/1", True, (), "Completed", 1.0)
    bad = Result("save", "HTTP 500", "dump/GET pod/2", True, ("LOST: 1 job",), "Completed", 1.0)
    missed = Result("save", "HTTP 500", "dump/GET pod/3", False, (), "Completed", 1.0)
    assert table([good, bad, missed]).splitlines()[-1].split() == ["all", "1/2", "1/2"]
