"""The three walks of ARCHITECTURE.md, traced: which files run when a job event comes, when `p` is
pressed, and when an archive is opened.

What also runs while nothing happens is left out, function by function; so are the simulated cluster
and what runs inside the pod.
"""

from __future__ import annotations

import asyncio
import copy
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from fluxstate_tui.sim.server import SimulatedCluster
from tests.e2e.target import MINICLUSTER, Target
from tests.e2e.test_by_keys import LARGE, dashboard
from tests.unit.archive import given
from tests.unit.tui_screens.archives.opening import opened

PACKAGE = f"{os.sep}fluxstate_tui{os.sep}"
IDLE_SECONDS = 6.0

Functions = set[tuple[str, str]]


def main() -> None:
    """Print the files of each walk."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        asyncio.run(_live(Path(folder), patch))
        nothing = Path(folder) / "nothing.tar.gz"
        nothing.write_bytes(b"")
        # In loops of their own: a thread is traced from its start.
        with traced() as empty:
            asyncio.run(_open(nothing))
        with traced() as rows:
            asyncio.run(_open(given.path("mixed")))
        show("an archive becomes rows", rows - empty)


async def _live(folder: Path, patch: pytest.MonkeyPatch) -> None:
    async with SimulatedCluster(speed=20.0, world="empty") as cluster:
        kubeconfig = folder / "kubeconfig"
        cluster.write_kubeconfig(kubeconfig)
        minicluster = copy.deepcopy(MINICLUSTER)
        target = Target(kubeconfig, "default", minicluster, True, folder / "state", 120.0)
        await target.create(size=2)
        async with dashboard(target, LARGE, patch) as user:
            await user.see(target.name, "● Up", "▶ started")
            await user.press("enter")
            await asyncio.sleep(2)
            with traced() as idle:
                await asyncio.sleep(IDLE_SECONDS)
            with traced() as event:
                await target.submit("sleep", "1")
                await user.see("COMPLETED")
            with traced() as key:
                await user.press("p")
                await user.see("Completed")
    show("a job event becomes a cell", event - idle)
    show("a key becomes a read-back", key - idle)


async def _open(path: Path) -> None:
    async with opened(path, LARGE):
        pass


@contextmanager
def traced() -> Iterator[Functions]:
    """The functions of the program that are called in the block, in this and in new threads."""
    called: Functions = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        if event == "call" and PACKAGE in name:
            called.add((name.rpartition(PACKAGE)[2], frame.f_code.co_qualname))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def show(title: str, functions: Functions) -> None:
    """The files, with how many of their functions ran. Class bodies and `__x__` do not count."""
    counts: dict[str, int] = {}
    for file, name in functions:
        if not file.startswith("sim/") and not name.rpartition(".")[2].startswith(("__", "<")):
            counts[file] = counts.get(file, 0) + 1
    print(f"{title}: {len(counts)} files")
    for file in sorted(counts):
        print(f"  {file} ({counts[file]})")
