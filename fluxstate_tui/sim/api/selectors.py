"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import EVENTS, JOBS, NAMESPACES, PODS, Kind

Matcher = Callable[[JsonObject], bool]

_SET = re.compile(r"^\s*(?P<key>[\w./-]+)\s+(?P<op>in|notin)\s+\((?P<values>[^()]*)\)\s*$")
_EQUAL = re.compile(r"^\s*(?P<key>[\w./-]+)\s*(?P<op>==|!=|=)\s*(?P<value>[\w.-]*)\s*$")
_EXISTS = re.compile(r"^\s*(?P<no>!?)\s*(?P<key>[\w./-]+)\s*$")

_FIELDS: dict[Kind, tuple[str, ...]] = {
    PODS: ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
           "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
    EVENTS: ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
             "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
             "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"),
    JOBS: ("status.successful",),
    NAMESPACES: ("status.phase",),
}  # fmt: skip


def _split(text: str) -> list[str]:
    """Requirements are separated by commas outside parentheses."""
    return re.split(r",(?![^()]*\))", text)


def _requirement(text: str) -> Callable[[JsonObject], bool]:
    if found := _SET.match(text):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        inside = found["op"] == "in"
        return lambda labels: (
            (labels.get(key) in values) if inside else labels.get(key) not in values
        )
    if found := _EQUAL.match(text):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(text):
        key, absent = found["key"], bool(found["no"])
        return lambda labels: (key not in labels) if absent else key in labels
    raise errors.bad_request(
        "unable to parse requirement: found '', expected: ',', ')' or identifier"
    )


def label_selector(text: str) -> Matcher:
    """The matcher of `labelSelector=`. Raises ApiError 400."""
    if not text.strip():
        return lambda _: True
    rules = [_requirement(part) for part in _split(text)]
    return lambda obj: all(rule(obj["metadata"].get("labels") or {}) for rule in rules)


def _field(obj: JsonObject, path: str) -> str:
    value: object = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if path == "source" and isinstance(value, dict):
        value = value.get("component")
    return "" if value is None else str(value)


def field_selector(kind: Kind, text: str) -> Matcher:
    """The matcher of `fieldSelector=`. Raises ApiError 400 for a field that is not indexed."""
    rules: list[tuple[str, bool, str]] = []
    known = ("metadata.name", "metadata.namespace", *_FIELDS.get(kind, ()))
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = re.match(r"^([\w.]+)(==|!=|=)(.*)$", part)
        if found is None:
            raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        if found[1] not in known:
            raise errors.bad_request(f"field label not supported: {found[1]}")
        rules.append((found[1], found[2] != "!=", found[3]))
    return lambda obj: all((_field(obj, path) == value) is same for path, same, value in rules)
