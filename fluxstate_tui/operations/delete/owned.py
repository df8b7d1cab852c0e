"""What a MiniCluster owns, found by owner uids: never by name or label (facts/operator.md, 2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.kube.resources import CONFIGMAPS, JOBS, PODS, SERVICES
from fluxstate_tui.kube.session import Cluster
from fluxstate_tui.model.reference import ClusterRef

Object = dict[str, Any]


class Owned:
    """Lists what is left of one MiniCluster. Remembers its Jobs, as their pods outlive them.

    `blind` names the kinds that may not be listed: of those nothing can be said.
    """

    def __init__(self, cluster: Cluster, ref: ClusterRef) -> None:
        self._cluster = cluster
        self._ref = ref
        self._owners = {ref.uid}
        self.blind: set[str] = set()

    async def left(self) -> list[str]:
        """`kind/name` of everything that is still there. Raises KubeError."""
        found: list[str] = []
        for resource in (JOBS, CONFIGMAPS, SERVICES, PODS):
            try:
                items = await self._cluster.list(resource, self._ref.namespace)
            except Forbidden:
                if resource is PODS:
                    raise
                self.blind.add(resource.plural)
                continue
            mine = list(owned_by(items, self._owners))
            if resource is JOBS:
                self._owners |= {item["metadata"]["uid"] for item in mine}
            found += [f"{resource.plural}/{item['metadata']['name']}" for item in mine]
        return found


def owned_by(items: Iterable[Object], owners: set[str]) -> Iterable[Object]:
    """The items that one of these uids owns."""
    for item in items:
        references = item.get("metadata", {}).get("ownerReferences") or []
        if any(reference.get("uid") in owners for reference in references):
            yield item
