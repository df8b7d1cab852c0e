"""Everything that can go wrong between us and the API server, each with a sentence for people.

`message` says what happened, `safe` what was not touched, `advice` what to do.
"""

from __future__ import annotations

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.kube.request_info import RequestInfo

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
