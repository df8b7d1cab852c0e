"""The Kubernetes side of one MiniCluster, read once: object, lead pod, phase, log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.retry import retry
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.client import ListQuery, list_all
from fluxstate_tui.kube.errors import CrdMissing, Forbidden, NotFound
from fluxstate_tui.kube.logs import LogOf, read_log
from fluxstate_tui.kube.objects import (
    CONFIGMAPS,
    EVENTS,
    JOBS,
    PODS,
    PVCS,
    SERVICES,
    parse_event,
    parse_job,
    parse_minicluster,
    parse_pod,
)
from fluxstate_tui.minicluster.archive_volume import archive_volume
from fluxstate_tui.minicluster.minicluster import ClusterRef, Derived, MiniCluster
from fluxstate_tui.minicluster.mount import Mount, mounts_of
from fluxstate_tui.minicluster.objects import KubeEvent, KubeJob, Pod
from fluxstate_tui.minicluster.phase import QueueEnd, derive, queue_end


@dataclass(frozen=True, slots=True)
class Lead:
    """The lead's container. `started` says that it has run, now or before."""

    pod: str
    container: str
    started: bool
    running: bool = False
    mounts: tuple[Mount, ...] = ()


class ReplacedError(NotFound):
    """Another MiniCluster of that name is there now (another uid)."""


async def read_minicluster(context: OperationContext, ref: ClusterRef) -> MiniCluster:
    """The object; raises NotFound, or ReplacedError for another uid (a `ref.uid` of '' is any)."""
    resource = await context.cluster.minicluster_resource()
    found = parse_minicluster(await context.cluster.get(resource, ref.name, ref.namespace))
    if ref.uid and found.ref.uid != ref.uid:
        raise ReplacedError(
            f"{ref} was deleted; another MiniCluster has its name now",
            safe="The other one was not touched.",
        )
    return found


async def read_by_name(context: OperationContext, ref: ClusterRef) -> MiniCluster | None:
    """The object of that name, whatever its uid; None when there is none."""
    try:
        return await read_minicluster(context, replace(ref, uid=""))
    except CrdMissing:
        raise
    except NotFound:
        return None


@dataclass(frozen=True, slots=True)
class Owned:
    """The Job and the pods of one MiniCluster.

    `job_known` is False where Jobs may not be listed: then there is none here, and the pods are
    those of a Job with the MiniCluster's name.
    """

    job: KubeJob | None
    pods: tuple[Pod, ...]
    job_known: bool = True


async def read_objects(context: OperationContext, minicluster: MiniCluster) -> Owned:
    """Its Job and its pods, by owner uid. Raises KubeError."""
    ref = minicluster.ref
    job, known = None, True
    try:
        job = parse_job(await context.cluster.get(JOBS, ref.name, ref.namespace))
    except NotFound:
        return Owned(None, ())
    except Forbidden:
        known = False
    else:
        if job.owner_uid != ref.uid:
            return Owned(None, ())
    query = ListQuery(PODS, ref.namespace, label_selector=f"job-name={ref.name}")
    pods = (await list_all(context.cluster, query, parse_pod)).items
    return Owned(job, _pods_of(ref, job, pods), known)


async def read_all_objects(
    context: OperationContext, miniclusters: Sequence[MiniCluster]
) -> dict[str, Owned]:
    """The same of all MiniClusters of the scope, by their uid: each kind is listed once."""
    cluster = context.cluster
    jobs: dict[str, KubeJob] = {}
    known = True
    try:
        listed = await list_all(cluster, ListQuery(JOBS, cluster.scope), parse_job)
        jobs = {job.owner_uid: job for job in listed.items}
    except Forbidden:
        known = False
    by_job: dict[tuple[str, str], list[Pod]] = defaultdict(list)
    for pod in (await list_all(cluster, ListQuery(PODS, cluster.scope), parse_pod)).items:
        by_job[(pod.namespace, pod.owner_name)].append(pod)
    found: dict[str, Owned] = {}
    for ref in (one.ref for one in miniclusters):
        job, pods = jobs.get(ref.uid), by_job.get((ref.namespace, ref.name), [])
        none = known and job is None
        found[ref.uid] = Owned(None, ()) if none else Owned(job, _pods_of(ref, job, pods), known)
    return found


def _pods_of(ref: ClusterRef, job: KubeJob | None, pods: Iterable[Pod]) -> tuple[Pod, ...]:
    mine = (pod for pod in pods if _is_of(pod, ref, job))
    return tuple(replace(pod, cluster_uid=ref.uid) for pod in mine)


def _is_of(pod: Pod, ref: ClusterRef, job: KubeJob | None) -> bool:
    if job is not None:
        return pod.owner_uid == job.uid
    return pod.index is not None and pod.owner_name == ref.name  # ARCHITECTURE.md#F58


async def read_queue_end(context: OperationContext, minicluster: MiniCluster) -> QueueEnd | None:
    """Whether it has no queue that could be lost; None when one may exist, or it cannot be seen."""
    try:
        owned = await retry(context.clock, lambda: read_objects(context, minicluster))
        if not owned.job_known:
            return None
        if owned.job is None and await left_of_name(context, minicluster.ref):
            return None  # whose pods these are cannot be told
    except FluxstateError:
        return None
    return queue_end(owned.job, owned.pods)


async def read_phase(
    context: OperationContext, ref: ClusterRef, broker_state: str | None = None
) -> Derived:
    """What state it is in, and why. Raises KubeError."""
    minicluster = await read_minicluster(context, ref)
    owned = await read_objects(context, minicluster)
    now = context.server_now
    events = await _events(context, minicluster, owned.job, owned.pods)
    return derive(
        minicluster,
        owned.job,
        owned.pods,
        broker_state,
        (),
        now,
        events=events,
        job_known=owned.job_known,
    )


async def _events(
    context: OperationContext, minicluster: MiniCluster, job: KubeJob | None, pods: tuple[Pod, ...]
) -> list[KubeEvent]:
    """What Kubernetes says about it; without the right to read events there are only guesses."""
    uids = {minicluster.ref.uid, *(pod.uid for pod in pods)} | ({job.uid} if job else set())
    try:
        items = await context.cluster.list(EVENTS, minicluster.ref.namespace)
    except Forbidden:
        return []
    return [event for event in map(parse_event, items) if event.object_uid in uids]


async def read_lead(context: OperationContext, minicluster: MiniCluster) -> Lead:
    """The newest lead pod's main container."""
    owned = await read_objects(context, minicluster)
    leads = sorted((pod for pod in owned.pods if pod.index == 0), key=lambda pod: pod.created)
    if not leads:
        return Lead("", "", started=False)
    pod = leads[-1]
    name = minicluster.ref.name
    state = next((item for item in pod.containers if item.name == name), None)
    if state is None:
        return Lead(pod.name, name, started=False)
    started = state.state in ("running", "terminated") or state.restarts > 0
    running = state.state == "running" and pod.deleting_since is None
    return Lead(pod.name, state.name, started, running, mounts_of(pod.raw or {}, state.name))


async def lead_log(context: OperationContext, ref: ClusterRef, lines: int) -> list[str]:
    """The last lines of the lead's log; [] when it cannot be read."""
    try:
        lead = await read_lead(context, await read_minicluster(context, ref))
        if not lead.started:
            return []
        of = LogOf(ref.namespace, lead.pod, lead.container)
        return [line.text for line in await read_log(context.cluster, of, tail=lines)]
    except FluxstateError:
        return []


async def left_of_name(context: OperationContext, ref: ClusterRef) -> list[str]:
    """What an earlier MiniCluster of that name left: its Job, ConfigMap, Service and pods.

    Same names would be taken for the new one's (ARCHITECTURE.md#F67).
    """
    found: list[str] = []
    wanted = {
        JOBS: {ref.name},
        CONFIGMAPS: {f"{ref.name}-entrypoint"},
        SERVICES: {ref.name},
    }
    for resource, names in wanted.items():
        try:
            items = await context.cluster.list(resource, ref.namespace)
        except Forbidden:
            continue
        here = [item["metadata"]["name"] for item in items]
        found += [f"{resource.plural}/{name}" for name in here if name in names]
    for item in await context.cluster.list(PODS, ref.namespace):
        pod = parse_pod(item)
        if pod.index is not None and pod.owner_name == ref.name:
            found.append(f"pods/{pod.name}")
    return found


# Whether a MiniCluster is there, as far as a delete is concerned.


async def find(context: OperationContext, ref: ClusterRef) -> MiniCluster | None:
    """This very object (uid), None when it is gone. Raises FluxstateError when nobody can say."""
    try:
        return await retry(context.clock, lambda: read_minicluster(context, ref))
    except CrdMissing:
        raise
    except NotFound:
        return None


async def is_alive(context: OperationContext, ref: ClusterRef) -> bool:
    """Whether this very object (uid) is there and not being deleted. Raises FluxstateError."""
    found = await find(context, ref)
    return found is not None and not found.raw["metadata"].get("deletionTimestamp")


# Whether the claim of the archives' volume is on its way out.
#
# A claim that was deleted stays `Terminating` while a pod uses it, and goes with the last pod. With
# the reclaim policy `Delete`, the default of volumes that a StorageClass made, its files go as well
# (seen on Kubernetes 1.35: the archives of a delete could not be reached any more).


async def going_claim(context: OperationContext, minicluster: MiniCluster) -> str:
    """The claim's name if it is being deleted, else ''; '' too where it may not be read."""
    volume = archive_volume(minicluster.raw.get("spec") or {})
    name = str((volume or {}).get("claimName") or "")
    if not name:
        return ""
    namespace = minicluster.ref.namespace
    try:
        claim = await retry(
            context.clock, lambda: context.cluster.get(PVCS, name, namespace), seconds=10.0
        )
    except (Forbidden, NotFound):
        return ""
    return name if claim["metadata"].get("deletionTimestamp") else ""
