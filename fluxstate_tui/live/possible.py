"""Whether an operation makes sense for a MiniCluster, by what its row shows."""

from __future__ import annotations

from collections.abc import Iterable

from fluxstate_tui.live.summary import QueueStatus, Summary
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.operations.registry import Condition

# Of an unknown one the rights say why it cannot be asked.
_ANSWER = (Phase.UP, Phase.PAUSED, Phase.DEGRADED, Phase.QUORUM, Phase.UNKNOWN)


def unmet(conditions: Iterable[Condition], summary: Summary) -> str:
    """What is in the way, in one sentence: the first of them that is not there, '' if all are."""
    return next((_why(one, summary) for one in conditions if not holds(one, summary)), "")


def holds(condition: Condition, summary: Summary) -> bool:
    """Whether it is so, as far as it is known."""
    match condition:
        case Condition.EXISTS:
            return summary.phase is not Phase.DELETING and not summary.deleted
        case Condition.ANSWERS:
            return summary.phase in _ANSWER
        case Condition.HAS_ARCHIVES:
            return bool(summary.archives)
        case Condition.ARMED:
            return summary.armed
        case Condition.QUEUE_STOPPED:
            return summary.queue is QueueStatus.STOPPED
        case Condition.QUEUE_RUNS:
            return summary.queue is not QueueStatus.STOPPED


def _why(condition: Condition, summary: Summary) -> str:
    name = summary.ref.name
    match condition:
        case Condition.EXISTS:
            return f"{name} is deleted."
        case Condition.ANSWERS:
            return f"{name} is {summary.phase.value}: its Flux does not answer."
        case Condition.HAS_ARCHIVES:
            return "No archive of it is known."
        case Condition.ARMED:
            return f"No archive of {name} is armed."
        case Condition.QUEUE_STOPPED:
            return f"The queue of {name} is not stopped."
        case Condition.QUEUE_RUNS:
            return f"The queue of {name} is stopped already."
