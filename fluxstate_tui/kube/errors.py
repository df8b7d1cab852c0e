"""Everything that can go wrong between us and the API server, each with a sentence for people.

`message` says what happened, `safe` what was not touched, `advice` what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.list_body import load_json
from fluxstate_tui.kube.objects import FLUX_GROUP

# What a request asks for, in RBAC's words: verb, resource and namespace of a path.

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


NOTHING_CHANGED = "Nothing was changed in the cluster."
NOTHING_SENT = "Nothing was sent to the cluster."


class KubeError(FluxstateError):
    """An error of the cluster or on the way to it. `status` is the HTTP status, None without."""

    def __init__(
        self,
        message: str,
        *,
        safe: str = "",
        advice: str = "",
        exit_code: ExitCode | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, safe=safe, advice=advice, exit_code=exit_code)
        self.status = status


class ConfigError(KubeError):
    """The kubeconfig, or a credential that it names, cannot be used."""

    exit_code = ExitCode.NO_CONNECTION


class NoConfig(ConfigError):
    """There is no kubeconfig, and we do not run in a pod."""


class BadConfig(ConfigError):
    """A kubeconfig is there but cannot be understood."""


class UnknownContext(ConfigError):
    """The context, cluster or user that was asked for is not in the kubeconfig."""

    def __init__(self, what: str, name: str, known: list[str], source: str) -> None:
        listed = ", ".join(sorted(known)) or "none"
        super().__init__(
            f"There is no {what} '{name}' in {source}.",
            safe=NOTHING_SENT,
            advice=f"Choose one of: {listed}.",
        )
        self.known = tuple(sorted(known))


class CredentialError(ConfigError):
    """Credentials could not be got. We never go on as nobody (`system:anonymous`) instead."""


class CannotConnect(KubeError):
    """No connection to the API server: refused, timed out, name unknown, TLS failed."""

    exit_code = ExitCode.NO_CONNECTION


class OutcomeUnknown(KubeError):
    """The connection broke after a change was sent: it may have been carried out or not."""

    exit_code = ExitCode.UNKNOWN


class ReadOnly(KubeError):
    """Refused before anything was sent, because of --read-only."""

    exit_code = ExitCode.REFUSED


class BadRequest(KubeError):
    """The API server did not understand the request (400, 405, 406, 415 and the like)."""


class Unauthorized(KubeError):
    """401: the credentials are not accepted, also not after they were renewed once."""

    exit_code = ExitCode.NO_CONNECTION


class Forbidden(KubeError):
    """403: not allowed. `info` says what was asked for, `rule` which RBAC rule is missing."""

    exit_code = ExitCode.NO_CONNECTION

    def __init__(self, info: RequestInfo, said: str, user: str = "") -> None:
        who = f"User '{user}'" if user else "This user"
        where = f"in namespace '{info.namespace}'" if info.namespace else "in the whole cluster"
        kind = "Role" if info.namespace else "ClusterRole"
        advice = f"Ask for a {kind} with this rule: {info.rbac_rule()}"
        if user == "system:anonymous":
            advice = (
                "The API server does not know who you are: log in, or check this context's user."
            )
        super().__init__(
            f"{who} may not {info.verb} {info.resource} {where}.",
            safe=NOTHING_CHANGED,
            advice=advice,
            status=403,
        )
        self.info = info
        self.said = said

    @property
    def verb(self) -> str:
        """The verb that is not allowed."""
        return self.info.verb

    @property
    def resource(self) -> str:
        """The resource, with its subresource (`pods/exec`)."""
        return self.info.resource

    @property
    def namespace(self) -> str:
        """The namespace, '' for all of them."""
        return self.info.namespace

    @property
    def rule(self) -> str:
        """The missing RBAC rule as one line of YAML."""
        return self.info.rbac_rule()


class NotAdmitted(Forbidden):
    """403 with the right to do it: a policy or a quota of the cluster is against this object."""

    exit_code = ExitCode.REFUSED

    def __init__(self, info: RequestInfo, said: str) -> None:
        super().__init__(info, said)
        self.message = f"The API server does not admit it: {said.rstrip('.')}."
        self.advice = "A policy or a quota of this cluster says so: ask who runs it."
        self.args = (self.message,)


class NotFound(KubeError):
    """404: there is no such object."""

    exit_code = ExitCode.NOT_FOUND


class CrdMissing(NotFound):
    """404 of a whole API group or resource: it is not installed in this cluster."""


class Conflict(KubeError):
    """409: the object exists already, was changed meanwhile, or is another one (precondition)."""

    def __init__(self, message: str, *, reason: str = "", safe: str = "", advice: str = "") -> None:
        super().__init__(message, safe=safe, advice=advice, status=409)
        self.reason = reason

    @property
    def already_exists(self) -> bool:
        """True if a create met an object of the same name."""
        return self.reason == "AlreadyExists"


class Gone(KubeError):
    """410: the resource version or continue token is too old. `token` lets a list go on."""

    def __init__(self, message: str, *, token: str = "") -> None:
        super().__init__(message, safe=NOTHING_CHANGED, status=410)
        self.token = token


class Invalid(KubeError):
    """422: the object breaks a rule of its schema. `causes` has one line per broken rule."""

    def __init__(self, message: str, *, causes: tuple[str, ...] = (), advice: str = "") -> None:
        super().__init__(message, safe=NOTHING_CHANGED, advice=advice, status=422)
        self.causes = causes


class TooManyRequests(KubeError):
    """429: the API server asks us to wait. `retry_after` is in seconds, None if it did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(
            message,
            safe=NOTHING_CHANGED,
            advice="The API server is overloaded: try again in a while.",
            status=429,
        )
        self.retry_after = retry_after


class ServerError(KubeError):
    """5xx: the API server, or a proxy before it, failed."""


class BadAnswer(KubeError):
    """An answer that is not what the Kubernetes API sends (a login page, a cut body)."""

    exit_code = ExitCode.NO_CONNECTION


class RefusedOnTheWay(BadAnswer):
    """Somebody between us and the API server answered in its place: a proxy, a gateway, a login."""


# An HTTP answer that is no success -> one of our typed errors.
#
# The bodies are `Status` objects (apimachinery meta/v1), but a missing API group answers with the
# text `404 page not found`, and proxies answer with HTML (ARCHITECTURE.md#F81).

_SHOWN = 200
_READING = ("GET", "HEAD")
_USER = re.compile(r'User "([^"]*)" cannot (\S+) resource "([^"]*)"')
# Admission names the object, or its webhook; authorization names the user and the kind.
_OBJECT = re.compile(r'"[^"]*" is forbidden: |^admission webhook "')
_UNSURE = "It may have been carried out or not: look before you repeat it."
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
    form = _form_of_a_stranger(status, document, body, headers)
    if form and status != 429:
        return _on_the_way(info, f"HTTP {status} with {form}", status, method)
    if status == 403:
        return _forbidden(info, said)
    if status == 404:
        return _not_found(info, document, said)
    # A change that failed with 5xx may have been carried out, so it is never sent again by itself.
    asks_to_wait = status >= 500 and method in _READING and "Retry-After" in (headers or {})
    if status == 429 or asks_to_wait:
        return TooManyRequests(_sentence(said), retry_after=retry_after(headers))
    return _by_code(status, document, said, method)


def parse_status(body: bytes) -> dict[str, Any]:
    """The Status object in a body, or {} if it holds none."""
    try:
        document = load_json(body)
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


# The API server and the kubelet refuse with a Status, or for a few codes with a text; never with a
# page, and never so for these codes.
_NEVER_A_TEXT = frozenset({403, 407, 502, 503, 504})
_PAGE = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)


def _form_of_a_stranger(
    status: int, document: dict[str, Any], body: bytes, headers: Mapping[str, str] | None
) -> str:
    """What the body is if the API server cannot have sent it, else ''.

    Without `headers` only a page gives it away.
    """
    if document.get("kind") == "Status":
        return ""
    kind = (headers or {}).get("Content-Type", "").lower()
    if "html" in kind or _PAGE.match(body):
        return "HTML"
    if headers is None or "json" in kind:
        return ""
    if status < 300 or status in _NEVER_A_TEXT:
        return "a text" if body.strip() else "nothing in it"
    return ""


def _on_the_way(info: RequestInfo, answer: str, status: int, method: str) -> RefusedOnTheWay:
    what = f"The request to {info.verb} {info.resource or 'this path'}"
    if info.resource == "pods/exec":
        what = "The connection to the broker"
    unsure = status >= 500 and method not in _READING
    return RefusedOnTheWay(
        f"{what} was refused on the way ({answer}: not from the API server; a proxy?).",
        safe=_UNSURE if unsure else NOTHING_CHANGED,
        advice="Look at what is between here and the API server: a proxy, a gateway, a load "
        "balancer, a login page. It must let this through, websockets (Upgrade) too.",
        exit_code=ExitCode.UNKNOWN if unsure else None,
        status=status,
    )


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
        return NotAdmitted(info, said)
    user = match.group(1) if match else ""
    return Forbidden(info, said, user)


def _not_found(info: RequestInfo, document: dict[str, Any], said: str) -> KubeError:
    if document.get("reason") == "NotFound" and _details(document).get("name"):
        return NotFound(_sentence(said), safe=NOTHING_CHANGED, status=404)
    if document.get("kind") == "Status" and info.name:
        return NotFound(_sentence(said), safe=NOTHING_CHANGED, status=404)
    if info.group == FLUX_GROUP or FLUX_GROUP in info.resource:
        return CrdMissing(
            "This cluster does not know MiniClusters: the Flux Operator is not installed here.",
            safe=NOTHING_CHANGED,
            advice=_OPERATOR,
            status=404,
        )
    return CrdMissing(
        f"This cluster does not serve {info.resource or 'this path'}.",
        safe=NOTHING_CHANGED,
        advice="Is this address really a Kubernetes API server? Check the server in the context.",
        status=404,
    )


def _by_code(status: int, document: dict[str, Any], said: str, method: str) -> KubeError:
    sentence, reason = _sentence(said), str(document.get("reason", ""))
    if status == 401:
        return Unauthorized(
            "The API server does not accept these credentials (401).",
            safe=NOTHING_CHANGED,
            advice="Log in again (the token or certificate may have expired), then retry.",
            status=401,
        )
    if status == 409:
        return Conflict(
            sentence, reason=reason, safe=NOTHING_CHANGED, advice=_conflict_advice(reason)
        )
    if status == 410:
        token = (document.get("metadata") or {}).get("continue", "")
        return Gone(sentence, token=str(token))
    if status == 422:
        causes = _causes(document)
        advice = "Correct these fields." if causes else _UNEXPECTED
        return Invalid(sentence, causes=causes, advice=advice)
    if status >= 500:
        safe = NOTHING_CHANGED if method in _READING else _UNSURE
        return ServerError(
            f"The API server failed (HTTP {status}): {said.rstrip('.')}.",
            safe=safe,
            advice="This is usually temporary: try again, and look at the API server's log.",
            status=status,
        )
    return BadRequest(sentence, safe=NOTHING_CHANGED, status=status)


def _conflict_advice(reason: str) -> str:
    if reason == "AlreadyExists":
        return "Choose another name, or delete the existing object first."
    return _RELOAD


# Why a command in a container could not be run, or what is not known about it.

_MISSING_PROGRAM = re.compile(
    r"(?:exec: \\?\"(?P<program>[^\"\\]+)\\?\": )?(?:stat \S+: )?"
    r"(?:no such file or directory|executable file not found|permission denied)"
)
# The last one: runc, of a container that dies just now (containerd 1.6).
_GONE = ("container not found", "not running", "executing setns process")
_NOT_RUNNING = "Nothing was run."


class ExecError(KubeError):
    """The command was not run."""


class CommandNotFound(ExecError):
    """The program does not exist in the container, or may not be executed."""


class ContainerNotFound(ExecError):
    """The pod has no container of this name."""

    exit_code = ExitCode.NOT_FOUND


class ContainerNotRunning(ExecError):
    """The container exists but does not run: it is still waiting, or has finished."""


class ExecUnknown(KubeError):
    """The stream ended without a status: the command may have run to its end or not at all."""

    exit_code = ExitCode.UNKNOWN

    def __init__(self, command: str, why: str) -> None:
        super().__init__(
            f"The outcome of '{command}' is not known: {why}.",
            safe="It may have been carried out or not.",
            advice="Look at its effect before you repeat it.",
        )


def refused_handshake(
    path: str,
    status: int,
    body: bytes,
    *,
    pod: str,
    container: str,
    headers: Mapping[str, str] | None = None,
) -> KubeError:
    """The typed error for an exec that was refused before anything ran."""
    said = str(parse_status(body).get("message") or body.decode("utf-8", "replace").strip())
    if "container not found" in said or "does not have a host assigned" in said:
        return ContainerNotRunning(
            f"Container '{container}' of pod '{pod}' is not running.",
            safe=_NOT_RUNNING,
            advice="Look at the pod: it may still be starting, or have finished.",
            status=status,
        )
    if "is not valid for pod" in said or "a container name must be specified" in said:
        return ContainerNotFound(
            f"Pod '{pod}' has no container '{container}'.",
            safe=_NOT_RUNNING,
            advice=f"The API server says: {said}.",
            status=status,
        )
    return error_from_response("GET", path, status, body, headers=headers)


def exit_code_of(frame: bytes, command: str) -> int:
    """The exit code in the status frame of channel 3 (0-255).

    Raises ExecError if the command was not started, ExecUnknown if the frame is none.
    """
    status = _status(frame, command)
    if status.get("status") == "Success":
        return 0
    message = str(status.get("message") or "no reason given")
    if status.get("reason") == "NonZeroExitCode":
        for cause in (status.get("details") or {}).get("causes") or ():
            if cause.get("reason") == "ExitCode" and str(cause.get("message")).isdigit():
                return int(cause["message"])
        raise ExecUnknown(command, f"the status has no exit code ({message})")
    raise _not_started(message, command)


def _status(frame: bytes, command: str) -> dict[str, Any]:
    try:
        status = load_json(frame)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        raise ExecUnknown(command, "the server sent a status that cannot be read")
    return status


def _not_started(message: str, command: str) -> KubeError:
    found = _MISSING_PROGRAM.search(message)
    if found and "exec" in message:
        program = found.group("program") or command
        return CommandNotFound(
            f"There is no program '{program}' that can be run in this container.",
            safe=_NOT_RUNNING,
            advice="The image may lack it, or it may be for another architecture.",
            status=500,
        )
    if any(word in message for word in _GONE):
        return ContainerNotRunning(
            f"The container is not running: {message}.", safe=_NOT_RUNNING, status=500
        )
    return ExecError(
        f"'{command}' was not run: {message.rstrip('.')}.", safe=_NOT_RUNNING, status=500
    )
