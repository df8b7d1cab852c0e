"""Pictures to diagnose, of recorded pods, events and claims."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from fluxstate_tui.diagnosis.diagnose import diagnose
from fluxstate_tui.diagnosis.evidence import Evidence
from fluxstate_tui.diagnosis.finding import Finding
from fluxstate_tui.kube.objects import parse_pod
from fluxstate_tui.minicluster.objects import KubeEvent, Pod
from tests.unit.minicluster.making import NOW, job, minicluster, pod

RECORDED = Path(__file__).parents[2] / "data" / "diagnosis"


@cache
def recorded(kind: str) -> dict[str, Any]:
    """Pods, events or claims by scenario, as a real cluster showed them."""
    found: dict[str, Any] = json.loads((RECORDED / f"{kind}.json").read_text())
    return found


def recorded_pod(scenario: str) -> Pod:
    """The most telling version of one pod."""
    return parse_pod(recorded("pods")[scenario])


def recorded_events(scenario: str, uid: str) -> tuple[KubeEvent, ...]:
    """Its events, about that object."""
    return tuple(event(e["reason"], e["message"], uid) for e in recorded("events")[scenario])


def event(reason: str, message: str, uid: str = "job") -> KubeEvent:
    """A warning."""
    return KubeEvent(message, "ns", "Pod", "x", uid, "Warning", reason, message, 1, NOW)


def healthy(**fields: Any) -> Evidence:
    """A MiniCluster of two pods with which nothing is wrong, with these fields changed."""
    base = Evidence(
        minicluster(age=3600.0), NOW, job(), (pod(0), pod(1)), events=(), broker_state="run"
    )
    return replace(base, **fields)


def of_pod(scenario: str, **fields: Any) -> Evidence:
    """A picture with one recorded pod."""
    one = recorded_pod(scenario)
    events = recorded_events(scenario, one.uid) if scenario in recorded("events") else ()
    cluster = replace(minicluster(), created=one.created - 1)
    picture = healthy(minicluster=cluster, pods=(one, pod(1)), events=events, broker_state=None)
    return replace(picture, now=one.created + 300, **fields)


def findings(evidence: Evidence) -> dict[str, Finding]:
    """By slug."""
    return {finding.slug: finding for finding in diagnose(evidence).findings}
