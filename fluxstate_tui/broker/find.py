"""Which MiniCluster is meant: by name, or the only one there is."""

from __future__ import annotations

import re

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.errors import CrdMissing, NotFound
from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster

_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")


async def find_minicluster(cluster: Cluster, name: str) -> MiniCluster:
    """The MiniCluster of that name, or the only one there is when `name` is ''.

    Raises FluxstateError with exit code 4 (none) or 2 (several, or no name at all).
    """
    resource = await cluster.minicluster_resource()
    if name:
        _refuse_path(name)
        namespace = cluster.namespace
        try:
            return parse_minicluster(await cluster.get(resource, name, namespace))
        except CrdMissing:
            raise
        except NotFound:
            raise _none(f"There is no MiniCluster '{name}' in namespace '{namespace}'.") from None
    found = [parse_minicluster(item) for item in await cluster.list(resource, cluster.scope)]
    if not found:
        raise _none("There is no MiniCluster here.")
    if len(found) > 1:
        names = ", ".join(str(item.ref) for item in found[:8])
        raise FluxstateError(
            f"There are {len(found)} MiniClusters: {names}.",
            safe="Nothing was done.",
            advice="Say which one: give its name.",
            exit_code=ExitCode.USAGE,
        )
    return found[0]


async def find_ref(cluster: Cluster, name: str, *, may_be_gone: bool = False) -> ClusterRef:
    """Its reference. With `may_be_gone` a name that does not exist is taken as it is."""
    if may_be_gone and name:
        _refuse_path(name)
        return ClusterRef(cluster.namespace, name, "")
    return (await find_minicluster(cluster, name)).ref


def _refuse_path(name: str) -> None:
    """As part of a path it would mean another object of the API server, or another file."""
    if not _NAME.fullmatch(name):
        raise FluxstateError(
            f"'{name}' is no name of a MiniCluster.",
            safe="Nothing was done.",
            exit_code=ExitCode.USAGE,
        )


def _none(message: str) -> FluxstateError:
    return FluxstateError(
        message,
        safe="Nothing was done.",
        advice="List them: fluxstate-tui get miniclusters -A",
        exit_code=ExitCode.NOT_FOUND,
    )
