"""What `get` prints: each kind read from the cluster once, nothing cached."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.find import find_minicluster
from fluxstate_tui.broker.objects import read_all_objects, read_objects
from fluxstate_tui.catalog.access import CatalogView, Reach, view_catalog
from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.cli.catalog_tables import entry_json, listing
from fluxstate_tui.cli.helper_pod import helper_pod_agreed, require_helper_pod
from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.tables import age, table
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.job_json import job_to_json
from fluxstate_tui.flux.jobid import f58, f58_ascii
from fluxstate_tui.flux.running_jobs import duration
from fluxstate_tui.flux.stuck import StuckQueue
from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.minicluster.minicluster import MiniCluster
from fluxstate_tui.minicluster.objects import Pod
from fluxstate_tui.operations.snapshot import MiniClusterStatus, read_status
from fluxstate_tui.tasks import together

_AT_ONCE = 8


async def get(args: argparse.Namespace, what: str) -> int:
    """Print one kind. Raises FluxstateError."""
    async with open_context(kube_options(args)) as context:
        if what == "miniclusters":
            text = await _miniclusters(context, args)
        elif what == "archives":
            text = await _archives(context, args)
        elif what == "pods" and not args.name and context.cluster.scope is None:
            text = await _pods(context, None, args)
        else:
            found = await find_minicluster(context.cluster, args.name)
            text = await (_pods if what == "pods" else _jobs)(context, found, args)
    if text:
        print(text)
    return ExitCode.OK


async def _miniclusters(context: OperationContext, args: argparse.Namespace) -> str:
    if args.name:
        found = [await find_minicluster(context.cluster, args.name)]
    else:
        found = await _list_miniclusters(context)
    limit = asyncio.Semaphore(_AT_ONCE)
    whole = {} if args.name else await read_all_objects(context, found)

    async def one(minicluster: MiniCluster) -> MiniClusterStatus:
        async with limit:
            owned = whole.get(minicluster.ref.uid)
            return await read_status(context, minicluster, owned, queue=args.queues)

    surveys = await together(*(one(minicluster) for minicluster in found))
    if args.output == "json":
        return json.dumps({"miniclusters": [_survey_json(item) for item in surveys]}, indent=2)
    now = context.server_now
    header = (
        "NAMESPACE",
        "NAME",
        "PHASE",
        "PODS",
        "QUEUE",
        "RUNNING",
        "PENDING",
        "INACTIVE",
        "AGE",
        "WHY",
    )
    scope = context.cluster.scope
    where = "any namespace" if scope is None else f"namespace '{scope}'"
    rows = [_survey_row(item, now) for item in surveys]
    return _table(header, rows, f"No MiniClusters in {where}.")


async def _list_miniclusters(context: OperationContext) -> list[MiniCluster]:
    resource = await context.cluster.minicluster_resource()
    items = await context.cluster.list(resource, context.cluster.scope)
    return [parse_minicluster(item) for item in items]


def _survey_row(found: MiniClusterStatus, now: float) -> tuple[object, ...]:
    ref = found.minicluster.ref
    return (
        ref.namespace,
        ref.name,
        found.derived.phase.value,
        f"{found.pods_running}/{found.minicluster.size}",
        found.queue_word,
        *(
            "-" if found.counts is None else found.counts[key]
            for key in ("running", "pending", "inactive")
        ),
        age(now - found.minicluster.created),
        found.why,
    )


def _survey_json(found: MiniClusterStatus) -> dict[str, Any]:
    minicluster = found.minicluster
    return {
        "namespace": minicluster.ref.namespace,
        "name": minicluster.ref.name,
        "uid": minicluster.ref.uid,
        "size": minicluster.size,
        "created": minicluster.created,
        "archivePath": minicluster.archive_path,
        "phase": found.derived.phase.value,
        "reason": found.derived.reason,
        "evidence": list(found.derived.evidence),
        "podsRunning": found.pods_running,
        "queues": None if found.queues is None else [asdict(queue) for queue in found.queues],
        "jobs": found.counts,
        "stuck": _stuck_json(found.stuck),
        "unreachable": found.unreachable,
    }


def _stuck_json(stuck: StuckQueue | None) -> dict[str, Any] | None:
    if stuck is None:
        return None
    return {
        "id": stuck.job.id,
        "jobid": f58(stuck.job.id),
        "name": stuck.job.name,
        "nodes": stuck.nodes,
        "up": stuck.up,
        "behind": stuck.behind,
    }


async def _pods(
    context: OperationContext, minicluster: MiniCluster | None, args: argparse.Namespace
) -> str:
    """Those of one MiniCluster, or of all with their namespaces and MiniClusters."""
    pods: list[tuple[str, Pod]] = []
    if minicluster is not None:
        owned = await read_objects(context, minicluster)
        pods = [(minicluster.ref.name, pod) for pod in owned.pods]
    else:
        every = await _list_miniclusters(context)
        whole = await read_all_objects(context, every)
        pods = [(one.ref.name, pod) for one in every for pod in whole[one.ref.uid].pods]
    pods.sort(key=lambda one: (one[1].namespace, one[0], *_place(one[1])))
    if args.output == "json":
        return json.dumps({"pods": [pod_json(pod) for _, pod in pods]}, indent=2)
    now = context.server_now
    rows = [
        (
            *(() if minicluster is not None else (pod.namespace, name)),
            pod.name,
            "-" if pod.index is None else pod.index,
            pod_word(pod),
            pod.restarts,
            pod.node or "-",
            age(now - pod.created),
        )
        for name, pod in pods
    ]
    where = () if minicluster is not None else ("NAMESPACE", "MINICLUSTER")
    header = (*where, "NAME", "INDEX", "STATUS", "RESTARTS", "NODE", "AGE")
    nothing = "in any namespace" if minicluster is None else f"of {minicluster.ref}"
    return _table(header, rows, f"No pods {nothing}.")


def _place(pod: Pod) -> tuple[bool, int, float]:
    return pod.index is None, pod.index or 0, pod.created


def pod_json(pod: Pod) -> dict[str, Any]:
    """A pod as --json shows it."""
    return {key: value for key, value in asdict(pod).items() if key != "raw"}


def pod_word(pod: Pod) -> str:
    """What kubectl shows as STATUS: the most telling word."""
    if pod.deleting_since is not None:
        return "Terminating"
    for number, container in enumerate(pod.init):
        if container.state == "waiting" and container.reason not in ("", "PodInitializing"):
            return f"Init:{container.reason}"
        if not (container.state == "terminated" and container.exit_code == 0):
            return f"Init:{number}/{len(pod.init)}"
    reasons = [item.reason for item in pod.containers if item.state != "running" and item.reason]
    if reasons:
        return reasons[0]
    return "Unschedulable" if pod.unschedulable else pod.phase


async def _jobs(
    context: OperationContext, minicluster: MiniCluster, args: argparse.Namespace
) -> str:
    client = await MiniClusterClient.open(context, minicluster.ref)
    try:
        now = await client.cluster_now()
        jobs = await client.jobs()
    finally:
        await client.close()
    wanted = [
        job for job in jobs if args.all or args.output == "json" or job.state != JobState.INACTIVE
    ]
    if args.output == "json":
        return json.dumps({"jobs": [job_to_json(job, now) for job in wanted]}, indent=2)
    header = ("JOBID", "NAME", "STATE", "URGENCY", "NTASKS", "NNODES", "TIME", "NODELIST")
    nothing = "No jobs." if args.all else "No active jobs; -a shows all."
    return _table(header, [_job_row(job, now) for job in wanted], nothing)


def _job_row(job: Job, now: float) -> tuple[object, ...]:
    runtime = job.runtime(now)
    return (
        f58_ascii(job.id),
        job.name,
        job.status,
        job.urgency,
        "-" if job.ntasks is None else job.ntasks,
        "-" if job.nnodes is None else job.nnodes,
        "-" if runtime is None else duration(runtime),
        job.nodelist or "-",
    )


async def _archives(context: OperationContext, args: argparse.Namespace) -> str:
    try:
        minicluster: MiniCluster | None = await find_minicluster(context.cluster, args.name)
    except FluxstateError as error:
        if error.exit_code is not ExitCode.NOT_FOUND or not args.name:
            raise
        minicluster = None
    try:
        reach = Reach(helper_pod_agreed(args))
        view = await view_catalog(context, minicluster, args.name, reach)
    except HelperPodNeededError as needed:
        require_helper_pod(needed)
        view = await view_catalog(context, minicluster, args.name, Reach(start_helper_pod=True))
    if args.output == "json":
        return json.dumps(_archives_json(view), indent=2)
    now = context.server_now
    if view.armed:
        print(f"ARMED: an archive lies at {view.archive_path}", file=sys.stderr)
    if not view.entries:
        print(f"No archives beside {view.archive_path}.", file=sys.stderr)
        return ""
    return listing(view.entries, now, view.facts)


def _table(header: Sequence[str], rows: Sequence[Sequence[object]], nothing: str) -> str:
    """The table; with no rows it is empty, and stderr says so, as kubectl does."""
    if rows:
        return table(header, rows)
    print(nothing, file=sys.stderr)
    return ""


def _archives_json(view: CatalogView) -> dict[str, Any]:
    entries = [entry_json(entry, view.facts.get(entry.path)) for entry in view.entries]
    return {"archivePath": view.archive_path, "armed": view.armed, "archives": entries}
