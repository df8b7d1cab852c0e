"""The resource service: who is there, who is drained, and what jobs hold."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from fluxstate_tui.flux import hostlist, idset
from fluxstate_tui.flux.resources import ResourceSet
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.job import SimJob

if TYPE_CHECKING:
    from fluxstate_tui.sim.flux.instance import FluxInstance


class Resources:
    """Ranks going up and down, drained and undrained."""

    def __init__(self, instance: FluxInstance) -> None:
        self._instance = instance
        self._drained: dict[int, tuple[float, str]] = {}
        self.torpid: set[int] = set()
        self._since: dict[int, float] = {}

    def joined(self, rank: int) -> None:
        """Remember since when a rank is there."""
        self._since[rank] = self._instance.clock.now()

    def left(self, rank: int) -> None:
        """Remember since when it is gone."""
        self._since[rank] = self._instance.clock.now()

    def online_ids(self) -> str:
        """Ranks that are there, as an idset."""
        return idset.encode(self._instance.online)

    def targets(self, text: str) -> list[int]:
        """Ranks of an idset or hostlist. EINVAL when there are none such."""
        hosts = self._instance.hosts
        try:
            ranks = list(idset.decode(text))
        except ValueError:
            names = hostlist.expand(text)
            if missing := [name for name in names if name not in hosts]:
                raise FluxError(errno.EINVAL, f"invalid hosts: {','.join(missing)}") from None
            ranks = [hosts.index(name) for name in names]
        if any(rank >= len(hosts) for rank in ranks):
            raise FluxError(errno.EINVAL, "idset is out of range")
        return ranks

    def drain(self, ranks: list[int], reason: str, *, force: bool = False) -> None:
        """Take nodes out. Running jobs stay."""
        for rank in ranks:
            if rank in self._drained and not force:
                raise FluxError(errno.EEXIST, f"rank {rank} already drained")
        now = self._instance.agenda.now()
        for rank in ranks:
            self._drained[rank] = (now, reason)
            self._instance.pool.nodes[rank].drained = True
        context: dict[str, Any] = {"idset": idset.encode(ranks), "nodelist": self._hosts(ranks)}
        if reason:
            context["reason"] = reason
        self._instance.append_event("resource.eventlog", "drain", {**context, "overwrite": 0})

    def undrain(self, ranks: list[int]) -> None:
        """Put nodes back."""
        for rank in ranks:
            if rank not in self._drained:
                raise FluxError(errno.EINVAL, f"rank {rank} not drained")
        for rank in ranks:
            del self._drained[rank]
            self._instance.pool.nodes[rank].drained = False
        context = {"idset": idset.encode(ranks), "nodelist": self._hosts(ranks)}
        self._instance.append_event("resource.eventlog", "undrain", context)
        self._instance.jobs.plan_pass()

    def drained(self) -> dict[int, tuple[float, str]]:
        """Time and reason per drained rank."""
        return dict(self._drained)

    def _hosts(self, ranks: list[int]) -> str:
        return hostlist.compress(self._instance.hosts[rank] for rank in ranks)

    def jobs_on(self, rank: int) -> list[SimJob]:
        """Running jobs that hold something of a rank."""
        jobs = self._instance.jobs
        running = [jobs.jobs[i] for i in jobs.active if jobs.jobs[i].state.running]
        return [
            job
            for job in running
            if job.resources is not None
            and rank in idset.decode(ResourceSet.parse(job.resources).ranks)
        ]

    def sched_status(self) -> dict[str, Any]:
        """`resource.sched-status`."""
        pool = self._instance.pool
        return {"all": pool.r_all(), "down": pool.r_down(), "allocated": pool.r_allocated()}

    def status(self) -> dict[str, Any]:
        """`resource.status`."""
        drain = {
            str(rank): {"timestamp": when, "reason": reason}
            for rank, (when, reason) in self._drained.items()
        }
        offline = set(range(self._instance.size)) - self._instance.online
        return {
            "R": self._instance.pool.r_all(),
            "drain": drain,
            "online": self.online_ids(),
            "offline": idset.encode(offline),
            "exclude": "",
            "torpid": idset.encode(self.torpid),
        }

    def health(self, rank: int) -> dict[str, Any]:
        """`overlay.health`: a flat tree below rank 0."""
        instance = self._instance
        now = instance.clock.now()

        def node(which: int, status: str) -> dict[str, Any]:
            since = self._since.get(which, instance.started_at)
            return {"rank": which, "status": status, "duration": max(0.0, now - since)}

        if rank:
            return {**node(rank, "full"), "children": []}
        children = [
            node(other, "full" if other in instance.online else self._absent(other))
            for other in range(1, instance.size)
        ]
        complete = all(child["status"] == "full" for child in children)
        return {**node(0, "full" if complete else "partial"), "children": children}

    def _absent(self, rank: int) -> str:
        return "lost" if rank in self._since else "offline"
