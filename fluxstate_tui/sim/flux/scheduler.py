"""Resources and their allocation, like flux-core's sched-simple (0.88): worst fit, FCFS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fluxstate_tui.flux import idset
from fluxstate_tui.flux.jobspec import Counts
from fluxstate_tui.flux.resources import ResourceSet, Share, make_alloc
from fluxstate_tui.flux.scheduler import satisfying

QUEUE_DEPTH = 8
"""Alloc requests that the job manager has at the scheduler at a time ("limited")."""


class UnsatisfiableError(Exception):
    """The instance can never give that much; the text is the exception's note."""


@dataclass(slots=True)
class SchedNode:
    """One rank. Down = lost or not there yet; drained = taken out by the administrator."""

    rank: int
    host: str
    cores: int
    free: set[int] = field(default_factory=set)
    up: bool = True
    drained: bool = False

    @property
    def usable(self) -> bool:
        """May get new jobs."""
        return self.up and not self.drained


class Pool:
    """All nodes of an instance and which of their cores are free."""

    def __init__(self, hosts: Sequence[str], cores_per_node: int) -> None:
        self.nodes = [
            SchedNode(rank, host, cores_per_node, set(range(cores_per_node)))
            for rank, host in enumerate(hosts)
        ]

    def _allowed(self, constraint: Any) -> list[SchedNode]:
        """Nodes that satisfy it (RFC 31); nodes have no properties here."""
        if not constraint:
            return self.nodes
        matches = satisfying(constraint, {})
        return [node for node in self.nodes if matches(node)]

    def check(self, counts: Counts, constraint: Any = None) -> None:
        """Raise UnsatisfiableError when even the empty instance could not run it.

        Down and drained nodes count as there: they may come back.
        """
        need, nodes = counts.nnodes or 0, self._allowed(constraint)
        if counts.exclusive:
            eligible = sum(node.cores >= counts.slot_size for node in nodes)
            if eligible < max(need, 1):
                raise UnsatisfiableError(
                    f"unsatisfiable request: need {max(need, 1)} exclusive node(s), "
                    f"only {eligible} eligible"
                )
        elif need:
            cores = counts.nslots // need * counts.slot_size
            eligible = sum(node.cores >= cores for node in nodes)
            if eligible < need:
                raise UnsatisfiableError(
                    f"unsatisfiable request: need {need} node(s) with {cores} cores each, "
                    f"only {eligible} eligible"
                )
        else:
            self._check_slots(counts, nodes)

    @staticmethod
    def _check_slots(counts: Counts, nodes: list[SchedNode]) -> None:
        size = max(1, counts.slot_size)
        slots = sum(node.cores // size for node in nodes)
        if slots < counts.nslots:
            raise UnsatisfiableError(
                f"unsatisfiable request: need {counts.nslots} slot(s) of {size} core(s), only "
                f"{slots} such slot(s) available (total cores: "
                f"{sum(node.cores for node in nodes)})"
            )

    def allocate(self, counts: Counts, constraint: Any = None) -> list[Share] | None:
        """Take cores for it, or None when it has to wait."""
        allowed = self._allowed(constraint)
        nodes = sorted((node for node in allowed if node.usable), key=lambda node: -len(node.free))
        if counts.exclusive:
            picked = [node for node in nodes if len(node.free) == node.cores]
            wanted = {node.rank: node.cores for node in picked[: max(1, counts.nnodes or 1)]}
            enough = len(wanted) == max(1, counts.nnodes or 1)
        elif counts.nnodes:
            cores = counts.nslots // counts.nnodes * counts.slot_size
            picked = [node for node in nodes if len(node.free) >= cores][: counts.nnodes]
            wanted = {node.rank: cores for node in picked}
            enough = len(wanted) == counts.nnodes
        else:
            wanted, enough = self._slots(nodes, counts)
        return self._take(wanted) if enough else None

    @staticmethod
    def _slots(nodes: list[SchedNode], counts: Counts) -> tuple[dict[int, int], bool]:
        """Worst fit: fill the node with the most free cores first."""
        wanted: dict[int, int] = {}
        missing = counts.nslots
        for node in nodes:
            slots = min(missing, len(node.free) // max(1, counts.slot_size))
            if slots:
                wanted[node.rank] = slots * counts.slot_size
                missing -= slots
            if not missing:
                return wanted, True
        return wanted, False

    def _take(self, wanted: dict[int, int]) -> list[Share]:
        shares = []
        for rank in sorted(wanted):
            node = self.nodes[rank]
            cores = tuple(sorted(node.free)[: wanted[rank]])
            node.free.difference_update(cores)
            shares.append(Share(rank, node.host, cores))
        return shares

    def release(self, resources: dict[str, Any]) -> None:
        """Give an allocation back."""
        for share in ResourceSet.parse(resources).shares():
            if share.rank < len(self.nodes):
                self.nodes[share.rank].free.update(share.cores)

    def r_all(self) -> dict[str, Any]:
        """The R of the whole instance."""
        return self._r({node.rank: range(node.cores) for node in self.nodes})

    def r_down(self) -> dict[str, Any]:
        """The R of what is not to be used: lost, not there yet, or drained."""
        return self._r({node.rank: range(node.cores) for node in self.nodes if not node.usable})

    def r_allocated(self) -> dict[str, Any]:
        """The R of what jobs hold."""
        held = {
            node.rank: sorted(set(range(node.cores)) - node.free)
            for node in self.nodes
            if len(node.free) < node.cores
        }
        return self._r(held)

    def _r(self, cores: Mapping[int, Sequence[int]]) -> dict[str, Any]:
        shares = [Share(rank, self.nodes[rank].host, tuple(ids)) for rank, ids in cores.items()]
        return make_alloc(shares)


def resource_summary(resources: dict[str, Any]) -> str:
    """`rank[0-1]/core0`, the annotation that sched-simple adds to the alloc event."""
    parts = [
        f"rank{_bracketed(group['rank'])}/core{_bracketed(group['children']['core'])}"
        for group in resources["execution"]["R_lite"]
    ]
    return " ".join(parts)


def _bracketed(ids: str) -> str:
    return f"[{ids}]" if len(idset.decode(ids)) > 1 else ids
