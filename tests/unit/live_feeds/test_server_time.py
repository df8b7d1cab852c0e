"""What the store is told about the API server's clock."""

from __future__ import annotations

from fluxstate_tui.live.cluster_feed import ServerTime
from fluxstate_tui.live.events import ServerClockSeen, StoreEvent


def told(samples: list[tuple[float, float]]) -> list[StoreEvent]:
    events: list[StoreEvent] = []
    clock = ServerTime(events.append)
    for at, offset in samples:
        clock.seen(offset, at)
    return events


def test_a_steady_clock_is_told_once() -> None:
    samples = [(1000.0 + 10 * step, 7.0 + 0.3 * (step % 2)) for step in range(20)]
    assert told(samples) == [ServerClockSeen(7.0, 1.0, 1000.0)]


def test_a_clock_that_was_set_is_told_again() -> None:
    events = told([(0.0, 0.0), (1.0, 0.0), (2.0, 3600.0)])
    assert [event.offset for event in events if isinstance(event, ServerClockSeen)] == [0, 3600]


def test_a_clock_that_runs_four_times_as_fast_is_told_with_its_rate() -> None:
    samples = [(10.0 * step, 30.0 * step) for step in range(10)]
    last = told(samples)[-1]
    assert isinstance(last, ServerClockSeen)
    assert last.rate == 4.0
    assert last.offset + (90 - last.at) * (last.rate - 1) == 270
