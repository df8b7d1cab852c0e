"""As much OpenAPI as `kubectl apply`, `--dry-run=server` and `kubectl explain` ask for.

kubectl looks for the query parameters `fieldValidation` and `dryRun` of a kind's PATCH to see
whether the server validates by itself; without them it would want every schema.
"""

from __future__ import annotations

import hashlib

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import Kind, Registry
from fluxstate_tui.sim.api.schema import Schema

_INFO = {"title": "Kubernetes", "version": "v1.33.13"}


def _collection_path(kind: Kind) -> str:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    return f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else (
        f"{root}/{kind.plural}"
    )  # fmt: skip


def _group_version_kind(kind: Kind) -> JsonObject:
    return {"group": kind.group, "kind": kind.kind, "version": kind.version}


def _definition_name(kind: Kind) -> str:
    group = ".".join(reversed(kind.group.split("."))) if kind.group else "io.k8s.api.core"
    return f"{group}.{kind.version}.{kind.kind}"


def _operation(kind: Kind, version: int) -> JsonObject:
    def parameter(name: str) -> JsonObject:
        typed = {"type": "string"} if version == 2 else {"schema": {"type": "string"}}
        return {"name": name, "in": "query", "uniqueItems": True, **typed}

    return {
        "operationId": f"patch{kind.kind}",
        "parameters": [parameter(name) for name in ("dryRun", "fieldManager", "fieldValidation")],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _group_version_kind(kind),
    }


def _definition(kind: Kind, schema: Schema | None) -> JsonObject:
    body: JsonObject = {
        "type": "object",
        "x-kubernetes-group-version-kind": [_group_version_kind(kind)],
    }
    if schema is None:
        body["x-kubernetes-preserve-unknown-fields"] = True
        return body
    properties: JsonObject = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties["metadata"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties |= schema.openapi()["properties"]
    return {**body, "properties": properties}


def _document(kinds: list[Kind], schemas: dict[Kind, Schema], version: int) -> JsonObject:
    paths = {
        f"{_collection_path(kind)}/{{name}}": {"patch": _operation(kind, version)} for kind in kinds
    }
    definitions = {_definition_name(kind): _definition(kind, schemas.get(kind)) for kind in kinds}
    if version == 2:
        return {"swagger": "2.0", "info": _INFO, "paths": paths, "definitions": definitions}
    return {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": paths,
        "components": {"schemas": definitions},
    }


def openapi(registry: Registry, schemas: dict[Kind, Schema], path: str) -> JsonObject | None:
    """The answer to /openapi/v2, /openapi/v3 and /openapi/v3/GROUP-VERSION, or None."""
    if path == "/openapi/v2":
        return _document(list(registry.kinds), schemas, 2)
    prefixes = {
        f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}": kind
        for kind in registry.kinds
    }
    if path == "/openapi/v3":
        listed = {}
        for prefix in prefixes:
            digest = hashlib.sha256(prefix.encode()).hexdigest()[:32].upper()
            listed[prefix] = {"serverRelativeURL": f"/openapi/v3/{prefix}?hash={digest}"}
        return {"paths": listed}
    found = prefixes.get(path.removeprefix("/openapi/v3/"))
    if found is None:
        return None
    return _document(registry.in_group(found.group, found.version), schemas, 3)
