"""What we are allowed to do: SelfSubjectAccessReview (authorization.k8s.io/v1), remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxstate_tui.kube.resources import PODS, Resource

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.kube.session import Cluster

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Question:
    """One right. `namespace=None` asks for all namespaces."""

    verb: str
    resource: Resource
    namespace: str | None = None
    subresource: str = ""


class Access:
    """Asks the API server, and remembers its answers for a minute."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._known: dict[Question, tuple[bool, float]] = {}

    async def can(
        self,
        verb: str,
        resource: Resource,
        namespace: str | None = None,
        *,
        subresource: str = "",
    ) -> bool:
        """True if this is allowed. Raises KubeError if the review itself fails."""
        question = Question(verb, resource, namespace, subresource)
        remembered = self._known.get(question)
        if remembered and self._clock.now() - remembered[1] < _REMEMBERED_SECONDS:
            return remembered[0]
        allowed = await self._ask(question)
        self._known[question] = (allowed, self._clock.now())
        return allowed

    async def can_exec(self, namespace: str) -> bool:
        """True if commands can be run in pods, by any API server.

        A websocket exec needs `get` on pods/exec before Kubernetes 1.35, and `create` as well
        since (kubernetes#134577): ask for both.
        """
        return await self.can("get", PODS, namespace, subresource="exec") and await self.can(
            "create", PODS, namespace, subresource="exec"
        )

    async def _ask(self, question: Question) -> bool:
        attributes = {
            "verb": question.verb,
            "group": question.resource.group,
            "version": question.resource.version,
            "resource": question.resource.plural,
            "namespace": question.namespace or "",
        }
        if question.subresource:
            attributes["subresource"] = question.subresource
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = await self._cluster.request("POST", REVIEWS, body=body)
        return bool(answer.get("status", {}).get("allowed"))
