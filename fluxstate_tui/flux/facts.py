"""What the remote program tells about queues, nodes and counts, in the words of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fluxstate_tui.model import idset
from fluxstate_tui.model.queue import Node, Queue
from fluxstate_tui.model.resources import ResourceSet


def queues_of(fact: list[dict[str, Any]]) -> tuple[Queue, ...]:
    """`job-manager.queue-status` per queue. Raises ValueError, KeyError or TypeError."""
    return tuple(
        Queue(
            name=str(queue["name"]),
            enabled=bool(queue["enable"]),
            started=bool(queue["start"]),
            disable_reason=str(queue.get("disable_reason", "")),
            stop_reason=str(queue.get("stop_reason", "")),
        )
        for queue in fact
    )


def nodes_of(status: dict[str, Any]) -> tuple[Node, ...]:
    """`resource.status`: every rank of R with what is known of it.

    A broker that died leaves `online` 0.1 s after `overlay.health` calls it lost (0.88, tried).
    Raises ValueError, KeyError or TypeError.
    """
    online = set(idset.decode(status.get("online", "")))
    drained: dict[int, str] = {}
    for ranks, info in (status.get("drain") or {}).items():
        drained.update(dict.fromkeys(idset.decode(ranks), str(info.get("reason") or "")))
    return tuple(
        Node(
            rank=share.rank,
            host=share.host,
            cores=len(share.cores),
            gpus=len(share.gpus),
            up=share.rank in online,
            drained=share.rank in drained,
            reason=drained.get(share.rank, ""),
        )
        for share in ResourceSet.parse(status["R"]).shares()
    )


def counts_of(stats: Mapping[str, Any]) -> dict[str, int]:
    """`job-list.job-stats`: how many jobs are pending, running and inactive."""
    states = stats["job_states"]
    return {
        "pending": int(states["depend"]) + int(states["priority"]) + int(states["sched"]),
        "running": int(states["run"]) + int(states["cleanup"]),
        "inactive": int(states["inactive"]),
    }
