"""The little protobuf that kubectl insists on: requests of a few kinds, and OpenAPI v2.

kubectl's typed commands (`auth can-i`, `create namespace` ...) send application/
vnd.kubernetes.protobuf: `k8s\\0` and a runtime.Unknown (k8s.io/apimachinery, generated.proto).
Field numbers are those of the public .proto files of Kubernetes and of gnostic's OpenAPIv2.proto.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.json_types import JsonObject

MAGIC = b"k8s\x00"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
# What is asked for is no valid media type for Go's parser; what is answered is.
OPENAPI_V2_ANSWER = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

# number -> (field, "text" or "map" or a nested message)
Message = dict[int, tuple[str, Any]]

_METADATA: Message = {
    1: ("name", "text"), 2: ("generateName", "text"), 3: ("namespace", "text"),
    11: ("labels", "map"), 12: ("annotations", "map"),
}  # fmt: skip
_RESOURCE: Message = {
    1: ("namespace", "text"), 2: ("verb", "text"), 3: ("group", "text"), 4: ("version", "text"),
    5: ("resource", "text"), 6: ("subresource", "text"), 7: ("name", "text"),
}  # fmt: skip
_PATH: Message = {1: ("path", "text"), 2: ("verb", "text")}
_KINDS: dict[str, Message] = {
    "Namespace": {1: ("metadata", _METADATA)},
    "ServiceAccount": {1: ("metadata", _METADATA)},
    "ConfigMap": {1: ("metadata", _METADATA), 2: ("data", "map")},
    "SelfSubjectAccessReview": {
        2: ("spec", {1: ("resourceAttributes", _RESOURCE), 2: ("nonResourceAttributes", _PATH)})
    },
    "SelfSubjectRulesReview": {2: ("spec", {1: ("namespace", "text")})},
    "SelfSubjectReview": {},
}
_TYPE: Message = {1: ("apiVersion", "text"), 2: ("kind", "text")}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Length-delimited fields by number; numbers are skipped."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise IndexError
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            at += {1: 8, 5: 4}[kind]


def _decode(data: bytes, message: Message) -> JsonObject:
    decoded: JsonObject = {}
    for number, value in _fields(data):
        if number not in message:
            continue
        name, kind = message[number]
        if kind == "text":
            if value:
                decoded[name] = value.decode()
        elif kind == "map":
            pair = _decode(value, {1: ("key", "text"), 2: ("value", "text")})
            decoded.setdefault(name, {})[pair.get("key", "")] = pair.get("value", "")
        else:
            decoded[name] = _decode(value, kind)
    return decoded


def decode_object(raw: bytes) -> JsonObject:
    """The object of a protobuf body. Raises ApiError 415 for kinds not in the table, 400."""
    if not raw.startswith(MAGIC):
        raise errors.bad_request("the body has no protobuf magic number")
    try:
        unknown = dict(_fields(raw[len(MAGIC) :]))
        types = _decode(unknown.get(1, b""), _TYPE)
        message = _KINDS.get(types.get("kind", ""))
        if message is None:
            raise errors.unsupported_media_type("application/json, application/yaml")
        return {**types, **_decode(unknown.get(2, b""), message)}
    except (IndexError, KeyError, UnicodeDecodeError):
        raise errors.bad_request("the protobuf body is damaged") from None


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _field(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _encode_varint(number << 3 | 2) + _encode_varint(len(data)) + data


def encode_openapi_v2(document: JsonObject) -> bytes:
    """The paths of a swagger document with their PATCH operations (gnostic openapi.v2)."""
    info = _field(1, document["info"]["title"]) + _field(2, document["info"]["version"])
    paths = b"".join(
        _field(2, _field(1, path) + _field(2, _field(8, _operation(item["patch"]))))
        for path, item in document["paths"].items()
    )
    return _field(1, "2.0") + _field(2, info) + _field(8, paths)


def _operation(operation: JsonObject) -> bytes:
    encoded = _field(5, operation["operationId"])
    for parameter in operation["parameters"]:
        query = _field(2, "query") + _field(4, parameter["name"])
        # ParametersItem.parameter.non_body_parameter.query_parameter_sub_schema
        encoded += _field(8, _field(1, _field(2, _field(3, query))))
    name = "x-kubernetes-group-version-kind"
    extension = json.dumps(operation[name])
    return encoded + _field(13, _field(1, name) + _field(2, _field(2, extension)))
