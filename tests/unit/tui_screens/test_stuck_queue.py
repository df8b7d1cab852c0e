"""A queue whose head waits for nodes that are down is an alarm in its row and on its screen."""

from __future__ import annotations

from dataclasses import replace

from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.live import events
from fluxstate_tui.live.store import Store
from fluxstate_tui.minicluster.minicluster import Phase
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.stage import LARGE, make_app, see

WIDE = feed.job(2, ncores=4, nnodes=4, ntasks=4)
SMALL = tuple(feed.job(number) for number in (3, 4))


def stuck() -> list[events.StoreEvent]:
    """Size 2 of maxSize 4."""
    nodes = tuple(replace(node, up=node.rank < 2) for node in feed.nodes("flux-sample", 4))
    who = feed.ref("flux-sample")
    return [
        *feed.running_cluster("flux-sample", 2, (WIDE, *SMALL)),
        events.QueuesSeen(who, (Queue("", True, True),), nodes, feed.NOW),
    ]


def test_the_row_says_what_it_waits_for_and_is_not_up() -> None:
    store = Store()
    for event in stuck():
        store.take(event)
    store.tick(feed.NOW)
    store.take_changes()
    (row,) = store.summaries.values()
    assert row.phase is Phase.DEGRADED
    assert row.reason.startswith(f"Stuck: {f58(WIDE.id)} {WIDE.name} needs 4 nodes, 2 are up")
    assert "2 wait behind it" in row.reason


async def test_its_screen_says_so_with_the_keys_that_mend_it() -> None:
    async with make_app(stuck()).run_test(size=LARGE) as pilot:
        await see(pilot, "flux-sample")
        await see(pilot, "Stuck: ")
        await pilot.press("enter")
        await see(pilot, "needs 4 nodes, 2 are up")
        await see(pilot, "migrate to 4")
