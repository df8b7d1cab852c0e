"""What the user may do, asked once per namespace, so that keys can be greyed with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.operations.registry import Right

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxstate_tui.kube.client import Cluster


class Rights:
    """Missing rights by namespace. What was not asked yet, or cannot be asked, is not missing."""

    def __init__(self) -> None:
        self._missing: dict[str, frozenset[Right]] = {}

    def forget(self) -> None:
        """Another connection may be another user."""
        self._missing.clear()

    def begin(self, namespace: str) -> bool:
        """False if it was asked, or is being asked, for that namespace; from now on it is."""
        new = namespace not in self._missing
        self._missing.setdefault(namespace, frozenset())
        return new

    async def learn(self, cluster: Cluster, namespace: str) -> None:
        """Ask for every right that a key needs (SelfSubjectAccessReview)."""
        from fluxstate_tui.kube.objects import PODS

        try:
            resource = await cluster.minicluster_resource()
            found = {
                Right.EXEC: await cluster.access.can_exec(namespace),
                Right.DELETE: await cluster.access.can("delete", resource, namespace),
                Right.CREATE: await cluster.access.can("create", resource, namespace),
                Right.HELPER_POD: await cluster.access.can("create", PODS, namespace),
            }
        except FluxstateError:
            return  # the request itself will say what is wrong, better than a guess can
        self._missing[namespace] = frozenset(right for right, yes in found.items() if not yes)

    def why_not(self, what: str, needs: Iterable[Right], namespace: str) -> str:
        """Which of these rights is missing for that, in one sentence, '' if none is."""
        missing = self._missing.get(namespace, frozenset())
        lacking = [right.value for right in needs if right in missing]
        if not lacking:
            return ""
        return f"You may not {what} in namespace {namespace}: missing {', '.join(lacking)}."
