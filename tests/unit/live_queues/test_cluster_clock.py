"""Clocks that differ, and a clock that runs faster."""

from __future__ import annotations

import pytest

from fluxstate_tui.live.cluster_feed import ClusterClock


def test_the_offset_is_the_one_of_the_message_that_was_least_late() -> None:
    clock = ClusterClock()
    for sent, delay in ((0.0, 0.5), (3.0, 0.02), (6.0, 0.9)):
        offset, rate = clock.heard(1000.0 + sent, sent + delay)
    assert offset == pytest.approx(999.98)
    assert rate == 1.0


def test_a_scaled_clock_has_its_rate() -> None:
    clock = ClusterClock()
    for ours in range(0, 30, 3):
        offset, rate = clock.heard(5000.0 + 20.0 * ours, float(ours))
    assert rate == pytest.approx(20.0)
    assert offset == pytest.approx(5000.0 + 20.0 * 27 - 27)


def test_a_few_beats_are_no_rate_yet() -> None:
    clock = ClusterClock()
    clock.heard(0.0, 0.0)
    assert clock.heard(2.0, 1.0) == (1.0, 1.0)
