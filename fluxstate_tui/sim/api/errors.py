"""Errors as the API server words them: metav1.Status bodies, recorded from Kubernetes 1.33."""

from __future__ import annotations

from dataclasses import dataclass, field

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import Kind


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason of a 422: which field, which rule (FieldValueRequired ...), which words."""

    reason: str
    message: str
    field: str


@dataclass(slots=True)
class ApiError(Exception):
    """An answer that is a Status: `code` is the HTTP status, `reason` metav1's reason."""

    code: int
    reason: str
    message: str
    details: JsonObject | None = None
    metadata: JsonObject = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> JsonObject:
        """The Status object that travels."""
        status: JsonObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


class PageNotFoundError(Exception):
    """Unknown groups, versions and resources get the text `404 page not found`, not a Status."""


def details_of(kind: Kind, name: str = "", *, by_kind: bool = False) -> JsonObject:
    """`details` of a Status: name, group (left out for core) and the plural or the kind."""
    details: JsonObject = {}
    if name:
        details["name"] = name
    if kind.group:
        details["group"] = kind.group
    details["kind"] = kind.kind if by_kind else kind.plural
    return details


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: the bearer token is missing or unknown."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def not_found(kind: Kind, name: str) -> ApiError:
    """404 of an object."""
    return ApiError(404, "NotFound", f'{kind.qualified} "{name}" not found', details_of(kind, name))


def already_exists(kind: Kind, name: str) -> ApiError:
    """409 on create."""
    message = f'{kind.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details_of(kind, name))


def stale_version(kind: Kind, name: str) -> ApiError:
    """409: the resourceVersion sent is not the current one."""
    message = (
        f'Operation cannot be fulfilled on {kind.qualified} "{name}": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )
    return ApiError(409, "Conflict", message, details_of(kind, name))


def failed_precondition(kind: Kind, name: str, what: str, wanted: str, actual: str) -> ApiError:
    """409: a delete's precondition (UID or ResourceVersion) does not hold."""
    record = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    message = (
        f'Operation cannot be fulfilled on {record} "{name}": the {what} in the precondition '
        f"({wanted}) does not match the {what} in record ({actual}). "
        "The object might have been deleted and then recreated"
    )
    return ApiError(409, "Conflict", message, details_of(kind, name, by_kind=True))


def invalid(kind: Kind, name: str, causes: list[Cause], *, by_kind: bool = True) -> ApiError:
    """422 with its causes, joined as the API server joins them."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    word = kind.kind if by_kind else kind.plural
    record = f"{word}.{kind.group}" if kind.group else word
    details = details_of(kind, name, by_kind=by_kind)
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    return ApiError(422, "Invalid", f'{record} "{name}" is invalid: {joined}', details)


def forbidden(kind: Kind, name: str, user: str, verb: str, sub: str, namespace: str) -> ApiError:
    """403 as RBAC words it."""
    resource = f"{kind.plural}/{sub}" if sub else kind.plural
    place = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    subject = f'{kind.qualified} "{name}"' if name else kind.qualified
    message = (
        f'{subject} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{kind.group}" {place}'
    )
    return ApiError(403, "Forbidden", message, details_of(kind, name))


def expired_watch(asked: int, oldest: int) -> ApiError:
    """410 inside a watch stream."""
    return ApiError(410, "Expired", f"too old resource version: {asked} ({oldest})")


def expired_continue(fresh_token: str) -> ApiError:
    """410 on a list page, with a token to go on inconsistently."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results. Continuing with the provided token "
        "results in an inconsistent list - objects that were created, modified, or deleted "
        "between the time the first chunk was returned and now may show up in the list."
    )
    return ApiError(410, "Expired", message, metadata={"continue": fresh_token})


def version_too_large(asked: int, current: int) -> ApiError:
    """504 of a list that asks for a future resourceVersion."""
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details: JsonObject = {"causes": [cause], "retryAfterSeconds": 1}
    return ApiError(504, "Timeout", message, details, headers={"Retry-After": "1"})


def not_acceptable() -> ApiError:
    """406."""
    return ApiError(
        406,
        "NotAcceptable",
        "only the following media types are accepted: application/json, application/yaml, "
        "application/vnd.kubernetes.protobuf",
    )


def unsupported_media_type(accepted: str) -> ApiError:
    """415."""
    return ApiError(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        f"{accepted}",
    )


def method_not_allowed() -> ApiError:
    """405."""
    return ApiError(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        {},
    )
