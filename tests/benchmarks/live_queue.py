"""The live queue: from an event in the broker to the store, and what a long job list costs us.

References in the same run: asking by `flux jobs --json`, and `json.loads` of the same list.
The simulated cluster runs in a process of its own, so its time is not ours.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

from fluxstate_tui.broker.commands import look
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.live_jobs import LiveJobs
from fluxstate_tui.broker.locate import locate
from fluxstate_tui.broker.protocol import JobsPiece
from fluxstate_tui.broker.submit import SubmitOptions, submit
from fluxstate_tui.clock import SystemClock
from fluxstate_tui.flux.job import Job
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.live.events import JobsChanged, SourceChanged, StoreEvent
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.queue_feed import QueueFeed

ROUNDS = 40
PIECE = 128 * 1024


def _last_event(job: Job) -> float:
    times = (job.t_inactive, job.t_cleanup, job.t_run, job.t_sched, job.t_priority, job.t_depend)
    return next((at for at in times if at is not None), job.t_submit)


async def latency(kubeconfig: str) -> None:
    """Submit jobs, and see how long each change is on its way."""
    late: list[float] = []
    live = asyncio.Event()

    def emit(event: StoreEvent) -> None:
        if isinstance(event, SourceChanged) and event.freshness is Freshness.LIVE:
            live.set()
        if isinstance(event, JobsChanged):
            late.extend(time.time() - _last_event(job) for job in event.jobs)

    async with await Cluster.open(KubeOptions(kubeconfig)) as cluster:
        resource = await cluster.minicluster_resource()
        found = parse_minicluster(await cluster.get(resource, "flux-sample", "default"))
        context = OperationContext(cluster, SystemClock(), Path("/nowhere"), "me@here")
        feed = QueueFeed(context, emit, found)
        task = asyncio.create_task(feed.run())
        await live.wait()
        assert feed.session is not None
        spent = time.process_time()
        for _ in range(ROUNDS):
            await submit(feed.session, SubmitOptions(("true",)))
            await asyncio.sleep(0.1)
        spent = time.process_time() - spent
        endpoint = await locate(cluster, found)
        before = time.time()
        await look(cluster, endpoint)
        asked = time.time() - before
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    late.sort()
    median, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
    print(f"{len(late)} changes of {ROUNDS} jobs, from the event to the store")
    print(f"  by the journal            median {median * 1000:5.0f} ms, p99 {p99 * 1000:.0f} ms")
    print(f"  one look by commands      {asked * 1000:5.0f} ms, and one has to ask first")
    print(f"  our CPU for all of it     {spent / len(late) * 1000:7.1f} ms per change")


def _listing(count: int) -> str:
    job: dict[str, Any] = {"userid": 0, "urgency": 16, "priority": 16, "state": 64, "result": 1}
    job |= {"name": "lammps", "cwd": "/home/user", "ntasks": 4, "ncores": 4, "nnodes": 1}
    job |= {"ranks": "0", "nodelist": "flux-sample-0", "success": True, "waitstatus": 0}
    job |= {f"t_{name}": 1795300000.123456 for name in ("submit", "depend", "priority", "sched")}
    job |= {f"t_{name}": 1795300009.123456 for name in ("run", "cleanup", "inactive")}
    job |= {"annotations": {"sched": {"resource_summary": "rank0/core[0-3]"}}, "dependencies": []}
    return json.dumps({"jobs": [{**job, "id": number << 24} for number in range(1, count + 1)]})


def long_list(count: int) -> None:
    """Take a list in, piece by piece."""
    text = _listing(count)
    deflate = zlib.compressobj(1)
    pieces = []
    for start in range(0, len(text), PIECE):
        last = start + PIECE >= len(text)
        data = deflate.compress(text[start : start + PIECE].encode())
        data += deflate.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
        pieces.append(JobsPiece(base64.b64encode(data).decode(), last, part=False, now=0.0))
    gc.collect()
    gc.freeze()
    live, total, longest = LiveJobs(), 0.0, 0.0
    for piece in pieces:
        before = time.process_time()
        live.piece(piece)
        step = time.process_time() - before
        total, longest = total + step, max(longest, step)
    before = time.process_time()
    json.loads(text)
    at_once = time.process_time() - before
    sent = sum(len(piece.data) for piece in pieces)
    print(f"a list of {count:,} jobs: {len(text) / 1e6:.1f} MB, sent as {sent / 1e6:.1f} MB")
    print(f"  json.loads in one go      {at_once:6.2f} s CPU (all of it one block)")
    print(f"  our pieces, to jobs       {total:6.2f} s CPU, longest step {longest * 1000:.0f} ms")


def main() -> None:
    """Print it all."""
    with tempfile.TemporaryDirectory() as folder:
        config = str(Path(folder, "config"))
        command = [sys.executable, "-m", "fluxstate_tui", "sim", "serve", "--world", "tutorial"]
        none = subprocess.DEVNULL
        sim = subprocess.Popen([*command, "--kubeconfig", config], stdout=none)
        try:
            while not Path(config).exists():
                time.sleep(0.1)
            asyncio.run(latency(config))
        finally:
            sim.terminate()
            sim.wait()
    for count in (1_000, 10_000, 100_000):
        long_list(count)


if __name__ == "__main__":
    main()
