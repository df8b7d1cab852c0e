"""Whole lists, page by page (Kubernetes API concepts: limit and continue)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fluxstate_tui.kube.errors import Gone
from fluxstate_tui.kube.list_body import decode_list
from fluxstate_tui.kube.resources import Resource
from fluxstate_tui.model.loose import as_map

if TYPE_CHECKING:
    from fluxstate_tui.kube.session import Cluster

PAGE = 250

Object = dict[str, Any]
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Listing(Generic[Read]):
    """All objects of a list, and the resource version that a watch can go on from."""

    items: list[Read]
    resource_version: str


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What to list. `namespace=None` means all namespaces; `limit` is objects per page."""

    resource: Resource
    namespace: str | None = None
    label_selector: str = ""
    field_selector: str = ""
    limit: int = PAGE

    @property
    def path(self) -> str:
        """The collection's address."""
        return self.resource.path(self.namespace)

    @property
    def selectors(self) -> dict[str, str]:
        """The selectors as parameters, for lists and watches alike."""
        both = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {key: value for key, value in both.items() if value}


async def list_all(
    cluster: Cluster, query: ListQuery, read: Callable[[Object], Read]
) -> Listing[Read]:
    """Every page, each object as `read` makes it. Raises KubeError.

    When the list's snapshot expires in between (410), it starts once more.
    """
    try:
        return await _pages(cluster, query, read)
    except Gone:
        return await _pages(cluster, query, read)


async def _pages(
    cluster: Cluster, query: ListQuery, read: Callable[[Object], Read]
) -> Listing[Read]:
    items: list[Read] = []
    token = ""
    while True:
        params = {"limit": str(query.limit), **query.selectors}
        if token:
            params["continue"] = token
        body = await cluster.request_bytes("GET", query.path, params=params)
        try:
            page, fields = await decode_list(body, read)
        except ValueError as error:
            raise cluster.no_api_answer(body) from error
        items += page
        metadata = as_map(fields.get("metadata"))
        token = metadata.get("continue") or ""
        if not token:
            return Listing(items, str(metadata.get("resourceVersion") or ""))
