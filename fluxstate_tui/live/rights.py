"""What the user may do, asked once per namespace, so that keys can be greyed with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxstate_tui.errors import FluxstateError

if TYPE_CHECKING:
    from fluxstate_tui.kube.client import Cluster


EXEC = "get and create on pods/exec"
DELETE = "delete on miniclusters.flux-framework.org"
CREATE = "create on miniclusters.flux-framework.org"
HELPER = "create on pods"

# What each key needs: examples/rbac.yaml grants all of it.
NEEDS: dict[str, tuple[str, ...]] = {
    "pause": (EXEC,),
    "resume": (EXEC,),
    "disarm": (EXEC,),
    "save": (EXEC,),
    "submit": (EXEC,),
    "delete": (DELETE,),
    "restore": (CREATE, HELPER, EXEC),
    "migrate": (CREATE, DELETE, HELPER, EXEC),
}


class Rights:
    """Missing rights by namespace. What was not asked yet, or cannot be asked, is not missing."""

    def __init__(self) -> None:
        self._missing: dict[str, frozenset[str]] = {}

    def forget(self) -> None:
        """Another connection may be another user."""
        self._missing.clear()

    def knows(self, namespace: str) -> bool:
        """It was asked (or is being asked) for that namespace."""
        return namespace in self._missing

    async def learn(self, cluster: Cluster, namespace: str) -> None:
        """Ask for every right that a key needs (SelfSubjectAccessReview)."""
        from fluxstate_tui.kube.objects import PODS

        self._missing[namespace] = frozenset()
        try:
            resource = await cluster.minicluster_resource()
            found = {
                EXEC: await cluster.access.can_exec(namespace),
                DELETE: await cluster.access.can("delete", resource, namespace),
                CREATE: await cluster.access.can("create", resource, namespace),
                HELPER: await cluster.access.can("create", PODS, namespace),
            }
        except FluxstateError:
            return  # the request itself will say what is wrong, better than a guess can
        self._missing[namespace] = frozenset(right for right, yes in found.items() if not yes)

    def why_not(self, kind: str, namespace: str) -> str:
        """Which right is missing for that, in one sentence, '' if none is."""
        lacking = [r for r in NEEDS[kind] if r in self._missing.get(namespace, frozenset())]
        if not lacking:
            return ""
        return f"You may not {kind} in namespace {namespace}: missing {', '.join(lacking)}."
