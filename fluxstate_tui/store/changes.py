"""What changed in the store since the last notice, so that nobody looks at what did not."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field


class Changes(Struct):
    """Uids of the MiniClusters whose parts changed. `jobs` maps a uid to ids, None = all."""

    summaries: set[str] = field(default_factory=set)
    pods: set[str] = field(default_factory=set)
    queues: set[str] = field(default_factory=set)
    catalogues: set[str] = field(default_factory=set)
    guards: set[str] = field(default_factory=set)
    jobs: dict[str, set[int] | None] = field(default_factory=dict)
    events: bool = False
    sources: bool = False

    def __bool__(self) -> bool:
        return bool(
            self.summaries
            or self.pods
            or self.queues
            or self.catalogues
            or self.guards
            or self.jobs
            or self.events
            or self.sources
        )

    def add_jobs(self, uid: str, ids: Iterable[int] | None) -> None:
        """Note changed jobs of one MiniCluster; None means that all of them may have changed."""
        if ids is None:
            self.jobs[uid] = None
            return
        known = self.jobs.setdefault(uid, set())
        if known is not None:
            known.update(ids)
