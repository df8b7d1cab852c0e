"""JSON as the different parts of Flux write it into the KVS."""

from __future__ import annotations

import base64
import json
from typing import Any


def compact(value: Any) -> bytes:
    """As C code does: no blanks, UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def spaced(value: Any) -> bytes:
    """As Python code does (submitted jobspecs, the scheduler's R)."""
    return json.dumps(value, ensure_ascii=False).encode()


def sign(jobspec: dict[str, Any], userid: int, environment: dict[str, str]) -> bytes:
    """The `J` entry: header, jobspec with environment, mechanism `none` (RFC 15)."""
    system = {**jobspec["attributes"]["system"], "environment": environment}
    whole = {**jobspec, "attributes": {**jobspec["attributes"], "system": system}}
    header = b"version\0i1\0userid\0i%d\0mechanism\0snone\0" % userid
    return base64.b64encode(header) + b"." + base64.b64encode(spaced(whole)) + b".none"
