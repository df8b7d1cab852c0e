"""CPU from start to the first frame, against an empty Textual app in the same run.

Both are counted until their first frame is handed to the terminal, in a fresh process.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

REPEATS = 9
EMPTY = """
from textual.app import App
app = App()
"""
OURS = """
from fluxstate_tui.tui.run import build
from fluxstate_tui.kube.kubeconfig import KubeOptions
app = build(KubeOptions())
app._start = None  # connecting begins after the first paint, which is where we stop counting
"""
MEASURE = """
import asyncio, sys, time
from textual.app import App
used = 0.0
display = App._display
def first_frame(self, screen, renderable):
    global used
    display(self, screen, renderable)
    used = used or time.process_time()
App._display = first_frame
async def go():
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
    heavy = sorted({"kubernetes", "aiohttp"} & set(sys.modules))
    print(used, ",".join(heavy) or "-")
asyncio.run(go())
"""


def seconds(code: str) -> tuple[float, str]:
    """CPU seconds of one fresh process until its first paint, and the heavy modules it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", code + MEASURE], capture_output=True, text=True, check=True
    )
    used, heavy = done.stdout.split()
    return float(used), heavy


COMMAND = """
import sys, time
from fluxstate_tui.cli.main import build_parser
build_parser().format_help()
heavy = sorted({"textual", "kubernetes", "aiohttp"} & set(sys.modules))
print(time.process_time(), ",".join(heavy) or "-")
"""
NOTHING = """
import time
print(time.process_time(), "-")
"""


def command_line() -> None:
    """What `--help` costs above a Python that does nothing."""
    done = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for code in [NOTHING, COMMAND] * REPEATS
    ]
    nothing, helped = (
        statistics.median(float(one.stdout.split()[0]) for one in done[start::2])
        for start in (0, 1)
    )
    print(f"CPU of --help, median of {REPEATS} fresh processes, alternating with an empty Python")
    print(f"  empty Python      {nothing * 1000:7.0f} ms")
    print(f"  --help            {helped * 1000:7.0f} ms")
    print(f"  heavy modules loaded: {done[-1].stdout.split()[1]}")


def main() -> None:
    """Print medians of alternating runs."""
    command_line()
    empty, ours, heavy = [], [], ""
    for _ in range(REPEATS):
        empty.append(seconds(EMPTY)[0])
        used, heavy = seconds(OURS)
        ours.append(used)
    reference, mine = statistics.median(empty), statistics.median(ours)
    print(f"CPU to the first paint, median of {REPEATS} fresh processes each, alternating")
    print(f"  empty Textual app {reference * 1000:7.0f} ms")
    print(f"  fluxstate-tui     {mine * 1000:7.0f} ms")
    print(f"  difference        {(mine - reference) * 1000:7.0f} ms   (aim: at most 100 ms)")
    print(f"  heavy modules loaded by then: {heavy}")


if __name__ == "__main__":
    main()
