"""What a request asks for: its resource, namespace, name, subresource and options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from multidict import MultiMapping

from fluxstate_tui import yaml_text
from fluxstate_tui.sim.api import errors, protobuf
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import NAMESPACES, Kind, Registry

_READ_VERBS = {"GET": "get", "HEAD": "get"}
_WRITE_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Target:
    """A resource path; `name` is empty for collections, `namespace` for all namespaces."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def scope(self) -> str | None:
        """The namespace to list, or None for all."""
        return self.namespace or None


def parse_path(registry: Registry, path: str) -> Target:
    """The target of /api/v1/... or /apis/GROUP/VERSION/.... Raises PageNotFoundError."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise errors.PageNotFoundError(path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in NAMESPACES.subresources:
        namespace, rest = rest[1], rest[2:]
    kind = registry.find(group, version, rest[0])
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        raise errors.PageNotFoundError(path)
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and subresource not in kind.subresources:
        raise errors.PageNotFoundError(path)
    return Target(kind, namespace, name, subresource)


def verb_of(method: str, target: Target, query: Mapping[str, str]) -> str:
    """The RBAC verb of a request."""
    if method in _READ_VERBS:
        if target.name:
            return "get"
        return "watch" if is_true(query.get("watch", "")) else "list"
    verb = _WRITE_VERBS.get(method)
    if verb is None:
        raise errors.method_not_allowed()
    if verb == "delete" and not target.name:
        return "deletecollection"
    return verb


def is_true(value: str) -> bool:
    """A boolean of a query string."""
    return value.lower() in {"1", "true", "t"}


def is_dry_run(query: MultiMapping[str]) -> bool:
    """Whether `dryRun=All` was asked for. Raises ApiError 400 for anything else."""
    values = query.getall("dryRun", [])
    if any(value != "All" for value in values):
        raise errors.bad_request('Invalid value: "dryRun": supported values: "All"')
    return bool(values)


def decode_body(raw: bytes, content_type: str, wanted: str) -> JsonObject:
    """The object in a body of JSON, YAML or protobuf. Raises ApiError 400 or 415."""
    media = content_type.partition(";")[0].strip() or "application/json"
    if media == "application/json":
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise errors.bad_request(
                f"the object provided is unrecognized (must be of type {wanted}): couldn't get "
                f"version/kind; json parse error: {error} ({raw[:30].hex()})"
            ) from None
    elif media in {"application/yaml", "application/apply-patch+yaml"}:
        try:
            body = yaml_text.load(raw)
        except yaml_text.YamlError as error:
            raise errors.bad_request(f"error decoding YAML: {error}") from None
    elif media == protobuf.MEDIA_TYPE:
        body = protobuf.decode_object(raw)
    else:
        accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
        raise errors.unsupported_media_type(accepted)
    if not isinstance(body, dict):
        raise errors.bad_request("the object provided is unrecognized: it is no object")
    return body
