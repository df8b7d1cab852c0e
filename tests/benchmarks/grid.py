"""The live queue against Textual's DataTable: showing, patching, sorting, and steady change.

python -m tests.benchmarks.grid [seconds of churn]
"""

from __future__ import annotations

import asyncio
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot
from textual.widgets import DataTable

from fluxstate_tui.app import FluxstateApp
from fluxstate_tui.dashboard.connection import calm_the_collector
from fluxstate_tui.model.job import Job
from fluxstate_tui.screens.job_columns import JOB_COLUMNS
from fluxstate_tui.screens.minicluster import MiniClusterScreen
from fluxstate_tui.screens.views.queue import QueueView
from fluxstate_tui.store import events as e
from tests.unit.screens import feed
from tests.unit.screens.stage import make_app

SIZE = (140, 40)
SAMPLE = feed.ref("flux-sample")
RATE = 4
CHANGES = 250


class CountingDriver(HeadlessDriver):
    """A terminal that counts what is written to it, and when."""

    octets = 0
    last = 0.0

    @property
    def is_headless(self) -> bool:
        """As if somebody looked."""
        return False

    def write(self, data: str) -> None:
        """Count."""
        CountingDriver.octets += len(data.encode("utf-8", "replace"))
        CountingDriver.last = time.perf_counter()


class TableApp(App[None]):
    """The reference: the same jobs in a DataTable."""

    def compose(self) -> ComposeResult:
        """The table alone."""
        yield DataTable()

    def fill(self, jobs: list[Job]) -> None:
        """Add every row."""
        table = self.query_one(DataTable)
        for column in JOB_COLUMNS:
            table.add_column(column.title, key=column.key, width=column.width)
        for job in jobs:
            table.add_row(*cells(job), key=str(job.id))

    def change(self, jobs: tuple[Job, ...]) -> None:
        """Update the two cells that change with a job's state."""
        table = self.query_one(DataTable)
        for job in jobs:
            row = cells(job)
            table.update_cell(str(job.id), "state", row[3])
            table.update_cell(str(job.id), "info", row[7])


def cells(job: Job) -> list[str]:
    """The texts of one row."""
    return [column.value(job, feed.NOW) for column in JOB_COLUMNS]


def queue(count: int) -> list[Job]:
    """A queue of that many jobs, most of them over."""
    return list(feed.jobs(count // 20, 40, count - count // 20 - 40))


async def cpu(pilot: Pilot[Any], name: str, work: Callable[[], Any]) -> str:
    """CPU milliseconds of some work until it is painted, less those of as long a rest."""
    started = time.process_time()
    await pilot.pause(0.4)
    rest = time.process_time() - started
    started = time.process_time()
    work()
    await pilot.pause(0.4)
    return f"{name} {(time.process_time() - started - rest) * 1000:6.0f} ms"


def row(name: str, count: int, figures: list[str]) -> str:
    """One line of the report."""
    return f"  {name:<10}{count:7}  " + "  ".join(figures)


async def churn(change: Callable[[tuple[Job, ...]], Any], jobs: list[Job], seconds: float) -> str:
    """Change jobs at a steady rate; per cent of a core and bytes per second."""
    octets, began, used = CountingDriver.octets, time.perf_counter(), time.process_time()
    own = 0.0
    for turn in range(int(seconds * RATE)):
        mark = time.process_time()
        changed = feed.churn(jobs, CHANGES, turn)
        own += time.process_time() - mark
        change(changed)
        await asyncio.sleep(1 / RATE)
    wall = time.perf_counter() - began
    share = (time.process_time() - used - own) / wall * 100
    written = (CountingDriver.octets - octets) / wall / 1000
    return f"{CHANGES} changes at {RATE} Hz: {share:5.1f} % CPU {written:6.1f} kB/s"


async def ours(count: int, seconds: float) -> list[str]:
    """Our screens, from the store's event to the bytes for the terminal."""
    app, jobs = make_app(), queue(count)
    app.driver_class = CountingDriver
    async with app.run_test(headless=False, size=SIZE) as pilot:
        await pilot.press("down", "enter")
        await pilot.pause(0.3)
        calm_the_collector()  # as the dashboard does once it is connected
        store, screen = app.services.store, app.screen
        assert isinstance(screen, MiniClusterScreen)
        view = screen.views[0]
        assert isinstance(view, QueueView)
        grid = view.table.grid

        def change(changed: tuple[Job, ...]) -> None:
            store.take(e.JobsChanged(SAMPLE, changed, feed.NOW))

        listed, changed = (
            e.JobsListed(SAMPLE, feed.by_id(jobs), feed.NOW),
            feed.churn(jobs, 1000, 1),
        )
        figures = [
            await cpu(pilot, "show", lambda: store.take(listed)),
            await cpu(pilot, "patch 1000", lambda: change(changed)),
            await cpu(pilot, "sort", lambda: grid.order_by("name", False)),
            await cpu(pilot, "filter", lambda: grid.filter_by(lambda job: "md" in job.name)),
        ]
        grid.filter_by(None)
        grid.order_by(None, True)
        await pilot.pause(0.4)
        figures.append(f"{memory(jobs):.0f} B/job")
        steady = await churn(change, jobs, seconds)
        lines = [row("Grid", count, figures), row("", count, [steady])]
        return lines + (await idle_and_latency(app, seconds) if count == 1000 else [])


async def idle_and_latency(app: FluxstateApp, seconds: float) -> list[str]:
    """What an idle dashboard costs, and the way from an event to the terminal."""
    app.services.store.take(e.JobsListed(SAMPLE, feed.by_id(feed.jobs(100, 0, 900)), feed.NOW))
    await asyncio.sleep(1.5)
    octets, used, began = CountingDriver.octets, time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    wall = time.perf_counter() - began
    share = (time.process_time() - used) / wall * 100
    written = (CountingDriver.octets - octets) / wall
    times = sorted([await latency(app, 2000 + turn) for turn in range(40)])
    return [
        f"  idle: {share:.2f} % CPU, {written:.0f} bytes/s to the terminal",
        f"  event to terminal: median {times[20]:.0f} ms, worst {times[-1]:.0f} ms",
    ]


async def latency(app: FluxstateApp, number: int) -> float:
    """Milliseconds from a new job's event to the bytes that show it."""
    began = time.perf_counter()
    app.services.store.take(e.JobsChanged(SAMPLE, (feed.job(number),), feed.NOW))
    while CountingDriver.last < began:  # noqa: ASYNC110 (a driver has no event to wait for)
        await asyncio.sleep(0.001)
    taken = (CountingDriver.last - began) * 1000
    await asyncio.sleep(0.05)
    return taken


def memory(jobs: list[Job]) -> float:
    """Bytes per job of the jobs themselves and of what the store keeps beside them."""
    tracemalloc.start()
    copies = queue(min(len(jobs), 10_000))
    kept = {job.id: job for job in copies}
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / len(kept)


async def reference(count: int, seconds: float) -> list[str]:
    """The DataTable."""
    app, jobs = TableApp(), queue(count)
    app.driver_class = CountingDriver
    async with app.run_test(headless=False, size=SIZE) as pilot:
        await pilot.pause(0.3)
        table, changed = app.query_one(DataTable), feed.churn(jobs, 1000, 1)
        figures = [
            await cpu(pilot, "show", lambda: app.fill(jobs)),
            await cpu(pilot, "patch 1000", lambda: app.change(changed)),
            await cpu(pilot, "sort", lambda: table.sort("name")),
        ]
        steady = await churn(app.change, jobs, seconds)
        return [row("DataTable", count, figures), row("", count, [steady])]


def main() -> None:
    """Print figures; the DataTable stops at 10,000 rows, which take it seconds."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1][0].isdigit() else 5.0
    print("CPU until painted at 140x40; churn is the CPU of the whole process")
    for count in (1000, 10_000, 100_000):
        print("\n".join(asyncio.run(ours(count, seconds))))
    for count in (1000, 10_000):
        print("\n".join(asyncio.run(reference(count, seconds))))


if __name__ == "__main__":
    main()
