"""Ten thousand pods: what listing them costs us, against `json.loads` of the same bytes."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from fluxstate_tui.kube.client import Cluster, ListQuery, list_all
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import PODS, parse_pod

PODS_IN_ALL = 10_000
SAMPLE = Path(__file__).parents[1] / "data" / "kubernetes" / "variants.json"


def page(start: int, count: int) -> bytes:
    """A page of pods of about 10 kB each, as big as those of a real MiniCluster."""
    pod: dict[str, Any] = json.loads(SAMPLE.read_text())["pods"][0]
    pod["spec"]["volumes"] = [
        {"name": f"v{n}", "emptyDir": {"medium": "x" * 50}} for n in range(60)
    ]
    items = []
    for number in range(start, start + count):
        metadata = {**pod["metadata"], "uid": str(number), "name": f"pod-{number}"}
        items.append({**pod, "metadata": metadata})
    more = "" if start + count >= PODS_IN_ALL else str(start + count)
    return json.dumps({"metadata": {"continue": more}, "items": items}).encode()


def serve() -> None:
    """The server, in a process of its own."""
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        start = int(request.query.get("continue") or 0)
        return web.Response(body=page(start, int(request.query["limit"])))

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), print=None)


async def longest_block(done: asyncio.Event) -> float:
    """The longest CPU time (s) that was spent between two turns of the event loop."""
    longest, last = 0.0, time.thread_time()
    while not done.is_set():
        await asyncio.sleep(0.001)
        now = time.thread_time()
        longest, last = max(longest, now - last), now
    return longest


async def measure(port: int) -> tuple[int, float, float]:
    """Pods, CPU seconds, longest block in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        cluster_data = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
        context = {"name": "c", "context": {"cluster": "c"}}
        document = {"current-context": "c", "clusters": [cluster_data], "contexts": [context]}
        config.write_text(yaml.safe_dump(document))
        async with await Cluster.open(KubeOptions(kubeconfig=str(config))) as cluster:
            done = asyncio.Event()
            watcher = asyncio.create_task(longest_block(done))
            before = time.process_time()
            listing = await list_all(cluster, ListQuery(PODS), parse_pod)
            spent = time.process_time() - before
            done.set()
            return len(listing.items), spent, await watcher


def main() -> None:
    """Print CPU, longest block of the event loop and memory."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, __file__, "serve", str(port)])
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        count, spent, block = asyncio.run(measure(port))
    finally:
        server.terminate()
        server.wait()
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    whole = page(0, PODS_IN_ALL)
    size = len(whole) / 1e6
    before = time.process_time()
    json.loads(whole)
    at_once = time.process_time() - before
    print(f"list of {count} pods, {size:.0f} MB")
    print(f"  json.loads in one go      {at_once:6.2f} s CPU (all of it one block)")
    print(f"  our list, page by page    {spent:6.2f} s CPU, longest block {block * 1000:.0f} ms")
    print(f"  peak memory of our list   {ours:6.0f} MiB, the whole process")


if __name__ == "__main__":
    serve() if sys.argv[1:2] == ["serve"] else main()
