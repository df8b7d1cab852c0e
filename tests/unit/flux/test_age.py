"""Ages are as short as kubectl writes them."""

from __future__ import annotations

import pytest

from fluxstate_tui.cli.tables import age
from fluxstate_tui.formatting import human_duration

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (2 * MINUTE + 3, "2m3s"),
        (12 * MINUTE + 5, "12m"),
        (4 * HOUR + 5 * MINUTE, "4h5m"),
        (47 * HOUR, "47h"),
        (3 * DAY + 2 * HOUR, "3d2h"),
        (729 * DAY, "729d"),
        (2 * 365 * DAY + 10 * DAY, "2y10d"),
        (9 * 365 * DAY + 10 * DAY, "9y"),
    ],
)
def test_an_age_is_written_as_kubectl_does(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


def test_a_time_in_the_future_is_invalid_to_kubectl_and_no_age_to_us() -> None:
    assert human_duration(-5) == "<invalid>"
    assert age(-5) == "0s"
