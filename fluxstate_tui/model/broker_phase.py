"""The phase of a MiniCluster whose lead runs: what its broker says (flux-uptime(1), RFC 15)."""

from __future__ import annotations

from collections.abc import Sequence

from fluxstate_tui.model.minicluster import Phase
from fluxstate_tui.model.pod_trouble import PodState, Stage
from fluxstate_tui.model.queue import Node, Queue

_STARTING = frozenset({"none", "join", "init"})
_NAMED = 3
_UNASKABLE = "the broker cannot be asked: no right to exec."


def broker_phase(
    size: int,
    pods: Sequence[PodState],
    state: str | None,
    queues: Sequence[Queue],
    nodes: Sequence[Node],
    *,
    askable: bool,
) -> tuple[Phase, str]:
    """Phase and reason. `state` is none, join, init, quorum, run, cleanup, shutdown ... or None.

    A broker that is not `askable` (no right to exec) may be up or not: neither is claimed.
    """
    if not state and not askable:
        here = sum(pod.stage is Stage.RUNNING for pod in pods)
        return Phase.UNKNOWN, f"{here} of {size} pods run; {_UNASKABLE}"
    if not state:
        return Phase.STARTING, "The lead's container runs; its broker has not answered yet."
    if state in _STARTING:
        return Phase.STARTING, f"The lead broker is starting (state {state})."
    # With maxSize > size, Flux knows of ranks that have no pod on purpose.
    wanted = [node for node in nodes if node.rank < size]
    if state == "quorum":
        return Phase.QUORUM, _quorum(size, pods, wanted)
    if state != "run":
        return Phase.DEGRADED, f"The lead broker is shutting down (state {state})."
    return _up(size, pods, queues, wanted)


def _quorum(size: int, pods: Sequence[PodState], nodes: Sequence[Node]) -> str:
    if nodes:
        here = sum(node.up for node in nodes)
        late = [node.host for node in nodes if not node.up]
    else:
        here = sum(state.stage is Stage.RUNNING for state in pods)
        late = [s.pod.name for s in pods if s.stage is not Stage.RUNNING]
    told = f"{here} of {size} brokers are there"
    if late:
        told += f"; it waits for {_some(late)}"
    trouble = next((s for s in pods if s.trouble), None)
    if trouble is not None:
        told += f" ({trouble.pod.name} {trouble.trouble})"
    return told + "."


def _up(
    size: int, pods: Sequence[PodState], queues: Sequence[Queue], nodes: Sequence[Node]
) -> tuple[Phase, str]:
    wrong = _wrong(size, pods, nodes)
    stopped = [queue for queue in queues if not queue.started]
    if stopped and len(stopped) == len(queues):
        also = f" Besides, {wrong}." if wrong else ""
        why = f" ({stopped[0].stop_reason})" if stopped[0].stop_reason else ""
        return Phase.PAUSED, f"The queue is stopped{why}: nothing new starts.{also}"
    if wrong:
        return Phase.DEGRADED, f"It runs, but {wrong}."
    if stopped:
        return Phase.UP, f"It runs; {_some([queue.name for queue in stopped])} is stopped."
    return Phase.UP, f"All {size} brokers run." if size > 1 else "Its broker runs."


def _wrong(size: int, pods: Sequence[PodState], nodes: Sequence[Node]) -> str:
    down = [node.host for node in nodes if not node.up]
    if down:
        return f"{_some(down)} {'is' if len(down) == 1 else 'are'} down"
    drained = [node for node in nodes if node.drained]
    if drained:
        why = f" ({drained[0].reason})" if drained[0].reason else ""
        be = "is" if len(drained) == 1 else "are"
        return f"{_some([node.host for node in drained])} {be} drained{why}"
    running = {s.pod.index for s in pods if s.stage is Stage.RUNNING}
    missing = [index for index in range(size) if index not in running]
    if not missing:
        return ""
    named = {s.pod.index: s for s in pods}
    first = named.get(missing[0])
    if first is not None and first.trouble:
        return f"{first.pod.name} {first.trouble}"
    if first is not None and first.stage is Stage.ENDED:
        return f"the pod of rank {missing[0]} has ended"
    return f"the pod of rank {missing[0]} does not run"


def _some(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    shown = ", ".join(names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown
