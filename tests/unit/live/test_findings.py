"""What is wrong across MiniClusters follows what changed, and nothing else."""

from __future__ import annotations

import pytest

from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.live import events as e
from fluxstate_tui.live.findings import AGAIN_AFTER, AllFindings
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.store import Store
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.minicluster.phase import derive
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.feed import NOW

SAMPLE = feed.ref("flux-sample")
DISABLED = Queue("", False, True, disable_reason="maintenance")


@pytest.fixture
def store() -> Store:
    """The made-up world."""
    store = Store(derive)
    for event in feed.world():
        store.take(event)
    store.take_changes()
    return store


def whole(store: Store) -> AllFindings:
    """Everything looked at."""
    findings = AllFindings(store)
    findings.refresh(NOW, 60)
    assert findings.due == 0
    return findings


def slugs(findings: AllFindings, ref: ClusterRef) -> set[str]:
    """What was found there."""
    return {found.finding.slug for found in findings.rows.values() if found.ref == ref}


def test_a_finding_comes_with_its_evidence_and_goes_with_it(store: Store) -> None:
    findings = whole(store)
    assert slugs(findings, SAMPLE) == set()
    wrong = findings.wrong
    store.take(e.QueuesSeen(SAMPLE, (DISABLED,), feed.nodes("flux-sample"), NOW + 1))
    changed = findings.refresh(NOW + 1)
    assert slugs(findings, SAMPLE) == {"queue-closed"}
    assert changed == {key for key, found in findings.rows.items() if found.ref == SAMPLE}
    assert findings.wrong == wrong + 1
    store.take(e.QueuesSeen(SAMPLE, (Queue("", True, True),), feed.nodes("flux-sample"), NOW + 2))
    assert findings.refresh(NOW + 2) == changed
    assert slugs(findings, SAMPLE) == set()


def test_only_what_changed_is_looked_at_again(store: Store) -> None:
    findings = whole(store)
    store.take(e.JobsChanged(SAMPLE, feed.jobs(1, 0, 0), NOW))
    store.take(e.BrokerSeen(SAMPLE, "run", "0.88.0", 0.0, 1.0, NOW + 3))
    store.take(e.ServerClockSeen(0.1, 1.0, NOW))
    store.tick(NOW + 4)
    assert findings.due == 0
    store.take(e.BrokerSeen(SAMPLE, "cleanup", "0.88.0", 0.0, 1.0, NOW + 5))
    assert store.undiagnosed == {SAMPLE.uid}


def test_what_waits_for_a_time_is_looked_at_again_after_a_while(store: Store) -> None:
    late = feed.minicluster("late", age=1)
    store.take(e.MiniClusterChanged(late, NOW))
    findings = whole(store)
    assert "no-job" not in slugs(findings, late.ref)
    before = slugs(findings, late.ref)
    store.tick(NOW + 300)
    findings.refresh(NOW + AGAIN_AFTER + 1, 60)
    assert slugs(findings, late.ref) > before


def test_a_deleted_minicluster_has_no_findings(store: Store) -> None:
    findings = whole(store)
    bad = feed.ref("wide-run")
    assert slugs(findings, bad)
    store.take(e.MiniClusterGone(bad.uid, NOW))
    findings.refresh(NOW)
    assert slugs(findings, bad) == set()


def test_looking_stops_when_its_time_is_over(store: Store) -> None:
    findings = AllFindings(store)
    findings.refresh(NOW, 0)
    assert findings.looked_at == 1
    assert findings.due == len(store.clusters) - 1


def test_silenced_ones_are_counted(store: Store) -> None:
    store.silenced = ("unschedulable",)
    findings = whole(store)
    assert findings.silenced == 1
    assert "unschedulable" not in slugs(findings, feed.ref("wide-run"))


def test_rules_without_a_right_are_blind_and_counted(store: Store) -> None:
    findings = whole(store)
    sighted = {blind.slug for blind in findings.blind()}
    store.take(e.SourceChanged("events", Freshness.FORBIDDEN, "no right", NOW))
    findings.refresh(NOW, 60)
    more = {blind.slug: count for blind, count in findings.blind().items()}
    assert "mount-failed" not in sighted
    assert more["mount-failed"] == len(store.clusters)
