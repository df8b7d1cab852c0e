"""A made-up cluster as store events, so that screens can be tried without any cluster."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from msgspec import structs

from fluxstate_tui.archive.manifest import CatalogEntry, Manifest, Part
from fluxstate_tui.flux.job import Job, JobException, JobResult, JobState
from fluxstate_tui.flux.queue import Node, Queue
from fluxstate_tui.live import events
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster
from fluxstate_tui.minicluster.objects import ContainerState, KubeEvent, KubeJob, Pod

NOW = 1_795_000_000.0
FIRST_ID = 0x5A0000000000
NAMES = ("lammps", "sleep", "whoami", "osu_latency", "relax", "md", "train", "reduce")


def ref(name: str, uid: str = "") -> ClusterRef:
    """A MiniCluster of the namespace default."""
    return ClusterRef("default", name, uid or f"uid-{name}")


def minicluster(name: str, size: int = 4, age: float = 7000, uid: str = "") -> MiniCluster:
    """An interactive v1alpha2 MiniCluster with a place for archives."""
    return MiniCluster(
        ref=ref(name, uid),
        api_version="flux-framework.org/v1alpha2",
        resource_version="1",
        size=size,
        max_size=None,
        min_size=None,
        interactive=True,
        archive_path="/state/archive.tar.gz",
        created=NOW - age,
        deleting_since=None,
        raw={"kind": "MiniCluster", "metadata": {"name": name}, "spec": {"size": size}},
    )


def kube_job(name: str, size: int = 4, complete: bool = False) -> KubeJob:
    """Its Indexed Job."""
    return KubeJob(
        f"job-{name}", "default", name, f"uid-{name}", size, size, 0, 0, complete=complete
    )


def pod(name: str, index: int, **changes: Any) -> Pod:
    """One of its pods, running."""
    made = Pod(
        uid=f"pod-{name}-{index}",
        namespace="default",
        name=f"{name}-{index}-x7k2{index}",
        owner_uid=f"job-{name}",
        owner_name=name,
        index=index,
        phase="Running",
        node=f"worker-{index % 3}",
        created=NOW - 6900,
        containers=(ContainerState(name, "running", ready=True),),
    )
    return replace(made, **changes)


def job(number: int, state: JobState = JobState.SCHED, **changes: Any) -> Job:
    """The job with that number in the order of submission."""
    made = Job(
        id=FIRST_ID + number * 0x1000000,
        userid=0,
        state=state,
        name=NAMES[number % len(NAMES)],
        cwd="/home/flux",
        ntasks=1 + number % 4,
        ncores=1 + number % 4,
        nnodes=1,
        t_submit=NOW - 3600 + number,
        t_depend=NOW - 3600 + number,
    )
    if state.running or state is JobState.INACTIVE:
        rank = number % 4
        made = structs.replace(
            made,
            ranks=str(rank),
            nodelist=f"flux-sample-{rank}",
            t_run=NOW - 90 - number % 50,
        )
    if state is JobState.INACTIVE:
        over = NOW - 60 - number % 20
        made = structs.replace(
            made, t_cleanup=over, t_inactive=over, result=JobResult.COMPLETED, waitstatus=0
        )
    return structs.replace(made, **changes)


def jobs(pending: int, running: int, done: int) -> tuple[Job, ...]:
    """A queue as it grows: the oldest are done, the newest wait; some ended badly."""
    made: list[Job] = []
    for number in range(done):
        ended: dict[str, Any] = {}
        if number % 17 == 5:
            ended = {"result": JobResult.FAILED, "waitstatus": 256}
        if number % 29 == 7:
            note = "resource allocation expired"
            ended = {
                "result": JobResult.TIMEOUT,
                "exception": JobException("timeout", 0, note),
            }
        if number % 31 == 3:
            ended = {"result": JobResult.CANCELED, "exception": JobException("cancel", 0, "")}
        made.append(job(number, JobState.INACTIVE, **ended))
    made += [
        job(done + number, JobState.RUN, duration=600.0 if number % 2 else 0.0)
        for number in range(running)
    ]
    for number in range(pending):
        waiting: dict[str, Any] = {}
        if number % 5 == 3:
            waiting = {"state": JobState.DEPEND, "dependencies": ("after-success=ƒ2Kf9",)}
        if number % 7 == 6:
            waiting = {"urgency": 0}
        made.append(job(done + running + number, **waiting))
    return tuple(made)


def by_id(listed: Iterable[Job]) -> dict[int, Job]:
    """Jobs as a list of all of them is told."""
    return {job.id: job for job in listed}


def nodes(name: str, size: int = 4) -> tuple[Node, ...]:
    """Nodes of eight cores, all up."""
    return tuple(Node(rank, f"{name}-{rank}", 8) for rank in range(size))


def entry(identity: str, age: float, counts: dict[str, int], idle: bool = True) -> CatalogEntry:
    """An archive with its manifest."""
    manifest = Manifest(
        id=identity,
        minicluster="flux-sample",
        namespace="default",
        uid="uid-flux-sample",
        size=4,
        created=NOW - age,
        created_by="you@here",
        core_version="0.88.0",
        counts=counts,
        verified="L2",
        idle=idle,
        parts=(Part("queue", f"{identity}.tar.gz", 184_320, "0" * 64),),
    )
    path = f"/state/fluxstate/{identity}.tar.gz"
    return CatalogEntry(identity, path, 184_320, NOW - age, manifest)


def catalog() -> tuple[CatalogEntry, ...]:
    """Two archives of ours and one that somebody made by hand."""
    return (
        entry("20261121-201500-flux-sample", 1100, {"COMPLETED": 41, "SCHED": 12, "FAILED": 3}),
        entry("20261121-174210-flux-sample", 10_260, {"COMPLETED": 9, "RUN": 2}, idle=False),
        CatalogEntry("archive.tar.gz", "/state/archive.tar.gz", 9_120, NOW - 86_000, None),
    )


def kube_event(
    number: int, name: str, reason: str, message: str, kind: str = "Normal"
) -> KubeEvent:
    """An event about the MiniCluster's first pod."""
    return KubeEvent(
        f"event-{number}",
        "default",
        "Pod",
        f"{name}-0-x7k20",
        f"pod-{name}-0",
        kind,
        reason,
        message,
        1 + number % 3,
        NOW - 40 * number,
    )


def running_cluster(
    name: str, size: int, job_list: tuple[Job, ...], started: bool = True, age: float = 7000
) -> list[events.StoreEvent]:
    """A MiniCluster whose broker runs."""
    who = ref(name)
    reason = "" if started else "fluxstate: paused by you@here"
    return [
        events.MiniClusterChanged(minicluster(name, size, age), NOW),
        events.KubeJobChanged(kube_job(name, size), NOW),
        *(events.PodChanged(pod(name, index), NOW) for index in range(size)),
        events.BrokerSeen(who, "run", "0.88.0", 0.0, 1.0, NOW),
        events.QueuesSeen(
            who, (Queue("", True, started, stop_reason=reason),), nodes(name, size), NOW
        ),
        events.JobsListed(who, by_id(job_list), NOW),
        events.SourceChanged(f"queue:{who.uid}", Freshness.LIVE, "", NOW),
    ]


def world() -> list[events.StoreEvent]:
    """A busy, a paused, a starting, a broken and a finished MiniCluster, and archives."""
    unschedulable = "0/3 nodes are available: 3 Insufficient cpu."
    pulled = 'Successfully pulled image "ghcr.io/rse-ops/accounting:app-latest" in 4.1s'
    waiting = events.PodChanged(
        pod("wide-run", 0, phase="Pending", unschedulable=unschedulable), NOW
    )
    return [
        *(
            events.SourceChanged(source, Freshness.LIVE, "", NOW)
            for source in ("miniclusters", "pods", "jobs", "events")
        ),
        *running_cluster("flux-sample", 4, jobs(12, 6, 58)),
        events.CatalogSeen(ref("flux-sample"), catalog(), False, NOW),
        *running_cluster("lammps-nightly", 8, jobs(120, 0, 16), started=False, age=90_000),
        events.CatalogSeen(ref("lammps-nightly"), catalog()[:1], False, NOW),
        events.MiniClusterChanged(minicluster("starting", 4, 42), NOW),
        events.KubeJobChanged(kube_job("starting"), NOW),
        *(events.PodChanged(pod("starting", index, created=NOW - 40), NOW) for index in range(4)),
        events.MiniClusterChanged(minicluster("wide-run", 16, 300), NOW),
        events.KubeJobChanged(kube_job("wide-run", 16), NOW),
        waiting,
        events.MiniClusterChanged(minicluster("too-large", 8, 4000), NOW),
        events.MiniClusterChanged(minicluster("done-last-week", 2, 600_000), NOW),
        events.KubeJobChanged(kube_job("done-last-week", 2, complete=True), NOW),
        events.KubeEventSeen(kube_event(1, "flux-sample", "Pulled", pulled), NOW),
        events.KubeEventSeen(
            kube_event(2, "flux-sample", "BackOff", "Back-off restarting", "Warning"), NOW
        ),
        events.KubeEventSeen(
            kube_event(3, "wide-run", "FailedScheduling", unschedulable, "Warning"), NOW
        ),
    ]


def churn(queue: list[Job], changes: int, seed: int) -> tuple[Job, ...]:
    """Some jobs of the queue in another state; the list is changed in place."""
    rng = random.Random(seed)
    changed: list[Job] = []
    for _ in range(changes):
        place = rng.randrange(len(queue))
        state = rng.choice((JobState.SCHED, JobState.RUN, JobState.INACTIVE))
        new = job(place, state)
        queue[place] = new
        changed.append(new)
    return tuple(changed)
