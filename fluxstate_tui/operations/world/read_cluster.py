"""The Kubernetes side of one MiniCluster, read once: object, lead pod, phase, log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import CrdMissing, Forbidden, NotFound
from fluxstate_tui.kube.logs import LogOf, read_log
from fluxstate_tui.kube.objects import parse_event, parse_job, parse_minicluster, parse_pod
from fluxstate_tui.kube.resources import CONFIGMAPS, EVENTS, JOBS, PODS, SERVICES
from fluxstate_tui.model.kubernetes import KubeEvent, KubeJob
from fluxstate_tui.model.minicluster import Derived, MiniCluster
from fluxstate_tui.model.mount import Mount, mounts_of
from fluxstate_tui.model.phase import derive
from fluxstate_tui.model.pod import Pod
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.context import OperationContext

Object = dict[str, Any]


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


async def read_objects(
    context: OperationContext, minicluster: MiniCluster
) -> tuple[KubeJob | None, tuple[Pod, ...]]:
    """Its Job and its pods, by owner uid. Raises KubeError."""
    mine, raw_pods = await _read_objects(context, minicluster)
    return mine, tuple(parse_pod(item, minicluster.ref.uid) for item in raw_pods)


async def _read_objects(
    context: OperationContext, minicluster: MiniCluster
) -> tuple[KubeJob | None, list[Object]]:
    ref = minicluster.ref
    jobs = [parse_job(item) for item in await context.cluster.list(JOBS, ref.namespace)]
    mine = next((job for job in jobs if job.owner_uid == ref.uid), None)
    if mine is None:
        return None, []
    pods = await context.cluster.list(PODS, ref.namespace)
    return mine, [item for item in pods if parse_pod(item).owner_uid == mine.uid]


async def read_phase(
    context: OperationContext, ref: ClusterRef, broker_state: str | None = None
) -> Derived:
    """What state it is in, and why. Raises KubeError."""
    minicluster = await read_minicluster(context, ref)
    job, pods = await read_objects(context, minicluster)
    now = context.server_now
    events = await _events(context, minicluster, job, pods)
    return derive(minicluster, job, pods, broker_state, (), now, events=events)


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
    _, raw_pods = await _read_objects(context, minicluster)
    pods = [(parse_pod(item), item) for item in raw_pods]
    leads = sorted((one for one in pods if one[0].index == 0), key=lambda one: one[0].created)
    if not leads:
        return Lead("", "", started=False)
    pod, raw = leads[-1]
    name = minicluster.ref.name
    state = next((item for item in pod.containers if item.name == name), None)
    if state is None:
        return Lead(pod.name, name, started=False)
    started = state.state in ("running", "terminated") or state.restarts > 0
    running = state.state == "running" and pod.deleting_since is None
    return Lead(pod.name, state.name, started, running, mounts_of(raw, state.name))


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

    Same names would be taken for the new one's (facts/operator.md, 2, "Delete").
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
