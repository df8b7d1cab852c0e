"""All faults at all points of all operations: `python -m tests.faults [--jobs N] [FILTER ...]`.

A filter is `operation:fault:point`, each a part of a name; without one everything is tried.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from pathlib import Path

from fluxstate_tui.cli import logfile
from tests.faults.matrix import attic, breakages, scenarios
from tests.faults.matrix.cells import Cell, attempt, cells_of
from tests.faults.matrix.run import Result
from tests.faults.matrix.table import table

_GENTLY = 10


def _wanted(cells: list[Cell], filters: list[str]) -> list[Cell]:
    if not filters:
        return cells
    asked = [[*one.split(":"), "", ""][:3] for one in filters]
    return [
        cell
        for cell in cells
        if any(all(part in name for part, name in zip(one, cell, strict=True)) for one in asked)
    ]


def _results(
    pool: ProcessPoolExecutor, filters: list[str], stuff: Path, every: int
) -> Iterator[Result]:
    names = [one.name for one in scenarios.ALL]
    if filters:
        names = [name for name in names if any(f.split(":")[0] in name for f in filters)]
    cells = [cell for mine in pool.map(cells_of, names, [stuff] * len(names)) for cell in mine]
    chosen = _wanted(cells, filters)[::every]
    # Mixed, so that a run that is cut short has seen a bit of everything.
    random.Random(0).shuffle(chosen)
    _say(f"{len(chosen)} points")
    running: set[Future[Result]] = {pool.submit(attempt, cell, stuff) for cell in chosen}
    for future in as_completed(running):
        yield future.result()


def main() -> int:
    """Try, tell what failed as it fails, print the table. 0 when everything was survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("filters", nargs="*", metavar="FILTER")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth point")
    parser.add_argument("--log", type=Path, help="write every result there, as JSON lines")
    args = parser.parse_args()
    os.nice(_GENTLY)
    began, results = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        stuff = Path(folder) / "attic"
        attic.keep(asyncio.run(attic.furnish()), stuff)
        forks = multiprocessing.get_context("forkserver")
        forks.set_forkserver_preload(["tests.faults.matrix.cells"])
        # What the program logs about its troubles is for a file: the verdict tells what matters.
        quiet = partial(logfile.begin, folder, on_stderr="FLUXSTATE_DEBUG" in os.environ)
        with ProcessPoolExecutor(args.jobs, mp_context=forks, initializer=quiet) as pool:
            for result in _results(pool, args.filters, stuff, args.every):
                results.append(result)
                _tell(result, args.log)
    _say(table(sorted(results, key=_order)))
    failed = sum(bool(one.problems) for one in results)
    missed = sum(not one.reached and not one.problems for one in results)
    minutes = (time.monotonic() - began) / 60
    _say(f"{len(results) - missed} tried, {failed} not survived, {missed} not reached this time; "
          f"{minutes:.1f} min")  # fmt: skip
    return 1 if failed else 0


def _order(result: Result) -> tuple[int, int]:
    return list(scenarios.BY_NAME).index(result.scenario), list(breakages.BY_NAME).index(
        result.breakage
    )


def _tell(result: Result, log: Path | None) -> None:
    if log is not None:
        with log.open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")
    if result.problems:
        name = f"{result.scenario}:{result.breakage}:{result.point}"
        _say(f"{name}\n    {result.ended[:300]}")
        for problem in result.problems:
            _say(f"    {problem[:400]}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
