"""The server's end, with somebody at the door."""

from __future__ import annotations

import asyncio
import gc
import socket

from fluxstate_tui.sim.server import SimulatedCluster


async def test_a_connection_that_comes_in_the_moment_of_the_end_is_closed() -> None:
    """CPython 3.11 leaked it, and whichever test ran then failed of the warning."""
    async with SimulatedCluster() as cluster:
        with socket.create_connection(("127.0.0.1", cluster.port)):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await cluster.close()
    gc.collect()
