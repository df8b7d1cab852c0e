"""Whether a MiniCluster would survive the death of its container is said in one line."""

from __future__ import annotations

import pytest

from fluxstate_tui.live import events
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.feed import NOW
from tests.unit.tui_screens.stage import SIZES, make_app, screen_text, see, until

SAMPLE = feed.ref("flux-sample")


def seen(
    checkpoint: float | None, detail: str = "", saved: float | None = None
) -> events.GuardSeen:
    return events.GuardSeen(SAMPLE, checkpoint, saved, detail, NOW)


@pytest.mark.parametrize("size", SIZES)
async def test_when_checkpoint_and_archive_were_last_made(size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "› flux-sample")
        assert "Guard" not in screen_text(app)
        app.services.store.take(seen(NOW - 12))
        await see(pilot, "Guard  checkpoint 12s ago")
        await see(pilot, "archive")
        app.services.store.take(seen(NOW - 30, saved=NOW - 4))
        await see(pilot, "checkpoint 30s ago · archive 4s ago")


@pytest.mark.parametrize("detail", ["off: read-only", "the broker cannot be asked [/x]"])
async def test_what_is_in_the_way_is_said(detail: str) -> None:
    app = make_app()
    async with app.run_test(size=SIZES[0]) as pilot:
        await pilot.press("down", "enter")
        app.services.store.take(seen(None, detail))
        await see(pilot, "no checkpoint yet")
        await see(pilot, detail)


async def test_one_key_disarms_what_is_armed_and_only_then() -> None:
    app = make_app()
    async with app.run_test(size=SIZES[0]) as pilot:
        await pilot.press("down")
        await see(pilot, "s save")
        assert "disarm" not in screen_text(app)
        await pilot.press("D")
        app.services.store.take(events.CatalogSeen(SAMPLE, feed.catalog(), True, NOW))
        await see(pilot, "D disarm")
        await pilot.press("D")
        await see(pilot, "This is what disarm would do to flux-sample.")


async def test_an_armed_archive_makes_the_guard_useless_and_that_is_said() -> None:
    app = make_app()
    async with app.run_test(size=SIZES[0]) as pilot:
        await pilot.press("down", "enter")
        app.services.store.take(seen(NOW))
        await see(pilot, "Guard  checkpoint")
        app.services.store.take(events.CatalogSeen(SAMPLE, feed.catalog(), True, NOW))
        await see(pilot, "no use while an archive is armed: disarm it (D)")
        app.services.store.take(events.MiniClusterGone(SAMPLE.uid, NOW))
        await pilot.pause()
        app.services.store.tick(NOW)
        await until(pilot, lambda: "Guard" not in screen_text(app))
