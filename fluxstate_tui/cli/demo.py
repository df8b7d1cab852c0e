"""`--demo`: any command on a simulated cluster of its own."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator

WORLD = "demo"
# Fast enough that nobody waits long for a pod, slow enough to watch jobs run.
SPEED = 4.0


@contextlib.contextmanager
def demo_cluster(args: argparse.Namespace) -> Iterator[None]:
    """With --demo, serve a simulated cluster until the block is left, and mean that one."""
    if not args.demo:
        yield
        return
    from fluxstate_tui.demo.cluster import simulated_cluster

    with simulated_cluster(WORLD, args.demo_speed or SPEED) as kubeconfig:
        args.kubeconfig = str(kubeconfig)
        # What is done there is no business of the user's own journal and audit log.
        os.environ.setdefault("FLUXSTATE_STATE_DIR", str(kubeconfig.parent / "state"))
        yield
