"""How one MiniCluster is named, so that two of the same name are never mixed up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClusterRef:
    """A MiniCluster by namespace, name and uid. Another uid is another MiniCluster."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
