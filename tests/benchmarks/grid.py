"""The live queue against Textual's DataTable: showing, patching, sorting, and steady change.

python -m tests.benchmarks.grid [seconds of churn]
"""

from __future__ import annotations

import asyncio
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot
from textual.widgets import DataTable

from fluxstate_tui.flux.job import Job
from fluxstate_tui.live import events
from fluxstate_tui.tui.app import FluxstateApp
from fluxstate_tui.tui.run import calm_the_collector
from fluxstate_tui.tui.screens.jobs.columns import JOB_COLUMNS
from fluxstate_tui.tui.screens.minicluster.queue import QueueView
from fluxstate_tui.tui.screens.minicluster.screen import MiniClusterScreen
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.stage import make_app

SIZE = (140, 40)
SAMPLE = feed.ref("flux-sample")
RATE = 4
CHANGES = 250
TIMES = 5
ROUNDS = 3


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


async def cpu(
    pilot: Pilot[Any],
    name: str,
    works: Iterable[Callable[[], Any]],
    back: Callable[[], Any] | None = None,
) -> str:
    """CPU milliseconds of some work until it is painted: the median of several times, and the
    spread. `back` puts it back before each.
    """
    taken: list[float] = []
    for work in works:
        if back is not None:
            back()
            await pilot.pause(0.3)
        started = time.process_time()
        work()
        await pilot.pause(0.3)
        taken.append((time.process_time() - started) * 1000)
    taken.sort()
    return f"{name} {taken[len(taken) // 2]:.0f} ms ({taken[0]:.0f}-{taken[-1]:.0f})"


def row(name: str, count: int, figures: list[str]) -> str:
    """One line of the report."""
    return f"  {name:<10}{count:7}  " + "  ".join(figures)


async def churn(change: Callable[[tuple[Job, ...]], Any], jobs: list[Job], seconds: float) -> str:
    """Change jobs at a steady rate; per cent of a core and bytes per second, of three times."""
    shares: list[float] = []
    octets, began = CountingDriver.octets, time.perf_counter()
    for round in range(ROUNDS):
        batches = [feed.churn(jobs, CHANGES, round * 1000 + n) for n in range(int(seconds * RATE))]
        used = time.process_time()
        for changed in batches:
            change(changed)
            await asyncio.sleep(1 / RATE)
        # By the changes that were made, not by the clock: a busy machine lets it sleep longer.
        shares.append((time.process_time() - used) / (len(batches) / RATE) * 100)
    shares.sort()
    written = (CountingDriver.octets - octets) / (time.perf_counter() - began) / 1000
    spread = f"{shares[1]:.1f} % CPU ({shares[0]:.1f}-{shares[-1]:.1f})"
    return f"{CHANGES} changes at {RATE} Hz: {spread} {written:.1f} kB/s"


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
            store.take(events.JobsChanged(SAMPLE, changed, feed.NOW))

        listed = events.JobsListed(SAMPLE, feed.by_id(jobs), feed.NOW)
        few = events.JobsListed(SAMPLE, feed.by_id(jobs[:3]), feed.NOW)
        shows, patches = (
            [lambda: store.take(listed)] * TIMES,
            [feed.churn(jobs, 1000, n) for n in range(TIMES)],
        )
        figures = [
            await cpu(pilot, "show", shows, lambda: store.take(few)),
            await cpu(pilot, "patch 1000", [partial(change, changed) for changed in patches]),
            await cpu(pilot, "sort", [lambda: grid.order_by("name", False)] * TIMES),
            await cpu(
                pilot, "filter", [lambda: grid.filter_by(lambda job: "md" in job.name)] * TIMES
            ),
        ]
        grid.filter_by(None)
        grid.order_by(None, True)
        await pilot.pause(0.4)
        figures.append(f"{memory(jobs):.0f} B/job")
        store.take(few)
        await pilot.pause(0.4)
        stalled = await longest_step(lambda: store.take(listed))
        figures.append(f"longest step of a show {stalled:.0f} ms")
        steady = await churn(change, jobs, seconds)
        lines = [row("Grid", count, figures), row("", count, [steady])]
        return lines + (await idle_and_latency(app, seconds) if count == 1000 else [])


async def longest_step(work: Callable[[], Any]) -> float:
    """The longest that nothing else could happen during some work, in milliseconds of our CPU."""
    longest, last = 0.0, time.process_time()
    asyncio.get_running_loop().call_soon(work)
    until = time.perf_counter() + 0.6
    while time.perf_counter() < until:
        await asyncio.sleep(0)
        now = time.process_time()
        longest, last = max(longest, now - last), now
    return longest * 1000


async def idle_and_latency(app: FluxstateApp, seconds: float) -> list[str]:
    """What an idle dashboard costs, and the way from an event to the terminal."""
    app.services.store.take(events.JobsListed(SAMPLE, feed.by_id(feed.jobs(100, 0, 900)), feed.NOW))
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
    app.services.store.take(events.JobsChanged(SAMPLE, (feed.job(number),), feed.NOW))
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
            await cpu(pilot, "show", [lambda: app.fill(jobs)]),
            await cpu(pilot, "patch 1000", [lambda: app.change(changed)] * TIMES),
            await cpu(pilot, "sort", [lambda: table.sort("name")] * TIMES),
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
