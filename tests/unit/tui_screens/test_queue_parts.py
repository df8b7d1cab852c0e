"""The queue in one line."""

from __future__ import annotations

from fluxstate_tui.live import events
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.store import Store
from fluxstate_tui.tui.screens.glance import queue_parts
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.feed import NOW


def line(name: str, freshness: Freshness) -> str:
    store = Store()
    for event in [
        *feed.world(),
        events.SourceChanged(f"queue:uid-{name}", freshness, "why", NOW),
    ]:
        store.take(event)
    store.take_changes()
    uid = f"uid-{name}"
    parts = queue_parts(store.clusters[uid], store.summaries[uid], NOW + 60)
    return "".join(text for text, _ in parts)


def test_a_queue_that_was_read_says_how_old_it_is() -> None:
    assert "as of 60s ago" in line("flux-sample", Freshness.STALE)


def test_a_queue_that_was_never_read_has_no_age() -> None:
    assert "as of" not in line("starting", Freshness.FORBIDDEN)
