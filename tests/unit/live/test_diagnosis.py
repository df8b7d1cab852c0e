"""What the living picture finds wrong."""

from __future__ import annotations

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
