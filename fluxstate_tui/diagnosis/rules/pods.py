"""Where pods are placed, and how they are lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from fluxstate_tui.diagnosis.evidence import Evidence, quote_event
from fluxstate_tui.diagnosis.finding import Quote, Severity, Source, Told
from fluxstate_tui.diagnosis.rule import rule
from fluxstate_tui.minicluster.objects import Pod

_PLACED_WITHIN = 30.0
# Longer than the back-off of a first loss.
_REPLACED_WITHIN = 30.0
_LACK = re.compile(r"(\d+) (Insufficient [^,. ]+(?:\.[^,. ]+)*|Too many pods|node\(s\) [^,.]+)")
_CLAIM = ("persistentvolumeclaim", "PersistentVolumeClaims")


def _lacks(message: str) -> str:
    found = _LACK.findall(message.split(" preemption:")[0])
    return "; ".join(
        f"{count} node{'s' if count != '1' else ''}: {_plain(w)}" for count, w in found
    )


def _plain(lack: str) -> str:
    if lack.startswith("Insufficient "):
        return f"not enough {lack.removeprefix('Insufficient ')}"
    return lack.removeprefix("node(s) ").lower()


@rule("FS201", "unschedulable", Severity.ERROR, Source.PODS)
def unschedulable(evidence: Evidence) -> Iterator[Told]:
    """Each different message once: hundreds of pods wait for the same."""
    waiting = Counter(pod.unschedulable for pod in evidence.pods if pod.unschedulable)
    for message, count in waiting.most_common():
        if any(mark in message for mark in _CLAIM):
            continue  # a volume is what is wrong, not a node
        lacks = _lacks(message)
        yield Told(
            f"{count} of its pods fit on no node" + (f" ({lacks})." if lacks else "."),
            (Quote(message, Source.PODS),),
            "Ask for less, use fewer pods, or add or uncordon nodes.",
            line="kubectl describe nodes",
        )


@rule("FS202", "scheduling-gated", Severity.ERROR, Source.PODS)
def scheduling_gated(evidence: Evidence) -> Iterator[Told]:
    """No event tells of it."""
    gated = [pod for pod in evidence.pods if pod.gated]
    if gated:
        yield Told(
            f"{len(gated)} of its pods have scheduling gates, and are not looked at before these "
            "are taken away.",
            (Quote("SchedulingGated", Source.PODS, gated[0].name, gated[0].created),),
            "The controller that set the gate (a queue such as Kueue) has to admit them.",
        )


@rule("FS203", "no-scheduler", Severity.ERROR, Source.PODS)
def no_scheduler(evidence: Evidence) -> Iterator[Told]:
    """An unknown schedulerName leaves no condition and no event, for ever."""
    for pod in evidence.pods:
        untouched = pod.phase == "Pending" and not pod.node and not pod.unschedulable
        if untouched and not pod.gated and evidence.now - pod.created > _PLACED_WITHIN:
            yield Told(
                "No scheduler has looked at its pods.",
                (Quote("Pending, without a condition", Source.PODS, pod.name, pod.created),),
                "Correct pod.schedulerName, or start that scheduler.",
            )
            return


@rule("FS230", "evicted", Severity.ERROR, Source.PODS)
def evicted(evidence: Evidence) -> Iterator[Told]:
    """By the kubelet, for want of memory or disk on the node."""
    for pod in evidence.pods:
        if pod.gone_for.startswith("Evicted"):
            yield Told(
                f"Pod {pod.name} was evicted: its node ran short.",
                (Quote(pod.gone_for, Source.PODS, pod.name),),
                "Give it requests for what it uses (memory, ephemeral-storage).",
            )


@rule("FS231", "disrupted", Severity.WARNING, Source.PODS)
def disrupted(evidence: Evidence) -> Iterator[Told]:
    """Drained, preempted, tainted: the mark comes before the pod goes."""
    for pod in evidence.pods:
        if not pod.disruption:
            continue
        told = evidence.told("Preempted", uid=pod.uid)
        quote = Quote(pod.disruption, Source.PODS, pod.name, pod.deleting_since)
        how = "preempted" if "Preemption" in pod.disruption else "moved off its node"
        yield Told(
            f"Pod {pod.name} is being {how}.",
            (quote, *(quote_event(event) for event in told[:1])),
            "Save the queue while the lead answers; give its pods a higher priority.",
        )


def _by_index(evidence: Evidence) -> dict[int, list[Pod]]:
    found: dict[int, list[Pod]] = {}
    for pod in evidence.pods:
        if pod.index is not None:
            found.setdefault(pod.index, []).append(pod)
    return found


@rule("FS240", "two-pods-of-one-index", Severity.WARNING, Source.PODS)
def two_of_one_index(evidence: Evidence) -> Iterator[Told]:
    """A lost pod is replaced before it is dead: the one that goes is never the lead."""
    for index, pods in sorted(_by_index(evidence).items()):
        running = sorted((p for p in pods if p.phase == "Running"), key=lambda p: p.created)
        if len(running) > 1:
            yield Told(
                f"Two pods of rank {index} run at once; {running[-1].name} is the one that stays.",
                tuple(Quote("Running", Source.PODS, p.name, p.created) for p in running),
                "Wait: the older one goes within 30 s.",
            )


@rule("FS241", "no-lead", Severity.ERROR, Source.PODS, Source.JOB)
def no_lead(evidence: Evidence) -> Iterator[Told]:
    """After a third loss the Job waits for more than a minute before it makes another."""
    job = evidence.job
    if job is None or job.complete or job.failure or not evidence.pods:
        return
    if evidence.minicluster.deleting_since is not None:
        return
    leads = _by_index(evidence).get(0, [])
    if any(p.deleting_since is None and p.phase != "Failed" for p in leads):
        return
    if not leads and evidence.age < _REPLACED_WITHIN:
        return
    yield Told(
        "There is no lead now: it was lost, and its Job waits longer with each loss.",
        tuple(Quote(p.phase, Source.PODS, p.name, p.deleting_since) for p in leads)
        or (Quote(f"no pod of index 0, {job.failed} failed", Source.JOB),),
        "Wait for the next one (10, 20, 40 ... s after the loss), and find out who deletes it.",
    )
