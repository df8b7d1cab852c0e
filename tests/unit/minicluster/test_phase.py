"""The state of a MiniCluster is derived from what is there, never from its conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from fluxstate_tui.flux.queue import Node, Queue
from fluxstate_tui.minicluster.minicluster import Derived, MiniCluster, Phase
from fluxstate_tui.minicluster.objects import ContainerState, Pod
from fluxstate_tui.minicluster.phase import BrokerAccess, derive
from tests.unit.minicluster.making import NOW, about, job, minicluster, pod, recorded_phase, waiting

RUNNING = (pod(0), pod(1))
STARTED = Queue("", enabled=True, started=True)
STOPPED = Queue("", enabled=True, started=False, stop_reason="saving")
UP = [Node(0, "flux-sample-0", 4), Node(1, "flux-sample-1", 4)]


def phase(
    pods: Sequence[Pod] = RUNNING,
    broker: str | None = None,
    queues: Sequence[Queue] = (),
    of: MiniCluster | None = None,
    its_job: Any = ...,
    **more: Any,
) -> Derived:
    its_job = job() if its_job is ... else its_job
    return derive(of or minicluster(), its_job, pods, broker, queues, NOW, **more)


@pytest.mark.parametrize(
    ("name", "expected", "reason"),
    [
        ("v-badimage", Phase.INIT, "2 of 2 pods cannot pull the image registry.local/nope:1"),
        ("v-badview", Phase.INIT, "cannot pull the image registry.local/noview:1"),
        ("v-toobig", Phase.SCHEDULING, "1 Insufficient cpu"),
        ("v-nopvc", Phase.SCHEDULING, 'persistentvolumeclaim "nosuch" not found'),
        ("v-completes", Phase.FINISHED, "complete"),
        ("v-fails", Phase.FINISHED, "Whether Flux went well does not show"),
        ("v-deadline", Phase.FAILED, "DeadlineExceeded"),
        ("v-size0", Phase.INVALID, "size is 0"),
        ("v-overmax", Phase.INVALID, "larger than maxSize"),
        ("v-xxx", Phase.INVALID, "72 characters"),
    ],
)
def test_what_a_real_cluster_showed_is_told(name: str, expected: Phase, reason: str) -> None:
    """In all of them JobMiniClusterReady is True, or there is no status at all."""
    derived = recorded_phase(name)
    assert (derived.phase, reason in derived.reason) == (expected, True), derived.reason
    assert derived.reason.endswith(".")


def test_a_broker_in_run_is_up() -> None:
    derived = phase(broker="run", queues=[STARTED])
    assert (derived.phase, derived.reason) == (Phase.UP, "All 2 brokers run.")
    assert "broker: run" in derived.evidence


def test_running_pods_are_not_yet_flux() -> None:
    assert phase().phase is Phase.STARTING
    for state in ("none", "join", "init"):
        assert phase(broker=state).phase is Phase.STARTING


def test_a_broker_that_may_not_be_asked_is_not_said_to_start() -> None:
    derived = phase(access=BrokerAccess.NO_RIGHT)
    assert derived.phase is Phase.UNKNOWN
    assert derived.reason == "2 of 2 pods run; the broker cannot be asked: no right to exec."
    assert "broker: cannot be asked" in derived.evidence


def test_who_may_not_list_jobs_does_not_claim_that_there_is_none() -> None:
    derived = phase([], its_job=None, job_known=False)
    assert derived.phase is Phase.UNKNOWN
    assert "no right to list jobs" in derived.reason
    assert phase(its_job=None, job_known=False, broker="run").phase is Phase.UP


def test_a_broker_that_cannot_be_reached_through_a_proxy_is_not_said_to_start() -> None:
    derived = phase(access=BrokerAccess.REFUSED_ON_THE_WAY)
    assert derived.phase is Phase.UNKNOWN
    assert "the broker cannot be asked: refused on the way." in derived.reason


def test_what_the_pods_say_is_known_without_the_right_to_ask_the_broker() -> None:
    late = pod(0, phase="Pending", node="", containers=(), unschedulable="0/1 nodes: no cpu.")
    assert phase([late, pod(1)], access=BrokerAccess.NO_RIGHT).phase is Phase.SCHEDULING
    derived = phase([pod(0), pod(1, phase="Pending", containers=())], access=BrokerAccess.NO_RIGHT)
    assert derived.reason.startswith("1 of 2 pods run; the broker")


def test_quorum_counts_the_brokers_and_names_who_is_missing() -> None:
    late = pod(1, phase="Pending", node="", containers=(), unschedulable="0/1 nodes: no cpu.")
    derived = phase([pod(0), late], "quorum")
    assert derived.phase is Phase.QUORUM
    assert "1 of 2 brokers are there" in derived.reason
    assert "0/1 nodes: no cpu" in derived.reason
    nodes = [UP[0], Node(1, "flux-sample-1", 4, up=False)]
    assert "waits for flux-sample-1" in phase(broker="quorum", nodes=nodes).reason


def test_a_stopped_queue_is_a_paused_cluster() -> None:
    derived = phase(broker="run", queues=[STOPPED])
    assert derived.phase is Phase.PAUSED
    assert "saving" in derived.reason


def test_one_stopped_queue_of_two_is_no_pause() -> None:
    named = [Queue("batch", True, True), Queue("debug", True, False)]
    derived = phase(broker="run", queues=named)
    assert derived.phase is Phase.UP
    assert "debug is stopped" in derived.reason


def test_a_node_that_is_down_or_drained_degrades_it() -> None:
    down = [UP[0], Node(1, "flux-sample-1", 4, up=False)]
    derived = phase(broker="run", queues=[STARTED], nodes=down)
    assert (derived.phase, derived.reason) == (
        Phase.DEGRADED,
        "It runs, but flux-sample-1 is down.",
    )
    drained = [UP[0], Node(1, "flux-sample-1", 4, drained=True, reason="bad disk")]
    assert "drained (bad disk)" in phase(broker="run", nodes=drained).reason
    paused = phase(broker="run", queues=[STOPPED], nodes=down)
    assert paused.phase is Phase.PAUSED
    assert "flux-sample-1 is down" in paused.reason


def test_ranks_without_pods_by_maxsize_are_no_fault() -> None:
    """With maxSize 4 and size 2, Flux knows of 4 ranks."""
    spare = [*UP, Node(2, "flux-sample-2", 4, up=False), Node(3, "flux-sample-3", 4, up=False)]
    assert phase(broker="run", queues=[STARTED], nodes=spare).phase is Phase.UP


def test_a_worker_that_is_gone_degrades_it() -> None:
    derived = phase([pod(0)], "run", [STARTED])
    assert derived.phase is Phase.DEGRADED
    assert "rank 1 does not run" in derived.reason


def test_a_broker_that_shuts_down_is_not_up() -> None:
    assert phase(broker="cleanup").phase is Phase.DEGRADED


def test_a_lead_that_ended_while_workers_wait_is_dead() -> None:
    """Exit code 0 and `JobMiniClusterReady: True`: nothing in Kubernetes says that it failed."""
    ended = ContainerState("flux-sample", "terminated", reason="Completed", exit_code=0)
    lead = pod(0, phase="Succeeded", containers=(ended,))
    derived = phase([lead, pod(1)], "run")
    assert derived.phase is Phase.DEAD
    assert "1 worker still wait" in derived.reason


def test_when_all_pods_have_ended_it_is_finished() -> None:
    ended = [pod(0, phase="Succeeded"), pod(1, phase="Succeeded")]
    assert phase(ended).phase is Phase.FINISHED


def test_a_failed_lead_is_dead_and_says_how() -> None:
    killed = ContainerState("flux-sample", "terminated", reason="OOMKilled", exit_code=137)
    lead = pod(0, phase="Failed", containers=(killed,))
    derived = phase([lead, pod(1)])
    assert derived.phase is Phase.DEAD
    assert "OOMKilled with exit code 137" in derived.reason


def test_the_newest_pod_of_an_index_counts() -> None:
    old = pod(0, uid="old", name="flux-sample-0-zzzzz", phase="Failed", created=NOW - 100)
    assert phase([old, *RUNNING], "run", [STARTED]).phase is Phase.UP


def test_a_pod_that_goes_away_counts_only_without_an_heir() -> None:
    going = pod(0, uid="going", name="zzz", created=NOW - 5, deleting_since=NOW - 3)
    assert phase([going, *RUNNING], "run", [STARTED]).phase is Phase.UP
    derived = phase([going, pod(1)], None, [STARTED])
    assert derived.phase is Phase.STARTING
    assert "being replaced" in derived.reason


def test_helper_pods_do_not_count() -> None:
    helper = pod(None, uid="helper", phase="Failed")
    assert phase([*RUNNING, helper], "run", [STARTED]).phase is Phase.UP


def test_a_deleted_cluster_waits_for_its_lingering_pods() -> None:
    gone = minicluster()
    for since, words in ((5.0, "usually for about 32 s"), (300.0, "did not go")):
        deleted = replace(gone, deleting_since=NOW - since)
        derived = phase(of=deleted)
        assert derived.phase is Phase.DELETING
        assert words in derived.reason
        assert len(derived.evidence) == 2
        assert "no pods are left" in phase([], of=deleted).reason


def test_a_fresh_one_is_given_time_before_it_is_called_invalid() -> None:
    assert phase([], its_job=None, of=minicluster(age=1)).phase is Phase.SCHEDULING
    derived = phase([], its_job=None, of=minicluster(age=60))
    assert derived.phase is Phase.INVALID
    assert "has made no Job" in derived.reason


def test_a_volume_with_only_a_path_is_why_there_is_no_job() -> None:
    """The manifest that the v1alpha2 tutorial prints."""
    containers = [{"image": "rockylinux:9", "volumes": {"data": {"path": "/state"}}}]
    derived = phase([], its_job=None, of=minicluster(containers=containers))
    assert derived.phase is Phase.REJECTED
    assert "Add claimName" in derived.reason


def test_a_job_that_cannot_make_pods_is_blocked() -> None:
    event = about("job", "FailedCreate", 'pods "x" is forbidden: exceeded quota.')
    derived = phase([], events=[event])
    assert derived.phase is Phase.BLOCKED
    assert "exceeded quota" in derived.reason
    assert phase([]).phase is Phase.BLOCKED
    assert phase([], of=minicluster(age=2)).phase is Phase.SCHEDULING


def test_without_the_right_to_see_jobs_the_pods_still_tell() -> None:
    assert phase(its_job=None, broker="run", queues=[STARTED]).phase is Phase.UP


def test_a_volume_that_cannot_be_mounted_is_told_from_its_event() -> None:
    stuck = [pod(i, phase="Pending", containers=(waiting("ContainerCreating"),)) for i in range(2)]
    event = about(stuck[0].uid, "FailedMount", "hostPath type check failed: /data is not a dir")
    derived = phase(stuck, events=[event])
    assert derived.phase is Phase.INIT
    assert "hostPath type check failed" in derived.reason


def test_copying_the_view_is_said_as_such() -> None:
    init = (ContainerState("flux-view", "running"),)
    pods = [pod(0, phase="Pending", init=init, containers=(waiting("PodInitializing"),))]
    derived = phase(pods)
    assert derived.phase is Phase.INIT
    assert "flux-view" in derived.reason


def test_a_lead_that_keeps_crashing_is_not_up() -> None:
    crashing = pod(0, containers=(waiting("CrashLoopBackOff"),))
    derived = phase([crashing, pod(1)], "run")
    assert derived.phase is Phase.STARTING
    assert "keeps crashing" in derived.reason


def test_a_missing_shell_in_the_image_is_named() -> None:
    why = 'exec: "/bin/bash": stat /bin/bash: no such file or directory'
    broken = pod(0, containers=(waiting("RunContainerError", why),))
    assert "/bin/bash" in phase([broken, pod(1)]).reason


CRASHING = waiting("CrashLoopBackOff", name="registry")


def sidecar_crashes(index: int) -> Pod:
    return pod(index, containers=(*pod(index).containers, CRASHING))


def test_a_broker_that_answers_runs_whatever_a_sidecar_does() -> None:
    pods = [sidecar_crashes(0), sidecar_crashes(1)]
    found = phase(pods, "run", [STARTED])
    assert found.phase is Phase.UP
    assert "keeps crashing in container registry" in found.reason
    stopped = phase(pods, "run", [STOPPED])
    assert stopped.phase is Phase.PAUSED
    assert "keeps crashing in container registry" in stopped.reason


def test_a_sidecar_that_crashes_before_the_broker_answers_is_what_it_waits_for() -> None:
    found = phase([sidecar_crashes(0), pod(1)], None)
    assert found.phase is Phase.STARTING
    assert "registry" in found.reason


def test_two_instances_of_one_broker_each_are_not_called_two_brokers() -> None:
    alone = UP[:1]
    found = phase([pod(0), pod(1)], "run", [STARTED], nodes=alone)
    assert found.phase is Phase.DEGRADED
    assert "Flux has 1 of 2 brokers" in found.reason


def test_a_lead_that_is_going_is_said_while_it_can_still_be_saved() -> None:
    going = pod(0, deleting_since=NOW - 4)
    found = phase([going, pod(1)], "run", [STARTED])
    assert found.phase is Phase.DEGRADED
    assert "being deleted (for 4 s)" in found.reason
    assert "save it now" in found.reason
    silent = phase([going, pod(1)], None)
    assert silent.phase is Phase.STARTING
