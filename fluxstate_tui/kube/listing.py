"""Whole lists, page by page (Kubernetes API concepts: limit and continue)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxstate_tui.kube.errors import Gone
from fluxstate_tui.kube.resources import Resource

if TYPE_CHECKING:
    from fluxstate_tui.kube.session import Cluster

PAGE = 250


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a list, and the resource version that a watch can go on from."""

    items: list[dict[str, Any]]
    resource_version: str


async def list_all(
    cluster: Cluster,
    resource: Resource,
    namespace: str | None,
    *,
    label_selector: str = "",
    field_selector: str = "",
    limit: int = PAGE,
) -> Listing:
    """Every page. When the list's snapshot expires in between (410), it starts once more.

    `namespace=None` means all namespaces. Raises KubeError.
    """
    fixed = {"limit": str(limit)}
    if label_selector:
        fixed["labelSelector"] = label_selector
    if field_selector:
        fixed["fieldSelector"] = field_selector
    path = resource.path(namespace)
    try:
        return await _pages(cluster, path, fixed)
    except Gone:
        return await _pages(cluster, path, fixed)


async def _pages(cluster: Cluster, path: str, fixed: dict[str, str]) -> Listing:
    items: list[dict[str, Any]] = []
    token = ""
    while True:
        params = {**fixed, "continue": token} if token else fixed
        page = await cluster.request("GET", path, params=params)
        items += page.get("items") or []
        metadata = page.get("metadata") or {}
        token = metadata.get("continue") or ""
        if not token:
            return Listing(items, str(metadata.get("resourceVersion") or ""))
