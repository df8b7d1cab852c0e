"""What a diagnosis looks at, read once. What may not be read is None: its rules are blind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.inside import look_inside
from fluxstate_tui.broker.objects import Owned, read_objects
from fluxstate_tui.diagnosis.evidence import Claim, Evidence
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import Forbidden, KubeError
from fluxstate_tui.kube.logs import LogOf, read_log
from fluxstate_tui.kube.objects import EVENTS, PODS, PVCS, parse_event
from fluxstate_tui.minicluster.minicluster import MiniCluster
from fluxstate_tui.minicluster.objects import Pod, as_map, as_maps
from fluxstate_tui.minicluster.phase import one_per_index

T = TypeVar("T")

OPERATOR_LABEL = "control-plane=controller-manager"
_TAIL = 400
# Its log also holds the brokers' secret key (ARCHITECTURE.md#F78): only such lines are taken.
_OPERATOR_LINES = (
    "did not validate",
    "😥",
    "invisible ants",
    "Failed to create new MiniCluster Batch Job",
)


async def read_evidence(
    context: OperationContext,
    minicluster: MiniCluster,
    operator_log: tuple[str, ...] | None = None,
) -> Evidence:
    """Raises KubeError only if Kubernetes cannot be asked at all."""
    owned = await read_objects(context, minicluster)
    claims, uids = await _claims(context, minicluster), {minicluster.ref.uid}
    uids |= {claim.uid for claim in claims or ()} | {pod.uid for pod in owned.pods}
    uids |= {owned.job.uid} if owned.job is not None else set()
    namespace = minicluster.ref.namespace
    items = await _allowed(lambda: context.cluster.list(EVENTS, namespace))
    events = None if items is None else tuple(map(parse_event, items))
    pods = one_per_index(owned.pods)
    evidence = Evidence(
        minicluster,
        context.server_now,
        owned.job,
        owned.pods,
        may_list=owned.job_known,
        events=events and tuple(event for event in events if event.object_uid in uids),
        claims=claims,
        lead_log=await _log(context, minicluster, [pod for pod in pods if pod.index == 0]),
        worker_log=await _log(context, minicluster, [pod for pod in pods if pod.index != 0])
        if minicluster.size > 1
        else (),
        operator_log=operator_log,
    )
    return await _with_broker(context, evidence, owned)


async def _allowed(ask: Callable[[], Awaitable[T]]) -> T | None:
    try:
        return await ask()
    except Forbidden:
        return None


async def _with_broker(context: OperationContext, evidence: Evidence, owned: Owned) -> Evidence:
    if not any(pod.index == 0 and pod.phase == "Running" for pod in owned.pods):
        return evidence
    try:
        client = await MiniClusterClient.open(context, evidence.minicluster.ref)
    except FluxstateError:
        return evidence
    try:
        queues, nodes = await client.queues(), await client.nodes()
        state, session = client.broker_state, client.session()
        seen = replace(evidence, broker_state=state, queues=queues, nodes=nodes)
        return replace(seen, broker=await look_inside(session)) if session is not None else seen
    except FluxstateError:
        return evidence
    finally:
        await client.close()


def _claim_names(minicluster: MiniCluster) -> set[str]:
    containers = as_maps(as_map(minicluster.raw.get("spec")).get("containers"))
    fields = ("volumes", "existingVolumes")
    volumes = [
        as_map(v) for c in containers for field in fields for v in as_map(c.get(field)).values()
    ]
    return {str(volume["claimName"]) for volume in volumes if volume.get("claimName")}


async def _claims(context: OperationContext, minicluster: MiniCluster) -> tuple[Claim, ...] | None:
    """Those that its spec names and that are there."""
    names, namespace = _claim_names(minicluster), minicluster.ref.namespace
    if not names:
        return ()
    items = await _allowed(lambda: context.cluster.list(PVCS, namespace))
    if items is None:
        return None
    return tuple(_claim(item) for item in items if item["metadata"]["name"] in names)


def _claim(raw: dict[str, Any]) -> Claim:
    metadata, wanted = raw["metadata"], as_map(raw.get("spec")).get("storageClassName")
    phase = str(as_map(raw.get("status")).get("phase") or "Pending")
    return Claim(metadata["uid"], metadata["name"], phase, wanted)


async def _log(
    context: OperationContext, minicluster: MiniCluster, pods: list[Pod]
) -> tuple[str, ...] | None:
    """Of the first of these pods that lets its log be read, the newest lines; None if none does."""
    ref = minicluster.ref
    for pod in pods:
        try:
            of = LogOf(ref.namespace, pod.name, ref.name)
            return tuple(line.text for line in await read_log(context.cluster, of, tail=_TAIL))
        except KubeError:
            continue  # gone meanwhile, or not started: another one may tell
    return None


async def operator_pods(context: OperationContext) -> list[dict[str, Any]] | None:
    """The Flux Operator's pods, None if they may not be listed in all namespaces."""
    items = await _allowed(lambda: context.cluster.list(PODS, None, label_selector=OPERATOR_LABEL))
    if items is None:
        return None
    return [item for item in items if "operator" in item["metadata"]["namespace"]]


async def operator_lines(
    context: OperationContext, pods: list[dict[str, Any]] | None
) -> tuple[str, ...] | None:
    """What the operator refused lately. None if its log may not be read."""
    for item in pods or ():
        metadata = item["metadata"]
        of = LogOf(metadata["namespace"], metadata["name"], "manager")
        try:
            lines = [line.text for line in await read_log(context.cluster, of, tail=_TAIL)]
        except KubeError:
            continue
        return tuple(line for line in lines if any(mark in line for mark in _OPERATOR_LINES))
    return None
