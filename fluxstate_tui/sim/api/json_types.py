"""The one name for decoded JSON objects of the Kubernetes API."""

from __future__ import annotations

from typing import Any, TypeAlias

# The API is untyped JSON at this level: kinds differ, and unknown fields must survive.
JsonObject: TypeAlias = dict[str, Any]
