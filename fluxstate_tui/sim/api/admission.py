"""From a request's body to an object that may be stored: names, schema, pruning, defaults."""

from __future__ import annotations

import re
from typing import Any

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.context import ApiContext
from fluxstate_tui.sim.api.errors import Cause
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import Kind
from fluxstate_tui.sim.api.request import Target
from fluxstate_tui.sim.api.schema import apply_defaults, prune, validate

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def check_identity(target: Target, body: JsonObject) -> None:
    """apiVersion, kind, name and namespace of a body must fit the path. Raises ApiError."""
    kind = target.kind
    metadata = body.setdefault("metadata", {})
    sent = body.get("kind", kind.kind)
    if sent != kind.kind:
        if kind.custom:
            cause = Cause(
                "FieldValueInvalid", f'Invalid value: "{sent}": must be {kind.kind}', "kind"
            )
            wrong = Kind(kind.group, kind.version, kind.plural, str(sent))
            raise errors.invalid(wrong, metadata.get("name", ""), [cause])
        raise errors.bad_request(
            f"{sent} in version \"{kind.version}\" cannot be handled as a {kind.kind}: "
            f"converting ({sent}) to ({kind.kind}): unknown conversion"
        )  # fmt: skip
    version = body.get("apiVersion", kind.api_version)
    if version != kind.api_version:
        raise errors.bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({kind.api_version})"
        )
    if target.name and metadata.get("name") != target.name:
        raise errors.bad_request(
            f"the name of the object ({metadata.get('name', '')}) does not match the name on the "
            f"URL ({target.name})"
        )
    if kind.namespaced:
        namespace = metadata.setdefault("namespace", target.namespace)
        if namespace != target.namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )


def admit(
    context: ApiContext, kind: Kind, body: JsonObject, field_validation: str = ""
) -> tuple[JsonObject, list[str]]:
    """The object with unknown fields pruned and defaults filled in, and warnings.

    Raises ApiError 422, or 400 for unknown fields with `fieldValidation=Strict`.
    """
    causes = _name_causes(body["metadata"])
    schema = context.schemas.get(kind)
    warnings: list[str] = []
    if schema is not None:
        unknown: list[str] = []
        kept = prune(schema, {k: v for k, v in body.items() if k in schema.properties}, "", unknown)
        unknown += [key for key in body if key not in {*schema.properties, *_TYPE_FIELDS}]
        if unknown and field_validation == "Strict":
            listed = ", ".join(f'unknown field "{path}"' for path in unknown)
            raise errors.bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
                f"strict decoding error: {listed}"
            )
        if field_validation == "Warn":
            warnings = [f'unknown field "{path}"' for path in unknown]
        body = {key: body[key] for key in _TYPE_FIELDS if key in body} | kept
        body = apply_defaults(schema, body) if "spec" in body else body
        causes += validate(schema, {k: v for k, v in body.items() if k in schema.properties})
        causes += _scale_causes(body.get("spec", {}))
    if causes:
        raise errors.invalid(kind, body["metadata"].get("name", ""), causes)
    return body, warnings


_TYPE_FIELDS = ("apiVersion", "kind", "metadata")


def _name_causes(metadata: JsonObject) -> list[Cause]:
    name = str(metadata.get("name") or "")
    if not name:
        if metadata.get("generateName"):
            return []
        required = "Required value: name or generateName is required"
        return [Cause("FieldValueRequired", required, "metadata.name")]
    if len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        message = f'Invalid value: "{name}": {_SUBDOMAIN_RULE}'
        return [Cause("FieldValueInvalid", message, "metadata.name")]
    return []


def _scale_causes(spec: Any) -> list[Cause]:
    """The scale subresource reads .spec.size and complains on its own."""
    size = spec.get("size") if isinstance(spec, dict) else None
    if not isinstance(size, str):
        return []
    message = (
        f"Invalid value: 0: .spec.size accessor error: {size} is of the type string, expected int64"
    )
    return [Cause("FieldValueInvalid", message, ".spec.size")]
