"""Each rule on what a real cluster recorded, or on what is made to look like it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fluxstate_tui.diagnosis.evidence import BrokerView, Claim, Evidence
from fluxstate_tui.flux.queue import Node, Queue
from tests.unit.diagnosis.making import event, findings, healthy, of_pod, recorded, recorded_events
from tests.unit.minicluster.making import NOW, job, minicluster, pod, waiting

# Recorded pods: the rule that has to speak, and a word of its cause.
PODS = [
    ("img-404", "image-pull", "cannot be reached|name or tag"),
    ("img-view", "image-pull", "flux-view"),
    ("img-badname", "image-pull", "not one of an image"),
    ("img-never", "image-pull", "may not be pulled"),
    ("reg-notag", "image-pull", "cannot be reached"),
    ("nobash", "no-shell", "/bin/bash"),
    ("wrongview2", "no-shell", "flux-view"),
    ("m-env", "container-not-created", "not found"),
    ("oomlead", "out-of-memory", "exit code 0"),
    ("oompre", "out-of-memory", "was killed"),
    ("oompre", "crash-loop", "again and again"),
    ("crash2", "crash-loop", "again and again"),
    ("crash2", "ended-badly", "exit code"),
    ("u-cpu", "unschedulable", "not enough cpu"),
    ("u-gpu", "unschedulable", "not enough nvidia.com/gpu"),
    ("u-sel", "unschedulable", "affinity/selector"),
    ("u-cordon", "unschedulable", "were unschedulable"),
    ("u-taint", "unschedulable", "untolerated taint"),
    ("u-gate", "scheduling-gated", "gates"),
    ("u-sched", "no-scheduler", "No scheduler"),
    ("pvc-missing", "claim-missing", "is not there"),
    ("m-hostpath", "mount-failed", "hostPath"),
    ("m-cmkey", "mount-failed", "no key"),
    ("m-secret", "mount-failed", "Secret"),
    ("preempt", "disrupted", "preempted"),
]


@pytest.mark.parametrize(("scenario", "slug", "word"), PODS)
def test_a_recorded_pod_is_diagnosed_with_its_cause_and_its_evidence(
    scenario: str, slug: str, word: str
) -> None:
    found = findings(of_pod(scenario))
    assert slug in found
    told = found[slug].told
    assert any(one in told.cause for one in word.split("|"))
    assert told.evidence and all(quote.text for quote in told.evidence)
    assert told.fix.endswith(".")


@pytest.mark.parametrize(
    ("scenario", "status", "word"),
    [
        ("reg-denied", "403", "refuses these credentials"),
        ("reg-private", "401", "wants credentials"),
        ("reg-limit", "429", "limits pulls"),
        ("reg-armonly", "no match for platform", "architecture"),
    ],
)
def test_while_a_pull_backs_off_its_cause_is_taken_from_the_recorded_events(
    scenario: str, status: str, word: str
) -> None:
    one = pod(0, phase="Pending", containers=(waiting("ImagePullBackOff", "Back-off pulling"),))
    answers = [e for e in recorded_events(scenario, one.uid) if status in e.message]
    picture = healthy(pods=(one, pod(1)), events=tuple(answers), broker_state=None)
    told = findings(picture)["image-pull"].told
    assert word in told.cause
    assert told.evidence[0].text == answers[0].message


def test_nothing_is_wrong_with_a_healthy_minicluster() -> None:
    assert findings(healthy(queues=(Queue("", True, True),), nodes=(), claims=())) == {}


def _claims(name: str) -> tuple[Claim, ...]:
    one = recorded("claims")[name]
    return (Claim(one["uid"], name, one["phase"], one["storageClass"]),)


@pytest.mark.parametrize(
    ("name", "slug", "word"),
    [
        ("data", "claim-pending", "names no storage class"),
        ("data-fast", "claim-pending", "is not there"),
        ("data-lost", "claim-lost", "lost its volume"),
    ],
)
def test_a_recorded_claim_is_diagnosed(name: str, slug: str, word: str) -> None:
    claims = _claims(name)
    evidence = healthy(claims=claims, events=recorded_events(name, claims[0].uid))
    assert word in findings(evidence)[slug].told.cause


REFUSALS = [
    ("failed quota: compute: must specify limits.memory for: flux-view,q", "quota"),
    ("exceeded quota: pods, requested: pods=1, used: pods=1, limited: pods=1", "quota"),
    ('violates PodSecurity "restricted:latest": allowPrivilegeEscalation', "pod-security"),
    ("maximum memory usage per Container is 1Gi, but limit is 4Gi", "limit-range"),
    ("error looking up service account rec/x: not found", "service-account"),
    ("Pod Overhead set without corresponding RuntimeClass", "pods-refused"),
]


@pytest.mark.parametrize(("message", "slug"), REFUSALS)
def test_a_refused_pod_is_diagnosed_by_what_refused_it(message: str, slug: str) -> None:
    evidence = healthy(pods=(), events=(event("FailedCreate", message),), broker_state=None)
    refusals = {"quota", "pod-security", "limit-range", "service-account", "pods-refused"}
    assert refusals & findings(evidence).keys() == {slug}


def _new(**fields: Any) -> Evidence:
    return healthy(**{"job": None, "pods": (), "broker_state": None, **fields})


def _deleting(seconds: float) -> Evidence:
    cluster = minicluster(age=3600.0)
    raw = {**cluster.raw, "metadata": {**cluster.raw["metadata"], "finalizers": ["acme/hold"]}}
    return healthy(minicluster=replace(cluster, deleting_since=NOW - seconds, raw=raw))


def _generation(number: int) -> Evidence:
    cluster = minicluster(age=60.0)
    raw = {**cluster.raw, "metadata": {**cluster.raw["metadata"], "generation": number}}
    return healthy(minicluster=replace(cluster, raw=raw))


def _dead(*log: str) -> Evidence:
    lead = pod(0, phase="Succeeded", containers=())
    return healthy(pods=(lead, pod(1)), lead_log=log, broker_state=None)


_LOST_LEAD = (
    "<4>overlay.warning[1]: unable to resolve upstream peer r-0.r.rec.svc.cluster.local: "
    "Name or service not known"
)

MADE = [
    (_new(minicluster=minicluster(3600.0, size=3, maxSize=2)), "spec-refused"),
    (healthy(minicluster=minicluster(3600.0, archive={"path": "rel.tar"})), "spec-surprise"),
    (_new(operator_log=("Your MiniCluster config did not validate!",)), "operator-rejected"),
    (
        _new(operator_log=("Failed to create new MiniCluster Batch Job flux-sample is invalid",)),
        "job-refused",
    ),
    (_new(), "no-job"),
    (_deleting(300.0), "deletion-stuck"),
    (_generation(50), "changed-again-and-again"),
    (healthy(job=job(failure="BackoffLimitExceeded")), "job-failed"),
    (
        healthy(pods=(pod(0, phase="Failed", gone_for="Evicted: low on memory"), pod(1))),
        "evicted",
    ),
    (
        healthy(pods=(pod(0), pod(0, uid="old", created=NOW - 99, deleting_since=NOW), pod(1))),
        "two-pods-of-one-index",
    ),
    (
        healthy(pods=(pod(0, phase="Failed", deleting_since=NOW - 40), pod(1)), broker_state=None),
        "no-lead",
    ),
    (_dead("wait-0.sh: line 188: flux: command not found"), "wrong-view"),
    (_dead("flux: /lib/libc.so.6: version `GLIBC_2.38' not found"), "wrong-view"),
    (_dead("x"), "lead-ended"),
    (healthy(worker_log=(_LOST_LEAD,)), "dns"),
    (_dead("restoring content from /s/a.tar", "rc1-fail: init->shutdown"), "restore-failed"),
    (
        healthy(lead_log=("quorum delayed: waiting for r-1",), broker_state="quorum"),
        "quorum-delayed",
    ),
    (healthy(nodes=(Node(0, "flux-sample-0", 2),)), "instances-of-their-own"),
    (healthy(nodes=(Node(0, "a", 2), Node(1, "b", 2, up=False))), "broker-down"),
    (healthy(nodes=(Node(0, "a", 2), Node(1, "b", 2, drained=True))), "broker-drained"),
    (healthy(broker=BrokerView(torpid=(1,))), "broker-hangs"),
    (healthy(queues=(Queue("debug", False, True),)), "queue-closed"),
    (healthy(queues=(Queue("", True, False),)), "queue-stopped"),
    (healthy(broker=BrokerView(state_used=3 << 30, state_free=1 << 20)), "statedir-filling"),
    (healthy(broker=BrokerView(checkpoint_period=0.0)), "no-checkpoint-period"),
    (healthy(broker=BrokerView(lost_and_found=2)), "lost+found-not-empty"),
    (healthy(broker=BrokerView(greatest_id_seen=9, next_id=5)), "job-ids-may-repeat"),
    (healthy(broker=BrokerView(private=True)), "private-mode"),
    (healthy(lead_log=("kvs: instance may have crashed",)), "crashed-before"),
]


@pytest.mark.parametrize(("evidence", "slug"), MADE, ids=[slug for _, slug in MADE])
def test_a_made_picture_is_diagnosed(evidence: Evidence, slug: str) -> None:
    assert slug in findings(evidence)


def test_the_usual_lines_of_a_start_are_not_taken_for_a_fault_of_dns() -> None:
    log = ("unable to resolve upstream peer r-0: Name or service not known", "online: r-1")
    assert "dns" not in findings(healthy(worker_log=log))


def test_a_view_that_was_never_asked_claims_nothing() -> None:
    assert findings(healthy(broker=BrokerView())) == {}


def test_a_deleted_minicluster_that_just_lingers_is_not_stuck() -> None:
    assert "deletion-stuck" not in findings(_deleting(20.0))


def test_a_restore_that_went_well_is_not_called_failed() -> None:
    log = (
        "<6>broker.info[0]: rc1.0: restoring content from /state/third.tar.gz",
        "<6>broker.info[0]: rc1.0: flux modprobe rc1 Exited (rc=0) 0.5s",
    )
    assert findings(healthy(lead_log=log)) == {}
    assert findings(healthy(lead_log=log, broker_state=None)) == {}
