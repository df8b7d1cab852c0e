"""What Flux itself shows: its log, its queues, its brokers and its state directory."""

from __future__ import annotations

from collections.abc import Iterator

from fluxstate_tui.diagnosis.evidence import Evidence
from fluxstate_tui.diagnosis.finding import Quote, Remedy, Severity, Source, Told
from fluxstate_tui.diagnosis.rule import rule
from fluxstate_tui.minicluster.phase import one_per_index

# A state directory grows with each checkpoint: less room than it has taken already is little.
_LEAST_FREE = 512 << 20
_RESOLVED_WITHIN = 60.0


def _said(evidence: Evidence, *marks: str) -> tuple[Quote, ...]:
    """The last line of the lead's log with one of the marks."""
    lines = [line for line in evidence.lead_log or () if any(mark in line for mark in marks)]
    return tuple(Quote(line, Source.LEAD_LOG) for line in lines[-1:])


@rule("FS301", "wrong-view", Severity.ERROR, Source.LEAD_LOG)
def wrong_view(evidence: Evidence) -> Iterator[Told]:
    """The view's Flux does not run in the application's image, and the lead ends with 0."""
    marks = ("GLIBC_", "flux: command not found", "exec format error", "Exec format error")
    quotes = _said(evidence, *marks, "error while loading shared libraries")
    if quotes and evidence.broker_state != "run":  # else a job said so
        yield Told(
            "The Flux of the view image does not fit the system of the container's image.",
            quotes,
            "Set flux.container.image to the view of that system (flux-view-ubuntu:tag-noble, "
            "flux-view-rocky:tag-9 ...).",
        )


@rule("FS302", "lead-ended", Severity.ERROR, Source.PODS)
def lead_ended(evidence: Evidence) -> Iterator[Told]:
    """Exit code 0 counts as a success for Kubernetes, and nothing starts it again."""
    pods = one_per_index(evidence.pods)
    lead = next((pod for pod in pods if pod.index == 0), None)
    if lead is None or lead.phase not in ("Succeeded", "Failed"):
        return
    if evidence.job is not None and evidence.job.complete:
        return
    waiting = [pod for pod in pods if pod.index != 0 and pod.phase == "Running"]
    if waiting or lead.phase == "Failed":
        yield Told(
            f"The lead broker has ended; workers that wait for it in vain: {len(waiting)}.",
            (Quote(lead.phase, Source.PODS, lead.name), *_said(evidence, "panic", "rc1", "error")),
            "Read the lead's log; restore the newest archive into a new MiniCluster.",
            line=f"kubectl -n {lead.namespace} logs {lead.name}",
        )


@rule("FS303", "dns", Severity.ERROR, Source.WORKER_LOG)
def dns(evidence: Evidence) -> Iterator[Told]:
    """One line, then silence for minutes; every start has it for some seconds, so only if last."""
    lines = [line for line in evidence.worker_log or () if line.strip()]
    if lines and "unable to resolve upstream peer" in lines[-1] and evidence.age > _RESOLVED_WITHIN:
        yield Told(
            "A worker does not find the lead: the names of the headless service do not resolve.",
            (Quote(lines[-1], Source.WORKER_LOG),),
            "Look at the Service and the cluster's DNS; the cluster domain must be cluster.local.",
            line=f"kubectl -n {evidence.minicluster.ref.namespace} get service,endpoints",
        )


@rule("FS304", "restore-failed", Severity.ERROR, Source.LEAD_LOG, Source.PODS)
def restore_failed(evidence: Evidence) -> Iterator[Told]:
    """A damaged archive, or a state directory that cannot be written."""
    failed = _said(evidence, "rc1-fail")
    began = _said(evidence, "restoring content from")
    if began and failed and evidence.broker_state != "run":
        yield Told(
            "The archive at spec.archive.path could not be restored, and Flux ended.",
            (*began, *failed),
            "Verify the archive (fluxstate-tui archive verify), and arm an older one.",
        )


@rule("FS305", "quorum-delayed", Severity.WARNING, Source.LEAD_LOG)
def quorum_delayed(evidence: Evidence) -> Iterator[Told]:
    """Who is missing stands in the lead's log every 60 s."""
    quotes = _said(evidence, "quorum delayed")
    if quotes and evidence.broker_state in ("quorum", "join", None):
        yield Told(
            "Flux waits for brokers that are not there.",
            quotes,
            "See what holds those pods up; minSize lets it start with fewer.",
        )


@rule("FS310", "instances-of-their-own", Severity.ERROR, Source.NODES)
def instances_of_their_own(evidence: Evidence) -> Iterator[Told]:
    """Each pod boots alone where broker.toml names no others."""
    size = evidence.minicluster.size
    seen = evidence.broker.size if evidence.broker and evidence.broker.size else None
    known = seen or len(evidence.nodes or ())
    if evidence.broker_state == "run" and known == 1 < size:
        yield Told(
            f"Flux has 1 of {size} brokers: each pod boots an instance of its own.",
            (Quote(f"size {known}", Source.NODES),),
            "Give flux.brokerConfig its [bootstrap] and [resource] tables, or drop it.",
        )


@rule("FS311", "broker-down", Severity.WARNING, Source.NODES)
def broker_down(evidence: Evidence) -> Iterator[Told]:
    """Ranks beyond `size` have no pod on purpose."""
    if evidence.broker_state != "run":
        return
    wanted = [node for node in evidence.nodes or () if node.rank < evidence.minicluster.size]
    down = [node for node in wanted if not node.up]
    if down:
        names = ", ".join(node.host for node in down[:4])
        yield Told(
            f"{len(down)} of {len(wanted)} brokers are down.",
            (Quote(names, Source.NODES),),
            "See what became of those pods; they join again by themselves.",
        )


@rule("FS312", "broker-drained", Severity.WARNING, Source.NODES)
def broker_drained(evidence: Evidence) -> Iterator[Told]:
    """No job is placed there."""
    for node in evidence.nodes or ():
        if node.drained and node.rank < evidence.minicluster.size:
            yield Told(
                f"{node.host} is drained: no job starts there.",
                (Quote(node.reason or "no reason given", Source.NODES, node.host),),
                "Undrain it when its cause is gone.",
                line=f"flux resource undrain {node.rank}",
            )


@rule("FS313", "broker-hangs", Severity.ERROR, Source.ANSWERS)
def broker_hangs(evidence: Evidence) -> Iterator[Told]:
    """`flux overlay status` calls it full all the same."""
    torpid = evidence.broker.torpid if evidence.broker else None
    if torpid:
        ranks = ", ".join(map(str, torpid))
        yield Told(
            f"The brokers of rank {ranks} do not answer, though the overlay counts them.",
            (Quote(f"torpid: {ranks}", Source.ANSWERS),),
            "Look at the node of that pod; delete the pod if it does not come back.",
        )


@rule("FS320", "queue-closed", Severity.WARNING, Source.QUEUES)
def queue_closed(evidence: Evidence) -> Iterator[Told]:
    """A disabled queue takes no job, and looks open otherwise."""
    for queue in evidence.queues or ():
        if not queue.enabled:
            name = f"Queue {queue.name}" if queue.name else "The queue"
            yield Told(
                f"{name} takes no new jobs: it is disabled.",
                (Quote(queue.disable_reason or "disabled, no reason given", Source.QUEUES),),
                "Enable it.",
                line="flux queue enable" + (f" {queue.name}" if queue.name else ""),
            )


@rule("FS321", "queue-stopped", Severity.NOTE, Source.QUEUES)
def queue_stopped(evidence: Evidence) -> Iterator[Told]:
    """Named queues start stopped."""
    for queue in evidence.queues or ():
        if not queue.started:
            name = f"Queue {queue.name}" if queue.name else "The queue"
            yield Told(
                f"{name} is stopped: nothing new starts.",
                (Quote(queue.stop_reason or "stopped, no reason given", Source.QUEUES),),
                "Resume it when it is wanted.",
                Remedy.RESUME,
            )


@rule("FS330", "statedir-filling", Severity.WARNING, Source.STATE_DIR)
def statedir_filling(evidence: Evidence) -> Iterator[Told]:
    """content.sqlite only grows; a full volume stops the queue."""
    view = evidence.broker
    if view is None or view.state_used is None or view.state_free is None:
        return
    if view.state_free < min(view.state_used, _LEAST_FREE):
        used, free = view.state_used >> 20, view.state_free >> 20
        yield Told(
            f"The state directory has taken {used} MiB, and only {free} MiB are free.",
            (Quote(f"content.sqlite {used} MiB, free {free} MiB", Source.STATE_DIR),),
            "Make room on its volume, or save and restore: an archive holds no old versions.",
            Remedy.SAVE,
        )


@rule("FS331", "no-checkpoint-period", Severity.WARNING, Source.CHECKPOINTS)
def no_checkpoint(evidence: Evidence) -> Iterator[Told]:
    """0 is what Flux takes where kvs.checkpoint-period is not set."""
    if evidence.broker is not None and evidence.broker.checkpoint_period == 0:
        yield Told(
            "Flux makes no checkpoints by itself: a crash loses the jobs since its start.",
            (Quote("kvs.checkpoint-period is not set", Source.CHECKPOINTS),),
            'Set [kvs] checkpoint-period = "1m" in flux.brokerConfig, beside its [bootstrap] and '
            "[resource] tables; or let the dashboard guard it.",
        )


@rule("FS332", "crashed-before", Severity.WARNING, Source.LEAD_LOG)
def crashed_before(evidence: Evidence) -> Iterator[Told]:
    """The instance before did not shut down cleanly."""
    quotes = _said(evidence, "instance may have crashed", "not properly shut down")
    if quotes:
        yield Told(
            "The Flux instance before this one crashed: its last jobs may not be in its state.",
            quotes,
            "Compare the queue with the newest archive.",
        )


@rule("FS333", "lost+found-not-empty", Severity.WARNING, Source.PUT_ASIDE)
def lost_and_found(evidence: Evidence) -> Iterator[Told]:
    """Jobs that could not be replayed are put there."""
    count = evidence.broker.lost_and_found if evidence.broker else None
    if count:
        yield Told(
            f"Flux has put {count} jobs aside that it could not read when it started.",
            (Quote(f"job-lost+found holds {count}", Source.PUT_ASIDE),),
            "Look into them before they are needed.",
            line="flux kvs ls job-lost+found.job",
        )


@rule("FS334", "job-ids-may-repeat", Severity.WARNING, Source.JOB_IDS)
def ids_may_repeat(evidence: Evidence) -> Iterator[Told]:
    """After an older archive was restored, ids that were given out already come again."""
    view = evidence.broker
    if view is None or view.greatest_id_seen is None or view.next_id is None:
        return
    if view.next_id <= view.greatest_id_seen:
        yield Told(
            "Job ids that were given out before may be given out again.",
            (Quote(f"{view.greatest_id_seen} was seen, next {view.next_id}", Source.JOB_IDS),),
            "Do not tell jobs of both lives apart by their ids alone.",
        )


@rule("FS335", "private-mode", Severity.NOTE, Source.ACCESS)
def private_mode(evidence: Evidence) -> Iterator[Told]:
    """Others see only their own jobs."""
    if evidence.broker is not None and evidence.broker.private:
        yield Told(
            "Flux is in private mode: others than its owner see their own jobs only.",
            (Quote("access.private-mode is true", Source.ACCESS),),
            "Ask as the owner of the instance.",
        )
