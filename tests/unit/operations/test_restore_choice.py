"""What a restore takes when nobody names an archive."""

from __future__ import annotations

import pytest

from fluxstate_tui.catalog.ownership import Identity, Owner
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.operations.restore.choice import newest
from tests.unit.archive.test_contents import DAY, NOW, jobs, known

BEFORE = Owner("default", "sample", "u-0", recorded=True)
NOW_LIVING = Owner("default", "sample", "u-1", recorded=True)
ME = Identity("default", "sample", "u-1")


def test_an_earlier_life_under_the_same_name_leaves_nothing_undecided() -> None:
    earlier = known("earlier", jobs(1, 2, 3), age=DAY, saved_by=BEFORE, uid="u-0")
    saved = known("saved", jobs(4, 5), saved_by=NOW_LIVING)
    assert newest([saved, earlier], (), ME, NOW) is saved


def test_an_empty_queue_of_this_life_is_not_taken_for_the_one_before() -> None:
    earlier = known("earlier", jobs(1, 2, 3), age=DAY, saved_by=BEFORE, uid="u-0")
    empty = known("empty", jobs(), saved_by=NOW_LIVING)
    assert newest([empty, earlier], (), ME, NOW) is earlier


def test_a_queue_that_went_back_in_this_life_is_passed_over() -> None:
    full = known("full", jobs(1, 2, 3), age=DAY, active=jobs(3), saved_by=NOW_LIVING)
    back = known("back", jobs(1), saved_by=NOW_LIVING)
    assert newest([back, full], (), ME, NOW) is full


def test_what_others_saved_is_no_life_that_was_seen_here() -> None:
    claimed = known("claimed", jobs(7, 8), saved_by=None)
    earlier = known("earlier", jobs(1, 2, 3), age=DAY, saved_by=None)
    with pytest.raises(FluxstateError, match="no archive is clearly the newest"):
        newest([claimed, earlier], (), ME, NOW)
