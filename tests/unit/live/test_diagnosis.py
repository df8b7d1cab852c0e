"""What the living picture finds wrong."""

from __future__ import annotations

import pytest

from fluxstate_tui.diagnosis.evidence import BrokerView
from fluxstate_tui.diagnosis.finding import Diagnosis
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.live import events as e
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.store import Store
from fluxstate_tui.minicluster.objects import ContainerState
from fluxstate_tui.minicluster.phase import derive
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.feed import NOW

_BAD = ContainerState(
    "bad", "waiting", reason="ErrImagePull", message='image "x": failed to resolve: not found'
)


def _store(*more: e.StoreEvent) -> Store:
    store = Store(derive)
    pods = tuple(feed.pod("bad", i, phase="Pending", containers=(_BAD,)) for i in range(4))
    for event in (
        e.MiniClustersListed((feed.minicluster("bad"),), NOW),
        e.KubeJobsListed((feed.kube_job("bad"),), NOW),
        e.PodsListed(pods, NOW),
        *more,
    ):
        store.take(event)
    store.take_changes()
    return store


def test_a_bad_image_is_found_in_the_living_picture() -> None:
    diagnosis = _store().diagnosis_of(feed.ref("bad").uid)
    assert diagnosis is not None
    assert "image-pull" in [finding.slug for finding in diagnosis.findings]


def test_what_is_silenced_is_not_found() -> None:
    store = _store()
    store.silenced = ("FS101",)
    diagnosis = store.diagnosis_of(feed.ref("bad").uid)
    assert diagnosis is not None
    assert "image-pull" not in [finding.slug for finding in diagnosis.findings]


def test_events_that_may_not_be_read_leave_their_rules_blind() -> None:
    store = _store(e.SourceChanged("events", Freshness.FORBIDDEN, "no right", NOW))
    diagnosis = store.diagnosis_of(feed.ref("bad").uid)
    assert diagnosis is not None
    assert "mount-failed" in [blind.slug for blind in diagnosis.blind]


DISABLED = Queue("", False, True, disable_reason="maintenance")
HUNG = BrokerView(torpid=(1,))


def _well(*more: e.StoreEvent) -> Diagnosis:
    store = Store(derive)
    for event in (*feed.running_cluster("well", 2, ()), *more):
        store.take(event)
    store.take_changes()
    diagnosis = store.diagnosis_of(feed.ref("well").uid)
    assert diagnosis is not None
    return diagnosis


def _slugs(diagnosis: Diagnosis) -> tuple[set[str], set[str]]:
    """Of what was found, and of what is blind."""
    return {one.slug for one in diagnosis.findings}, {one.slug for one in diagnosis.blind}


def test_what_a_broker_tells_of_itself_is_looked_at_and_the_rest_stays_blind() -> None:
    found, blind = _slugs(_well(e.BrokerInsideSeen(feed.ref("well"), HUNG, NOW)))
    assert "broker-hangs" in found
    assert {"statedir-filling", "no-checkpoint-period", "private-mode"} <= blind


@pytest.mark.parametrize("freshness", [Freshness.STALE, Freshness.ABSENT, Freshness.FORBIDDEN])
def test_what_a_broker_said_before_it_was_lost_is_not_claimed_of_now(freshness: Freshness) -> None:
    ref = feed.ref("well")
    found, blind = _slugs(
        _well(
            e.BrokerInsideSeen(ref, HUNG, NOW),
            e.QueuesSeen(ref, (DISABLED,), feed.nodes("well", 2), NOW),
            e.SourceChanged(f"queue:{ref.uid}", freshness, "lost", NOW),
        )
    )
    assert not found & {"broker-hangs", "queue-closed"}
    assert {"broker-hangs", "queue-closed"} <= blind


def test_what_was_read_before_it_was_watched_no_more_has_its_age() -> None:
    ref = feed.ref("well")
    diagnosis = _well(
        e.QueuesSeen(ref, (DISABLED,), feed.nodes("well", 2), NOW - 900),
        e.SourceChanged(f"queue:{ref.uid}", Freshness.ASLEEP, "", NOW),
    )
    (closed,) = (one for one in diagnosis.findings if one.slug == "queue-closed")
    assert [quote.at for quote in closed.told.evidence] == [NOW - 900]


def test_after_a_lost_connection_the_inside_is_looked_at_anew_before_it_is_claimed() -> None:
    ref = feed.ref("well")
    _, blind = _slugs(
        _well(
            e.BrokerInsideSeen(ref, HUNG, NOW),
            e.SourceChanged(f"queue:{ref.uid}", Freshness.STALE, "lost", NOW),
            e.SourceChanged(f"queue:{ref.uid}", Freshness.LIVE, "", NOW),
        )
    )
    assert "broker-hangs" in blind
