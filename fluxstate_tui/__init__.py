"""The terminal dashboard for the state of Flux MiniClusters on Kubernetes.

Its public Python API is in fluxstate_tui/api.py, and exported from here when it is first used: the
command line and the first paint do not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxstate_tui.version import __version__

if TYPE_CHECKING:
    from fluxstate_tui.api import (
        ArchiveTable,
        Client,
        FluxstateError,
        JobTable,
        MiniClusterState,
        OperationFailedError,
        PlannedOperation,
        Running,
        connect,
        read_archive,
    )

__all__ = [
    "ArchiveTable",
    "Client",
    "FluxstateError",
    "JobTable",
    "MiniClusterState",
    "OperationFailedError",
    "PlannedOperation",
    "Running",
    "__version__",
    "connect",
    "read_archive",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fluxstate_tui import api

    return getattr(api, name)
