"""Who asks, and what they may: bearer tokens and RBAC-like rules."""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.request import Target


@dataclass(frozen=True, slots=True)
class Rule:
    """Allows verbs on resources (`pods`, `pods/exec`, `*`) of API groups (`*` = all).

    An empty `namespaces` is a ClusterRole bound cluster-wide.
    """

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    groups: tuple[str, ...] = ("*",)
    namespaces: tuple[str, ...] = ()

    def allows(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        """Whether the rule covers that request; no namespace = cluster scope."""
        return (
            _covers(self.verbs, verb)
            and _covers(self.groups, group)
            and _covers(self.resources, resource)
            and (not self.namespaces or namespace in self.namespaces)
        )


def _covers(allowed: tuple[str, ...], value: str) -> bool:
    return "*" in allowed or value in allowed


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated identity."""

    name: str
    groups: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()

    def may(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        """The answer of the authorizer."""
        return any(rule.allows(verb, group, resource, namespace) for rule in self.rules)


ADMIN = User("sim-admin", ("system:masters",), (Rule(("*",), ("*",)),))


class Users:
    """Tokens and the users behind them."""

    def __init__(self, admin_token: str) -> None:
        self._by_token: dict[str, User] = {admin_token: ADMIN}

    def add(self, token: str, user: User) -> None:
        """Let `user` in with that token."""
        self._by_token[token] = user

    def authenticate(self, authorization: str, impersonate: str = "") -> User:
        """The user of an `Authorization` header. Raises ApiError 401, 403 for impersonation."""
        scheme, _, token = authorization.partition(" ")
        user = self._by_token.get(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise errors.unauthorized()
        if not impersonate:
            return user
        if user is not ADMIN:
            message = (
                f'users "{impersonate}" is forbidden: User "{user.name}" cannot impersonate '
                'resource "users" in API group "" at the cluster scope'
            )
            details: JsonObject = {"name": impersonate, "kind": "users"}
            raise errors.ApiError(403, "Forbidden", message, details)
        known = (found for found in self._by_token.values() if found.name == impersonate)
        return next(known, User(impersonate))


def authorize(user: User, verb: str, target: Target) -> None:
    """Raises ApiError 403."""
    kind = target.kind
    resource = f"{kind.plural}/{target.subresource}" if target.subresource else kind.plural
    namespace = target.name if kind.plural == "namespaces" else target.namespace
    if not user.may(verb, kind.group, resource, namespace):
        raise errors.forbidden(
            kind, target.name, user.name, verb, target.subresource, target.namespace
        )


def review(user: User, path: str, body: JsonObject, now: str) -> JsonObject | None:
    """Answers of the review APIs (authorization.k8s.io, authentication.k8s.io); None = unknown."""
    answer: JsonObject = {
        "kind": body.get("kind", ""),
        "apiVersion": body.get("apiVersion", ""),
        "metadata": {"creationTimestamp": None},
    }
    match path:
        case "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
            answer["spec"] = body.get("spec", {})
            answer["status"] = {"allowed": _access(user, answer["spec"])}
        case "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews":
            namespace = str(body.get("spec", {}).get("namespace", ""))
            answer["spec"] = {}
            answer["status"] = {
                "resourceRules": [
                    {"verbs": list(rule.verbs), "apiGroups": list(rule.groups),
                     "resources": list(rule.resources)}
                    for rule in user.rules
                    if not rule.namespaces or namespace in rule.namespaces
                ],
                "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*",
                                      "/apis", "/apis/*", "/version"]}],
                "incomplete": False,
            }  # fmt: skip
        case "/apis/authentication.k8s.io/v1/selfsubjectreviews":
            answer["metadata"] = {"creationTimestamp": now}
            groups = [*user.groups, "system:authenticated"]
            answer["status"] = {"userInfo": {"username": user.name, "groups": groups}}
        case _:
            return None
    return answer


def _access(user: User, spec: JsonObject) -> bool:
    asked = spec.get("resourceAttributes")
    if asked is None:
        return True
    resource = asked.get("resource", "")
    if asked.get("subresource"):
        resource = f"{resource}/{asked['subresource']}"
    return user.may(
        asked.get("verb", ""), asked.get("group", ""), resource, asked.get("namespace", "")
    )
