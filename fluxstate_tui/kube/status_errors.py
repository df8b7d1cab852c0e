"""An HTTP answer that is no success -> one of our typed errors.

The bodies are `Status` objects (apimachinery meta/v1), but a missing API group answers with the
text `404 page not found`, and proxies answer with HTML (facts/kubernetes-live.md, "API").
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from fluxstate_tui.kube import errors
from fluxstate_tui.kube.errors import KubeError
from fluxstate_tui.kube.request_info import RequestInfo
from fluxstate_tui.kube.resources import FLUX_GROUP

_SHOWN = 200
_READING = ("GET", "HEAD")
_USER = re.compile(r'User "([^"]*)" cannot (\S+) resource "([^"]*)"')
# Admission names the object, or its webhook; authorization names the user and the kind.
_OBJECT = re.compile(r'"[^"]*" is forbidden: |^admission webhook "')
_RELOAD = "Somebody changed it at the same time: look at it again and repeat."
_UNEXPECTED = "The object is not as it was expected to be: look at it again."
_OPERATOR = (
    "Install the Flux Operator in this cluster "
    "(https://github.com/flux-framework/flux-operator), or choose another context."
)


def error_from_response(
    method: str,
    path: str,
    status: int,
    body: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> KubeError:
    """The typed error for this answer. It is returned, not raised."""
    document = parse_status(body)
    said = _said(document, body, status)
    info = RequestInfo.of(method, path, params)
    if status == 403:
        return _forbidden(info, said)
    if status == 404:
        return _not_found(info, document, said)
    # A change that failed with 5xx may have been carried out, so it is never sent again by itself.
    asks_to_wait = status >= 500 and method in _READING and "Retry-After" in (headers or {})
    if status == 429 or asks_to_wait:
        return errors.TooManyRequests(_sentence(said), retry_after=retry_after(headers))
    return _by_code(status, document, said, method)


def parse_status(body: bytes) -> dict[str, Any]:
    """The Status object in a body, or {} if it holds none."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def retry_after(headers: Mapping[str, str] | None) -> float | None:
    """`Retry-After` in seconds (RFC 9110, 10.2.3; the API server sends the delay form)."""
    try:
        return max(0.0, float((headers or {})["Retry-After"]))
    except (KeyError, ValueError):
        return None


def shorten(body: bytes) -> str:
    """A body for people: one line, cut."""
    text = " ".join(body[: 4 * _SHOWN].decode("utf-8", "replace").split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _said(document: dict[str, Any], body: bytes, status: int) -> str:
    message = document.get("message")
    if isinstance(message, str) and message.strip():
        return " ".join(message.split())
    return shorten(body) or f"the answer was HTTP {status} without a text"


def _sentence(text: str) -> str:
    return f"The API server says: {text.rstrip('.')}."


def _details(document: dict[str, Any]) -> dict[str, Any]:
    details = document.get("details")
    return details if isinstance(details, dict) else {}


def _causes(document: dict[str, Any]) -> tuple[str, ...]:
    lines = []
    for cause in _details(document).get("causes") or ():
        field, message = cause.get("field", ""), cause.get("message", "")
        lines.append(f"{field}: {message}" if field else str(message))
    return tuple(lines)


def _forbidden(info: RequestInfo, said: str) -> KubeError:
    match = _USER.search(said)
    if match is None and _OBJECT.search(said):
        return errors.NotAdmitted(info, said)
    user = match.group(1) if match else ""
    return errors.Forbidden(info, said, user)


def _not_found(info: RequestInfo, document: dict[str, Any], said: str) -> KubeError:
    if document.get("reason") == "NotFound" and _details(document).get("name"):
        return errors.NotFound(_sentence(said), safe=errors.NOTHING_CHANGED, status=404)
    if document.get("kind") == "Status" and info.name:
        return errors.NotFound(_sentence(said), safe=errors.NOTHING_CHANGED, status=404)
    if info.group == FLUX_GROUP or FLUX_GROUP in info.resource:
        return errors.CrdMissing(
            "This cluster does not know MiniClusters: the Flux Operator is not installed here.",
            safe=errors.NOTHING_CHANGED,
            advice=_OPERATOR,
            status=404,
        )
    return errors.CrdMissing(
        f"This cluster does not serve {info.resource or 'this path'}.",
        safe=errors.NOTHING_CHANGED,
        advice="Is this address really a Kubernetes API server? Check the server in the context.",
        status=404,
    )


def _by_code(status: int, document: dict[str, Any], said: str, method: str) -> KubeError:
    sentence, reason = _sentence(said), str(document.get("reason", ""))
    if status == 401:
        return errors.Unauthorized(
            "The API server does not accept these credentials (401).",
            safe=errors.NOTHING_CHANGED,
            advice="Log in again (the token or certificate may have expired), then retry.",
            status=401,
        )
    if status == 409:
        return errors.Conflict(
            sentence, reason=reason, safe=errors.NOTHING_CHANGED, advice=_conflict_advice(reason)
        )
    if status == 410:
        token = (document.get("metadata") or {}).get("continue", "")
        return errors.Gone(sentence, token=str(token))
    if status == 422:
        causes = _causes(document)
        advice = "Correct these fields." if causes else _UNEXPECTED
        return errors.Invalid(sentence, causes=causes, advice=advice)
    if status >= 500:
        unsure = "It may have been carried out or not: look before you repeat it."
        safe = errors.NOTHING_CHANGED if method in _READING else unsure
        return errors.ServerError(
            f"The API server failed (HTTP {status}): {said.rstrip('.')}.",
            safe=safe,
            advice="This is usually temporary: try again, and look at the API server's log.",
            status=status,
        )
    return errors.BadRequest(sentence, safe=errors.NOTHING_CHANGED, status=status)


def _conflict_advice(reason: str) -> str:
    if reason == "AlreadyExists":
        return "Choose another name, or delete the existing object first."
    return _RELOAD
