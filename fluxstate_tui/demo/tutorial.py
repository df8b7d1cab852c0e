"""The tutorial, played headless on a simulated cluster: one line per step, with its read-back.

It does what the tutorials do by hand (create, submit 5 x (`sleep i`, `whoami`), pause, wait, dump,
delete, restore with one node more, look), but with the operations that the keys and commands use.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxstate_tui import termination
from fluxstate_tui.clock import SystemClock
from fluxstate_tui.demo.cluster import simulated_cluster
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import OperationKind, OutcomeKind, Plan, StepEvent, StepState

if TYPE_CHECKING:
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.operations.base import Choices


START_SECONDS = 120.0
ROUNDS = 5
# Enough for some jobs to be done, and some to wait, when the queue is paused.
BEFORE_THE_PAUSE = 3

MINICLUSTER: dict[str, Any] = {
    "apiVersion": "flux-framework.org/v1alpha2",
    "kind": "MiniCluster",
    "metadata": {"name": "flux-sample", "namespace": "default"},
    "spec": {
        "size": 2,
        "interactive": True,
        "archive": {"path": "/state/archive.tar.gz"},
        "containers": [
            {
                "image": "rockylinux:9",
                "volumes": {"data": {"hostPath": "/data", "path": "/state"}},
            }
        ],
    },
}


def play(speed: float) -> int:
    """Play it at `speed` seconds in one; returns 0 only if every job is accounted for."""
    began = time.monotonic()
    with simulated_cluster("empty", speed) as kubeconfig:
        code = termination.run(_play(kubeconfig, speed))
    _say("", f"took {time.monotonic() - began:.1f} s, simulated time ran {speed:g} x as fast")
    return code


async def _play(kubeconfig: Path, speed: float) -> int:
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.kube.client import Cluster
    from fluxstate_tui.kube.kubeconfig import KubeOptions
    from fluxstate_tui.operations.base import Choices

    with tempfile.TemporaryDirectory(prefix="fluxstate-tutorial-") as state_dir:
        clock = SystemClock()
        options = KubeOptions(kubeconfig=str(kubeconfig))
        async with await Cluster.open(options, clock) as cluster:
            context = OperationContext(cluster, clock, Path(state_dir), "tutorial")
            ref = await _create(context)
            await _submit(context, ref)
            for kind, choices in (
                (OperationKind.PAUSE, Choices()),
                (OperationKind.SAVE, Choices(keep_paused=True)),
                (OperationKind.DELETE, Choices()),
                (OperationKind.RESTORE, Choices(size=MINICLUSTER["spec"]["size"] + 1)),
            ):
                code = await _operate(context, kind, ref, choices)
                if code:
                    return code
    return int(ExitCode.OK)


async def _create(context: OperationContext) -> ClusterRef:
    from fluxstate_tui.operations.restore.steps import bring_up

    resource = await context.cluster.minicluster_resource()
    made = await context.cluster.create(resource, MINICLUSTER, "default")
    ref = ClusterRef("default", "flux-sample", made["metadata"]["uid"])
    world = await bring_up(context, ref, START_SECONDS, lambda _: None)
    await world.close()
    _say("create", f"{ref.name}: {MINICLUSTER['spec']['size']} nodes, broker state run")
    return ref


async def _submit(context: OperationContext, ref: ClusterRef) -> None:
    """Submit the tutorial's jobs and let some of them end."""
    from fluxstate_tui.broker.client import MiniClusterClient
    from fluxstate_tui.broker.submit import tutorial_loop

    world = await MiniClusterClient.open(context, ref)
    try:
        for options in tutorial_loop(ROUNDS):
            ids = await world.submit(options)
            _say("submit", f"{' '.join(map(f58, ids))}  {' '.join(options.command)}")
        while True:
            jobs = await world.jobs()
            done = sum(job.t_inactive is not None for job in jobs)
            if done >= BEFORE_THE_PAUSE:
                break
            await context.clock.sleep(0.05)
        _say("jobs", f"{len(jobs)} known to the broker, {done} of them done")
    finally:
        await world.close()


async def _operate(
    context: OperationContext, kind: OperationKind, ref: ClusterRef, choices: Choices
) -> int:
    from dataclasses import replace

    from fluxstate_tui.operations.registry import prepare

    operation = await prepare(kind, context, ref, replace(choices, start_helper_pod=True))
    titles = _titles(operation.plan)

    def progress(event: StepEvent) -> None:
        if event.state is not StepState.RUNNING:
            _say(
                kind,
                f"{titles.get(event.step, event.step)}: {event.line or event.state.value}",
            )

    outcome = await operation.run(progress, typed=operation.plan.consent.word)
    _say(kind, f"{outcome.kind.value}: {outcome.reason}")
    if outcome.kind is OutcomeKind.COMPLETED:
        return int(ExitCode.OK)
    for line in filter(None, (outcome.safe, outcome.advice)):
        _say(kind, line)
    return outcome.exit_code or int(ExitCode.FAILURE)


def _titles(plan: Plan) -> dict[str, str]:
    return {step.id: step.title for step in plan.steps}


def _say(what: str, text: str) -> None:
    print(f"{what:>8}  {text}", flush=True)  # noqa: T201 - it is the demo's output
