"""What a request asks for, in RBAC's words: verb, resource and namespace of a path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request as the API server's authorizer sees it. `resource` has its subresource."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str

    @classmethod
    def of(cls, method: str, path: str, params: Mapping[str, str] | None = None) -> RequestInfo:
        """Take a path apart. A path that is no resource keeps its whole text as `resource`."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        group = ""
        if parts[0] == "apis" and len(parts) >= 4:
            group, rest = parts[1], parts[3:]
        elif parts[0] == "api" and len(parts) >= 3:
            rest = parts[2:]
        else:
            return cls(method.lower(), "", path, "", "")
        namespace = ""
        if rest[0] == "namespaces" and len(rest) >= 3:
            namespace, rest = rest[1], rest[2:]
        name = rest[1] if len(rest) > 1 else ""
        resource = "/".join([rest[0], *rest[2:3]])
        return cls(_verb(method, name, params or {}), group, resource, namespace, name)

    def rbac_rule(self) -> str:
        """The rule that a Role needs for it, as one line of YAML."""
        # A WebSocket is asked for by GET; from Kubernetes 1.35 exec needs create all the same.
        verbs = '"get", "create"' if self.resource == "pods/exec" else f'"{self.verb}"'
        return (
            f'- {{apiGroups: ["{self.group}"], resources: ["{self.resource}"], verbs: [{verbs}]}}'
        )


def _verb(method: str, name: str, params: Mapping[str, str]) -> str:
    if method in ("GET", "HEAD"):
        if params.get("watch") in ("true", "1"):
            return "watch"
        return "get" if name else "list"
    if method == "DELETE" and not name:
        return "deletecollection"
    return _VERBS.get(method, method.lower())
