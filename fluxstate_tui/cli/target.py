"""The cluster that a command works on, with everything that an operation needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fluxstate_tui.broker.context import OperationContext, default_state_dir, default_who
from fluxstate_tui.cli.options import configuration
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions


@asynccontextmanager
async def open_context(options: KubeOptions) -> AsyncIterator[OperationContext]:
    """Everything that an operation needs, with the real clock and the user's state directory."""
    async with await Cluster.open(options) as cluster:
        settings = configuration()
        yield OperationContext(
            cluster=cluster,
            clock=cluster.clock,
            state_dir=default_state_dir(),
            who=default_who(),
            room_for_copies=settings.room_for_copies,
            helper_image=settings.helper_pod.image or "",
            signing_secret=settings.signing_secret,
        )
