"""The state of a MiniCluster, derived from what is really there (facts/operator.md, section 2).

The operator's conditions are not used: `JobMiniClusterReady` is true half a second after the
create, with a bad image, without room and after the end. What counts: the MiniCluster itself, its
Job, its pods by completion index, what the lead broker says, and the queues.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fluxstate_tui.model.broker_phase import broker_phase
from fluxstate_tui.model.kubernetes import KubeEvent, KubeJob
from fluxstate_tui.model.minicluster import Derived, MiniCluster, Phase
from fluxstate_tui.model.pod import Pod
from fluxstate_tui.model.pod_trouble import PodState, Stage, shorten, state_of
from fluxstate_tui.model.queue import Node, Queue
from fluxstate_tui.model.spec_check import Effect, check_spec

# The operator answers within half a second, the Job controller within one (kubernetes-live.md).
REACTION_SECONDS = 10.0
# The container's first process ignores SIGTERM: 30 s of grace, and a little more.
LINGER_SECONDS = 60.0
_EVIDENCE = 12

_COMPLETE = (
    "Its Job is complete. Whether Flux went well does not show in Kubernetes: see the lead's log."
)
_NO_JOB = (
    "The operator has made no Job of it: it does not run, or it rejected the spec (only its log "
    "says why)."
)
_DEAD = (
    "The lead broker has ended, but {workers} for it: Flux is gone, and nothing starts it again. "
    "The lead's log says why."
)


@dataclass(frozen=True, slots=True)
class _Facts:
    """Everything that is known about one MiniCluster, its pods one per index."""

    minicluster: MiniCluster
    job: KubeJob | None
    pods: tuple[PodState, ...]
    now: float
    events: Sequence[KubeEvent]

    @property
    def age(self) -> float:
        return self.now - self.minicluster.created

    @property
    def lead(self) -> PodState | None:
        return next((state for state in self.pods if state.pod.index == 0), None)


def derive(
    minicluster: MiniCluster,
    job: KubeJob | None,
    pods: Sequence[Pod],
    broker_state: str | None,
    queues: Sequence[Queue],
    now: float,
    *,
    events: Sequence[KubeEvent] = (),
    nodes: Sequence[Node] = (),
    askable: bool = True,
) -> Derived:
    """The phase with one sentence why, and the evidence.

    `pods` may hold helper pods (index None). `broker_state` is as `flux uptime` says, None if it is
    not known; `askable` is False if that is for want of the right to exec. `events` are those of
    the MiniCluster, its Job and its pods. `now` is in epoch seconds.
    """
    if minicluster.deleting_since is not None:
        return _deleting(minicluster, pods, now)
    states = tuple(state_of(pod, events) for pod in _one_per_index(pods))
    facts = _Facts(minicluster, job, states, now, events)
    phase, reason = (
        _ended(facts)
        or _not_created(facts)
        or _dead(facts)
        or _not_running(facts)
        or broker_phase(minicluster.size, facts.pods, broker_state, queues, nodes, askable=askable)
    )
    silent = "has not answered" if askable else "cannot be asked"
    return Derived(phase, reason, _evidence(facts, broker_state or silent, queues))


def _one_per_index(pods: Sequence[Pod]) -> list[Pod]:
    """The newest pod of each completion index; one that is going away only if it has no heir."""
    chosen: dict[int, Pod] = {}
    for pod in sorted(pods, key=lambda p: (p.deleting_since is None, p.created)):
        if pod.index is not None:
            chosen[pod.index] = pod
    return [chosen[index] for index in sorted(chosen)]


def _deleting(minicluster: MiniCluster, pods: Sequence[Pod], now: float) -> Derived:
    left = [pod for pod in pods if pod.index is not None]
    evidence = tuple(f"pod {pod.name} is still there" for pod in left[:_EVIDENCE])
    if not left:
        return Derived(Phase.DELETING, "It was deleted; no pods are left.", evidence)
    since = now - (minicluster.deleting_since or now)
    count = _count(len(left), "pod")
    if since > LINGER_SECONDS:
        return Derived(
            Phase.DELETING,
            f"It was deleted {since:.0f} s ago, but {count} did not go: a node may be gone, or a "
            "finalizer holds them.",
            evidence,
        )
    return Derived(
        Phase.DELETING, f"It was deleted; {count} linger, usually for about 32 s.", evidence
    )


def _ended(facts: _Facts) -> tuple[Phase, str] | None:
    job = facts.job
    if job is None:
        return None
    if job.failure:
        return Phase.FAILED, f"Its Job has failed: {shorten(job.failure)}."
    if job.complete:
        return Phase.FINISHED, _COMPLETE
    return None


def _not_created(facts: _Facts) -> tuple[Phase, str] | None:
    """The operator, or the Job controller, has not made what it should have made."""
    if facts.pods:
        return None
    if facts.job is not None:
        return _no_pods(facts, facts.job)
    for problem in check_spec(facts.minicluster.raw):
        if problem.effect is Effect.IGNORED:
            return Phase.INVALID, f"The operator ignores it: {problem.message} {problem.fix}"
        if problem.effect is Effect.JOB_REFUSED:
            return Phase.REJECTED, f"Its Job is refused: {problem.message} {problem.fix}"
    if facts.age < REACTION_SECONDS:
        return Phase.SCHEDULING, "It was just created; its Job is not there yet."
    return Phase.INVALID, _NO_JOB


def _no_pods(facts: _Facts, job: KubeJob) -> tuple[Phase, str]:
    failed = [e for e in facts.events if e.reason == "FailedCreate" and e.object_uid == job.uid]
    if failed:
        newest = max(failed, key=lambda event: event.last_seen)
        return Phase.BLOCKED, f"Its Job cannot make pods: {shorten(newest.message)}."
    if facts.age < REACTION_SECONDS:
        return Phase.SCHEDULING, "Its Job is there; the pods are not yet."
    return Phase.BLOCKED, "Its Job has made no pods: see the Job's events (quota, security rules)."


def _dead(facts: _Facts) -> tuple[Phase, str] | None:
    """Lead gone, workers still waiting: nothing starts it again (exit 0 counts as success)."""
    lead = facts.lead
    if lead is None or lead.stage is not Stage.ENDED:
        return None
    waiting = [s for s in facts.pods if s.pod.index != 0 and s.stage is not Stage.ENDED]
    if lead.pod.phase == "Failed":
        return Phase.DEAD, f"The lead's pod {lead.trouble}; Flux is gone."
    if waiting:
        return Phase.DEAD, _DEAD.format(workers=_waiters(len(waiting)))
    return Phase.FINISHED, "All its pods have ended."


def _waiters(number: int) -> str:
    return "1 worker still waits" if number == 1 else f"{number} workers still wait"


def _not_running(facts: _Facts) -> tuple[Phase, str] | None:
    """The lead's pod is not running yet: say what holds it, or any other pod, up."""
    lead = facts.lead
    if lead is not None and lead.stage is Stage.RUNNING and lead.pod.deleting_since is None:
        return (Phase.STARTING, f"The lead's pod {lead.trouble}.") if lead.trouble else None
    if lead is None:
        return Phase.SCHEDULING, "The lead's pod (index 0) is not there yet."
    if lead.pod.deleting_since is not None:
        return Phase.STARTING, "The lead's pod is being replaced; what it held in memory is lost."
    phase = Phase.SCHEDULING if lead.stage is Stage.UNPLACED else Phase.INIT
    alike = [s for s in facts.pods if s.stage is lead.stage and s.trouble == lead.trouble]
    share = f"{len(alike)} of {_count(len(facts.pods), 'pod')}"
    if lead.trouble:
        return phase, f"{share} {lead.trouble}."
    if phase is Phase.SCHEDULING:
        return phase, f"{share} wait for a node."
    return phase, f"{share} {_preparing(lead.pod)}."


def _preparing(pod: Pod) -> str:
    running = [container for container in pod.init if container.state == "running"]
    if running:
        return f"copy Flux into place ({running[0].name})"
    if pod.init and all(container.state == "terminated" for container in pod.init):
        return "get ready: the application's image is pulled or its container made"
    return "get ready: images are pulled, volumes mounted"


def _evidence(facts: _Facts, broker: str, queues: Sequence[Queue]) -> tuple[str, ...]:
    lines = []
    if facts.job is not None:
        job = facts.job
        lines.append(f"Job: {job.active} active, {job.succeeded} succeeded, {job.failed} failed")
    lines.append(f"broker: {broker}")
    for queue in queues:
        name = f"queue {queue.name}" if queue.name else "queue"
        why = f" ({queue.stop_reason})" if queue.stop_reason else ""
        lines.append(f"{name}: {'started' if queue.started else 'stopped'}{why}")
    for state in facts.pods:
        restarts = f", {_count(state.pod.restarts, 'restart')}" if state.pod.restarts else ""
        told = f": {state.trouble}" if state.trouble else ""
        lines.append(f"pod {state.pod.name}: {state.pod.phase}{restarts}{told}")
    return tuple(lines[:_EVIDENCE])


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
