"""The findings across MiniClusters: a row each, one in full, and what nobody could see."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.live import events as e
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.minicluster.objects import KubeEvent
from fluxstate_tui.tui.app import FluxstateApp
from fluxstate_tui.tui.screens.findings.screen import FindingsScreen
from fluxstate_tui.tui.screens.minicluster.screen import MiniClusterScreen
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.feed import NOW
from tests.unit.tui_screens.stage import SIZES, SMALL, make_app, screen_text, see, until

SAMPLE = feed.ref("flux-sample")
DISABLED = Queue("", False, True, disable_reason="maintenance until noon")


async def open_findings(pilot: Pilot[Any]) -> None:
    await see(pilot, "flux-sample")
    await pilot.press("w")
    await until(pilot, lambda: isinstance(pilot.app.screen, FindingsScreen))
    await see(pilot, "MINICLUSTER")


def closed() -> e.QueuesSeen:
    return e.QueuesSeen(SAMPLE, (DISABLED,), feed.nodes("flux-sample"), NOW)


def well() -> FluxstateApp:
    """One MiniCluster with which nothing is wrong."""
    live = [
        e.SourceChanged(source, Freshness.LIVE, "", NOW)
        for source in ("miniclusters", "pods", "jobs", "events")
    ]
    return make_app([*live, *feed.running_cluster("flux-sample", 4, feed.jobs(1, 1, 1))])


@pytest.mark.parametrize("size", SIZES)
async def test_every_finding_has_a_row_with_severity_code_minicluster_and_cause(
    size: tuple[int, int],
) -> None:
    app = make_app([*feed.world(), closed()])
    async with app.run_test(size=size) as pilot:
        await open_findings(pilot)
        await see(pilot, "FS320 queue-closed")
        text = screen_text(app)
        assert "▲ error" in text
        assert "! warning" in text
        assert "The queue takes no new" in text
        for line in text.splitlines():
            if "queue-closed" in line:
                assert "flux-sample" in line
                break


async def test_the_chosen_one_is_shown_in_full_with_evidence_fix_and_line() -> None:
    app = make_app([*feed.running_cluster("flux-sample", 4, ()), closed()])
    async with app.run_test(size=SMALL) as pilot:
        await open_findings(pilot)
        for text in ("maintenance until noon", "do: Enable it.", "$ flux queue enable"):
            await see(pilot, text)


async def test_evidence_has_its_age() -> None:
    full = "exceeded quota: pods, requested: pods=1, used: pods=1, limited: pods=1"
    refused = KubeEvent(
        *("e", "default", "Job", "too-large", "job-too-large", "Warning", "FailedCreate"),
        *(full, 1, NOW - 40),
    )
    app = make_app(
        [
            e.MiniClusterChanged(feed.minicluster("too-large"), NOW),
            e.KubeJobChanged(feed.kube_job("too-large"), NOW),
            e.KubeEventSeen(refused, NOW),
        ]
    )
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "too-large")
        await pilot.press("w")
        await see(pilot, "FS010 quota")
        await pilot.press("end")
        await see(pilot, "exceeded quota")
        await see(pilot, "40s ago")


async def test_enter_opens_the_minicluster_and_escape_comes_back() -> None:
    app = make_app([*feed.running_cluster("flux-sample", 4, ()), closed()])
    async with app.run_test(size=SMALL) as pilot:
        await open_findings(pilot)
        await see(pilot, "queue-closed")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MiniClusterScreen))
        assert isinstance(app.screen, MiniClusterScreen)
        assert app.screen.ref == SAMPLE
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        await pilot.press("escape")
        await see(pilot, "ARCHIVES")


async def test_a_new_finding_is_on_the_screen_without_a_key_press() -> None:
    app = well()
    async with app.run_test(size=SMALL) as pilot:
        await open_findings(pilot)
        await see(pilot, "Nothing is wrong in 1 MiniCluster")
        app.services.store.take(closed())
        await see(pilot, "queue-closed")


async def test_when_nothing_is_wrong_the_blind_rules_are_named() -> None:
    app = well()
    async with app.run_test(size=SMALL) as pilot:
        await open_findings(pilot)
        await see(pilot, "Nothing is wrong in 1 MiniCluster")
        for text in ("the operator's log", "FS301", "FS331", "FS335"):
            await see(pilot, text)


async def test_e_shows_all_that_could_not_be_seen_and_is_scrolled_by_keys() -> None:
    app = make_app([*feed.running_cluster("flux-sample", 4, ()), closed()])
    async with app.run_test(size=SMALL) as pilot:
        await open_findings(pilot)
        await see(pilot, "do: Enable it.")
        await pilot.press("e")
        await see(pilot, "FS003 operator-rejected")
        await pilot.press("end")
        await see(pilot, "FS335 private-mode")
        await pilot.press("e")
        await see(pilot, "do: Enable it.")


async def test_silenced_findings_are_counted() -> None:
    app = make_app([*feed.running_cluster("flux-sample", 4, ()), closed()])
    app.services.store.silenced = ("FS320",)
    async with app.run_test(size=SMALL) as pilot:
        await open_findings(pilot)
        await see(pilot, "1 silenced")
        assert "queue-closed" not in screen_text(app)


async def test_y_copies_the_line() -> None:
    app = make_app([*feed.running_cluster("flux-sample", 4, ()), closed()])
    async with app.run_test(size=SMALL) as pilot:
        await open_findings(pilot)
        await see(pilot, "$ flux queue enable")
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard == "flux queue enable")


async def test_the_list_of_miniclusters_counts_those_with_findings() -> None:
    app = make_app([*feed.running_cluster("flux-sample", 4, ()), closed()])
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        app._tick()
        await see(pilot, "1 with findings")


async def test_notes_are_listed_but_not_counted_in_the_header() -> None:
    app = make_app([*feed.running_cluster("flux-sample", 4, (), started=False)])
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        app._tick()
        assert app.services.findings.due == 0
        assert "with findings" not in screen_text(app)
        await open_findings(pilot)
        await see(pilot, "queue-stopped")


async def test_the_explanation_in_the_list_says_what_is_wrong() -> None:
    app = make_app([*feed.running_cluster("flux-sample", 4, ()), closed()])
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("x")
        await see(pilot, "FS320 queue-closed")
        await see(pilot, "do: Enable it.")
