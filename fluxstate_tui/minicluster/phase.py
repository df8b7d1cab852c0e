"""The state of a MiniCluster, derived from what is there (ARCHITECTURE.md#F57).

The operator's conditions are not used: `JobMiniClusterReady` is true half a second after the
create, with a bad image, without room and after the end. What counts: the MiniCluster itself, its
Job, its pods by completion index, what the lead broker says, and the queues.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from fluxstate_tui.flux.queue import Node, Queue
from fluxstate_tui.flux.stuck import StuckQueue
from fluxstate_tui.minicluster.minicluster import Derived, MiniCluster, Phase
from fluxstate_tui.minicluster.objects import ContainerState, KubeEvent, KubeJob, Pod
from fluxstate_tui.minicluster.spec_check import Effect, check_spec

# What keeps a pod from running, as one plain clause.

_IMAGE = re.compile(r'image "([^"]+)"')
PULLING = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
    }
)
CREATING = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"}
)
VOLUME_EVENTS = frozenset({"FailedMount", "FailedAttachVolume"})
_SHOWN = 160


class Stage(Enum):
    """How far a pod has come."""

    UNPLACED = 0
    PREPARING = 1
    RUNNING = 2
    ENDED = 3


@dataclass(frozen=True, slots=True)
class PodState:
    """How far a pod has come, and what is wrong with it ('' if nothing is known to be)."""

    pod: Pod
    stage: Stage
    trouble: str = ""


def state_of(pod: Pod, events: Iterable[KubeEvent] = ()) -> PodState:
    """Read one pod. `events` may be those of other objects too."""
    if pod.phase in ("Succeeded", "Failed"):
        return PodState(pod, Stage.ENDED, _how_it_failed(pod) if pod.phase == "Failed" else "")
    if pod.unschedulable:
        told = shorten(pod.unschedulable.split(" preemption:")[0])
        return PodState(pod, Stage.UNPLACED, f"cannot be placed: {told}")
    trouble = _container_trouble(pod)
    if pod.phase == "Running":
        return PodState(pod, Stage.RUNNING, trouble)
    if not pod.node and not pod.containers:
        return PodState(pod, Stage.UNPLACED)
    return PodState(pod, Stage.PREPARING, trouble or _volume_trouble(pod, events))


def shorten(text: str) -> str:
    """A message on one line, cut, without its full stop."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _container_trouble(pod: Pod) -> str:
    for container in (*pod.init, *pod.containers):
        if container.state != "waiting":
            continue
        if container.reason in PULLING:
            return _cannot_pull(container)
        if container.reason in CREATING:
            why = shorten(container.message) or container.reason
            return f"cannot start its container {container.name}: {why}"
        if container.reason == "CrashLoopBackOff":
            return f"keeps crashing in container {container.name}"
    return ""


def _cannot_pull(container: ContainerState) -> str:
    found = _IMAGE.search(container.message)
    image = f"the image {found.group(1)}" if found else "its image"
    return f"cannot pull {image} (container {container.name})"


def _volume_trouble(pod: Pod, events: Iterable[KubeEvent]) -> str:
    told = [e for e in events if e.object_uid == pod.uid and e.reason in VOLUME_EVENTS]
    if not told:
        return ""
    newest = max(told, key=lambda event: event.last_seen)
    return f"cannot mount a volume: {shorten(newest.message)}"


def _how_it_failed(pod: Pod) -> str:
    for container in (*pod.init, *pod.containers):
        if container.exit_code:
            reason = container.reason if container.reason not in ("", "Error") else "failed"
            return f"{reason} with exit code {container.exit_code} in container {container.name}"
    return "failed (evicted, or its node is gone)"


# The phase of a MiniCluster whose lead runs: what its broker says (flux-uptime(1), RFC 15).

_STARTING = frozenset({"none", "join", "init"})
_NAMED = 3


class BrokerAccess(Enum):
    """Whether the broker can be asked, or what is in the way."""

    OPEN = ""
    NO_RIGHT = "no right to exec"
    NOT_ASKED = "its broker was not asked"
    REFUSED_ON_THE_WAY = "refused on the way"
    BREAKS_OFF = "the connection to it breaks off"


def broker_phase(
    size: int,
    pods: Sequence[PodState],
    state: str | None,
    queues: Sequence[Queue],
    nodes: Sequence[Node],
    *,
    access: BrokerAccess,
    stuck: StuckQueue | None = None,
) -> tuple[Phase, str]:
    """Phase and reason. `state` is none, join, init, quorum, run, cleanup, shutdown ... or None.

    A broker without `access` may be up or not: neither is claimed.
    """
    if not state and access is not BrokerAccess.OPEN:
        here = sum(pod.stage is Stage.RUNNING for pod in pods)
        why = f"the broker cannot be asked: {access.value}"
        if access is BrokerAccess.NOT_ASKED:
            why = access.value
        return Phase.UNKNOWN, f"{here} of {size} pods run; {why}."
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
    return _up(size, pods, queues, wanted, stuck)


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
    size: int,
    pods: Sequence[PodState],
    queues: Sequence[Queue],
    nodes: Sequence[Node],
    stuck: StuckQueue | None,
) -> tuple[Phase, str]:
    wrong = _wrong(size, pods, nodes)
    stopped = [queue for queue in queues if not queue.started]
    also = f" Besides, {_besides(pods)}." if not wrong and _besides(pods) else ""
    if stopped and len(stopped) == len(queues):
        also = f" Besides, {wrong}." if wrong else also
        why = f" ({stopped[0].stop_reason})" if stopped[0].stop_reason else ""
        return Phase.PAUSED, f"The queue is stopped{why}: nothing new starts.{also}"
    if stuck is not None:
        return Phase.DEGRADED, f"{stuck}{f' Besides, {wrong}.' if wrong else also}"
    if wrong:
        return Phase.DEGRADED, f"It runs, but {wrong}."
    if stopped:
        return Phase.UP, f"It runs; {_some([queue.name for queue in stopped])} is stopped.{also}"
    return Phase.UP, (f"All {size} brokers run." if size > 1 else "Its broker runs.") + also


def _besides(pods: Sequence[PodState]) -> str:
    """What is wrong with another container than Flux's, whose broker runs all the same."""
    troubled = next((s for s in pods if s.stage is Stage.RUNNING and s.trouble), None)
    return f"{troubled.pod.name} {troubled.trouble}" if troubled is not None else ""


def _wrong(size: int, pods: Sequence[PodState], nodes: Sequence[Node]) -> str:
    if nodes and len(nodes) < size:
        # Pods do not tell: with a broker.toml that names no others, each boots alone.
        return f"Flux has {len(nodes)} of {size} brokers: the other pods are no part of it"
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
_NO_PODS = "It has no pods, and why does not show: no right to list jobs (of batch)."
# The first process of the container ignores SIGTERM: the broker answers for 30 s more.
_GOING = (
    "The lead's pod is being deleted (for {since:.0f} s), and its queue goes with it: save it now, "
    "while it still answers."
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
    broker_state: str | None
    job_known: bool

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
    access: BrokerAccess = BrokerAccess.OPEN,
    stuck: StuckQueue | None = None,
    job_known: bool = True,
) -> Derived:
    """The phase with one sentence why, and the evidence.

    `pods` may hold helper pods (index None). `broker_state` is as `flux uptime` says, None if it is
    not known; `access` says if that is for want of a way to it. `stuck` is an alarm. `job_known` is
    False where Jobs may not be listed. `events` are those of the MiniCluster, its Job and its pods.
    `now` is in epoch seconds.
    """
    if minicluster.deleting_since is not None:
        return _deleting(minicluster, pods, now)
    states = tuple(state_of(pod, events) for pod in one_per_index(pods))
    facts = _Facts(
        minicluster=minicluster,
        job=job,
        pods=states,
        now=now,
        events=events,
        broker_state=broker_state,
        job_known=job_known,
    )
    phase, reason = (
        _ended(facts)
        or _not_created(facts)
        or _dead(facts)
        or _not_running(facts)
        or broker_phase(
            minicluster.size,
            facts.pods,
            broker_state,
            queues,
            nodes,
            access=access,
            stuck=stuck,
        )
    )
    silent = "has not answered" if access is BrokerAccess.OPEN else "cannot be asked"
    return Derived(phase, reason, _evidence(facts, broker_state or silent, queues))


class QueueEnd(Enum):
    """Why a MiniCluster has no queue that could be lost. The values are clauses for people."""

    ENDED = "it has ended, and its queue with it"
    NEVER_RAN = "no broker of it ever ran"


def queue_end(job: KubeJob | None, pods: Sequence[Pod]) -> QueueEnd | None:
    """None while a broker of it may run somewhere, seen or unseen. `pods` are all of its Job's.

    A pod that is said to have failed while its containers were never seen to end may run on
    behind a broken network; so may one that was replaced.
    """
    stages = set()
    for pod in pods:
        if pod.index is None:
            continue
        stage = state_of(pod).stage
        containers = pod.containers
        seen_to_end = bool(containers) and all(one.state == "terminated" for one in containers)
        if stage is Stage.ENDED and not seen_to_end:
            return None
        stages.add(stage)
    if stages & {Stage.PREPARING, Stage.RUNNING}:
        return None
    if Stage.ENDED in stages or (job is not None and job.complete):
        return QueueEnd.ENDED
    if job is not None and (job.succeeded or job.failed or job.failure):
        return None
    return QueueEnd.NEVER_RAN


def one_per_index(pods: Sequence[Pod]) -> list[Pod]:
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
    if not facts.job_known:
        return Phase.UNKNOWN, _NO_PODS
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
        # A broker that answers runs, whatever another container of its pod does.
        some_run = any(container.state == "running" for container in lead.pod.containers)
        answers = bool(facts.broker_state) and some_run
        blocked = lead.trouble and not answers
        return (Phase.STARTING, f"The lead's pod {lead.trouble}.") if blocked else None
    if lead is None:
        return Phase.SCHEDULING, "The lead's pod (index 0) is not there yet."
    if lead.pod.deleting_since is not None:
        if lead.stage is Stage.RUNNING and facts.broker_state == "run":
            since = max(facts.now - lead.pod.deleting_since, 0.0)
            return Phase.DEGRADED, _GOING.format(since=since)
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
