"""Does the screen go on while a huge archive is read, sorted, filtered and drawn?

Prints the longest times that the event loop stood still: by the clock, and how much of that is
our own doing, on a busy machine too. That is the CPU that this program used meanwhile (whoever
keeps the loop waiting, its own work or a thread that does not let go of Python's lock, uses CPU for
as long), but not the time in which the loop's thread was ready and others had the processors.

`FLUXSTATE_BENCH_JOBS=1000000` makes the archive larger; `FLUXSTATE_BENCH_ARCHIVE=FILE` takes that
file instead of a generated one.
"""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from textual.pilot import Pilot

from fluxstate_tui.flux.job import Job
from fluxstate_tui.tui.screens.archive.gantt import GanttScreen
from fluxstate_tui.tui.screens.archive.preview import PreviewScreen
from fluxstate_tui.tui.screens.archive.screen import ArchiveScreen
from fluxstate_tui.tui.widgets.grid import MANY
from fluxstate_tui.tui.widgets.table import Table
from tests.benchmarks.archive import generate
from tests.unit.tui_screens.stage import make_app

_TICK = 0.005
_SIZE = (140, 40)


class Watch:
    """How long the loop stood still since the last report."""

    def __init__(self) -> None:
        self._stalls: list[tuple[float, float]] = []

    async def run(self) -> None:
        """Look at the clocks again and again."""
        last, before, waited = time.perf_counter(), time.process_time(), _waited()
        while True:
            await asyncio.sleep(_TICK)
            now, used, queued = time.perf_counter(), time.process_time(), _waited()
            stall = now - last - _TICK
            self._stalls.append((stall, max(0.0, min(stall - (queued - waited), used - before))))
            last, before, waited = time.perf_counter(), time.process_time(), queued

    def report(self, name: str, seconds: float = 0.0) -> None:
        """Print the longest by each measure, and the memory at its peak."""
        clock, cpu = _longest(a for a, _ in self._stalls), _longest(b for _, b in self._stalls)
        self._stalls.clear()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        stalls = f"longest stalls, own {cpu} ms, clock {clock} ms"
        print(f"  {name:<22} {seconds:6.1f} s  {stalls}  {memory:5.0f} MiB", flush=True)


def _waited() -> float:
    """Seconds that this thread could have run and had no processor. Linux tells; elsewhere 0."""
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:
        return 0.0


def _longest(seconds: Iterable[float]) -> str:
    return " ".join(f"{1000 * one:4.0f}" for one in sorted(seconds, reverse=True)[:3])


def main() -> None:
    """Print the figures."""
    given = os.environ.get("FLUXSTATE_BENCH_ARCHIVE")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(given) if given else Path(folder) / "generated.tar.gz"
        if not given:
            generate(path, int(os.environ.get("FLUXSTATE_BENCH_JOBS", "100000")))
        print(f"{path.name}: {path.stat().st_size} bytes")
        asyncio.run(_use(path))


async def _use(path: Path) -> None:
    app, watch = make_app([]), Watch()
    async with app.run_test(size=_SIZE) as pilot:
        watching = asyncio.create_task(watch.run())
        await asyncio.sleep(3.0)
        watch.report("nothing (the machine)", 3.0)
        screen = ArchiveScreen.of_file(app.services, path)
        await app.push_screen(screen)
        await _until(lambda: screen.opened is not None, watch, "read and show")
        await _keys(pilot, screen.table, watch)
        await pilot.press("g")
        await _until(lambda: isinstance(app.screen, GanttScreen), watch, "open the chart")
        chart = app.screen
        assert isinstance(chart, GanttScreen)
        await _until(lambda: bool(chart.chart.nodes), watch, "nodes over time")
        await pilot.press("plus", "plus", "right", "n", "shift+right", "f", "0")
        await _until(lambda: True, watch, "zoom, pan, fold")
        await pilot.press("escape", "v")
        await _until(lambda: isinstance(app.screen, PreviewScreen), watch, "open the preview")
        preview = app.screen
        assert isinstance(preview, PreviewScreen)
        await _until(lambda: len(preview.table.grid.selection) > 0, watch, "restore preview")
        await pilot.press("escape", "escape")
        await _until(lambda: not isinstance(app.screen, ArchiveScreen), watch, "leave the archive")
        watching.cancel()


async def _keys(pilot: Pilot[int], table: Table[int, Job], watch: Watch) -> None:
    grid = table.grid
    await pilot.press("pagedown", "end", "home")
    await _until(lambda: True, watch, "move")
    before = grid.selection
    await pilot.press("o")
    small = len(before.rows) <= MANY  # these are sorted at once, in place
    await _until(lambda: small or grid.selection is not before, watch, "sort")
    before = grid.selection
    await pilot.press("slash", *"step-77")
    total = len(before.rows)
    await _until(lambda: 0 < len(grid.selection) < total, watch, "filter, typed quickly")
    await pilot.press("escape", "ctrl+l")
    await _until(lambda: len(grid.selection) == total, watch, "no filter")


async def _until(condition: Callable[[], bool], watch: Watch, name: str) -> None:
    begin = time.perf_counter()
    while not condition():  # noqa: ASYNC110 - nothing tells when a screen is painted
        await asyncio.sleep(0.02)
    seconds = time.perf_counter() - begin
    await asyncio.sleep(0.5)  # what follows at once, such as painting and freeing
    watch.report(name, seconds)
