"""Lists: selectors, pages and the resourceVersion that was asked for."""

from __future__ import annotations

from collections.abc import Mapping

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.context import ApiContext
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.representation import Representation
from fluxstate_tui.sim.api.request import Target
from fluxstate_tui.sim.api.selectors import Matcher, field_selector, label_selector


def matcher(target: Target, query: Mapping[str, str]) -> Matcher:
    """Label and field selectors of a query, and the name in a watch's path. Raises ApiError 400."""
    labels = label_selector(query.get("labelSelector", ""))
    fields = field_selector(target.kind, query.get("fieldSelector", ""))
    name = target.name
    return lambda obj: (not name or obj["metadata"]["name"] == name) and labels(obj) and fields(obj)


def list_objects(
    context: ApiContext,
    target: Target,
    matches: Matcher,
    shape: Representation,
    query: Mapping[str, str],
) -> JsonObject:
    """The body of a list. Raises ApiError 400, 410, 504."""
    store = context.store
    _check_version(context, query)
    items = [obj for obj in store.objects(target.kind, target.scope) if matches(obj)]
    limit = query.get("limit", "")
    key = "|".join((target.kind.qualified, target.namespace, query.get("labelSelector", ""),
                    query.get("fieldSelector", "")))  # fmt: skip
    page, metadata = context.pages.page(
        key, items, store.version, int(limit) if limit.isdigit() else 0, query.get("continue", "")
    )
    return shape.many(target.kind, page, metadata, store.now())


def _check_version(context: ApiContext, query: Mapping[str, str]) -> None:
    text = query.get("resourceVersion", "")
    if not text:
        return
    if not text.isdigit():
        raise errors.bad_request(
            f'invalid resource version: resourceVersion: Invalid value: "{text}": '
            f'strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    version = int(text)
    if version > context.store.version:
        raise errors.version_too_large(version, context.store.version)
    if query.get("resourceVersionMatch") == "Exact" and version != context.store.version:
        message = "The resourceVersion for the provided list is too old."
        raise errors.ApiError(410, "Expired", message)
