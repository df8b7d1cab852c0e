"""Which archive is the newest, and which may go: by the jobs that were read, not by words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.archive.manifest import CatalogEntry, Manifest
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.catalog.contents import (
    Contents,
    JobKey,
    Known,
    NoDefaultError,
    Retention,
    contents_of,
    default,
    follows,
    missing_from,
    removable,
)
from fluxstate_tui.catalog.ownership import Owner
from fluxstate_tui.flux.job import JobState
from tests.unit.archive import given as archive

NOW = 1_795_296_000.0
DAY = 86_400.0
SAVED = Owner("default", "sample", "u-1", recorded=True)


def jobs(*numbers: int) -> frozenset[JobKey]:
    return frozenset((number << 24, NOW + number) for number in numbers)


def known(
    identity: str,
    holds: frozenset[JobKey] | None,
    *,
    age: float = 0.0,
    active: frozenset[JobKey] = frozenset(),
    saved_by: Owner | None = SAVED,
    **says: object,
) -> Known:
    manifest = Manifest(
        id=identity,
        minicluster="sample",
        namespace="default",
        uid="u-1",
        size=2,
        created=NOW - age,
        created_by="me",
        core_version="0.88.0",
        counts={},
        verified="L2",
        idle=True,
    )
    manifest = replace(manifest, **says)  # type: ignore[arg-type]
    entry = CatalogEntry(identity, f"/f/{identity}.tar.gz", 7, NOW - age, manifest)
    if holds is None:
        return Known(entry, None, "damaged")
    return Known(entry, Contents(identity, 7, NOW - age, "L2", holds, active, saved_by=saved_by))


def gone(found: list[Known], last: int = 1, now: float = NOW) -> list[str]:
    return [entry.id for entry in removable(found, Retention(last=last), now)]


def test_an_archive_that_was_read_knows_its_jobs_by_id_and_submit_time() -> None:
    found = read_archive(archive.path("mixed"))
    contents = contents_of(found)
    assert contents.jobs == {(one.job.id, one.job.t_submit) for one in found.jobs}
    waiting = [one for one in found.jobs if one.job.state is not JobState.INACTIVE]
    assert len(contents.active) == len(waiting) > 0


def test_a_queue_that_lacks_what_was_active_or_newest_went_back() -> None:
    old = known("old", jobs(1, 2, 3), active=jobs(2)).contents
    assert old is not None
    for left, goes_on in ((jobs(1, 2, 3, 4), True), (jobs(2, 3), True), (jobs(1, 3), False)):
        new = known("new", left).contents
        assert new is not None
        assert follows(new, old) is goes_on
    empty = known("empty", jobs()).contents
    assert empty is not None
    assert not follows(empty, old)
    assert follows(old, empty)


def test_the_same_ids_submitted_at_another_time_are_other_jobs() -> None:
    old = known("old", jobs(1)).contents
    new = known("new", frozenset({(1 << 24, NOW + 500)})).contents
    assert old is not None
    assert new is not None
    assert not follows(new, old)


def test_an_empty_queues_archive_is_never_the_default_over_one_with_jobs() -> None:
    full, empty = known("full", jobs(1, 2), age=DAY), known("empty", jobs())
    assert default([empty, full], NOW) is full
    assert default([empty], NOW) is empty


def test_the_newest_of_a_queue_that_went_on_is_the_default_whatever_manifests_say() -> None:
    old = known("old", jobs(1, 2), age=DAY, created=NOW + 9 * DAY, verified="L3")
    new = known("new", jobs(1, 2, 3), created=1.0, verified="")
    assert default([old, new], NOW) is new


def test_where_each_has_what_the_other_has_not_nothing_is_the_default() -> None:
    old, new = known("old", jobs(1, 2), age=DAY), known("new", jobs(1, 7))
    with pytest.raises(NoDefaultError) as caught:
        default([old, new], NOW)
    assert (caught.value.newest, caught.value.other) == (new, old)


def test_what_was_set_aside_by_a_restore_from_here_does_not_stand_in_the_way() -> None:
    first, second = known("first", jobs(1), age=3 * DAY), known("second", jobs(1, 2), age=2 * DAY)
    again = known("again", jobs(1, 7))
    assert again.contents is not None
    again = replace(again, contents=replace(again.contents, parent="first", born=NOW - DAY))
    assert default([first, second, again], NOW) is again
    assert gone([first, second, again]) == ["first"]  # its job is in both that stay


def test_what_cannot_be_read_or_is_of_the_future_is_no_default() -> None:
    assert default([known("cut", None)], NOW) is None
    assert default([known("late", jobs(1), age=-9 * DAY)], NOW) is None


def test_what_others_hold_is_counted_once() -> None:
    one, two = known("one", jobs(1, 2, 3)), known("two", jobs(2, 3, 4))
    missing = missing_from(jobs(1), [one, two])
    assert [(found.known.entry.id, found.jobs) for found in missing] == [("one", 2), ("two", 1)]
    assert missing_from(jobs(1, 2, 3, 4), [one, two]) == ()


def test_an_empty_retention_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Retention()
    with pytest.raises(ValueError, match="positive"):
        Retention(last=0)


def test_a_policy_keeps_the_newest_of_a_queue_that_went_on() -> None:
    found = [known(str(day), jobs(1), age=day * DAY) for day in range(5)]
    assert gone(found, last=2) == ["2", "3", "4"]
    week = removable(found, Retention(within=2.5 * DAY), NOW)
    assert [entry.id for entry in week] == ["3", "4"]


def test_an_archive_with_jobs_that_no_newer_one_has_stays() -> None:
    full, empty = known("full", jobs(1, 2), age=DAY), known("empty", jobs())
    assert gone([full, empty]) == []
    older = known("older", jobs(1), age=2 * DAY)
    assert gone([older, full, empty]) == ["older"]


def test_a_planted_manifest_lets_no_true_archive_go() -> None:
    true = [known(str(day), jobs(*range(1, 9 - day)), age=day * DAY + 60) for day in range(3)]
    lie: dict[str, Any] = {
        "created": 253_402_300_000.0,
        "verified": "L3",
        "counts": {"COMPLETED": 99_999},
    }
    planted = known("planted", jobs(70, 71, 72), saved_by=None, **lie)
    assert gone([planted, *true]) == ["1", "2"]  # as without it: the newest true one stays
    assert gone([planted, true[0]]) == []


def test_what_this_computer_saved_goes_only_for_what_it_saved_itself() -> None:
    mine, theirs = known("mine", jobs(1), age=DAY), known("theirs", jobs(1, 2), saved_by=None)
    assert gone([mine, theirs]) == []
    old = known("old", jobs(1), age=2 * DAY, saved_by=None)
    assert gone([old, theirs]) == ["old"]


def test_what_was_not_read_stays_and_lets_nothing_go() -> None:
    unread, old = known("unread", None), known("old", jobs(1), age=DAY)
    assert gone([unread, old]) == []


def test_a_time_that_cannot_be_decides_nothing() -> None:
    late, old = known("late", jobs(1), age=-9 * DAY), known("old", jobs(1), age=DAY)
    assert gone([late, old]) == []


def test_what_has_no_manifest_or_a_problem_is_never_chosen() -> None:
    old, new = known("old", jobs(1), age=DAY), known("new", jobs(1))
    nameless = replace(old, entry=replace(old.entry, manifest=None))
    assert gone([nameless, new]) == []
    assert gone([replace(old, entry=replace(old.entry, problem="it has 2 bytes")), new]) == []


def test_of_those_of_the_same_second_exactly_as_many_stay_as_are_asked_for() -> None:
    assert gone([known(name, jobs(1)) for name in ("a", "a-2", "a-3")]) == ["a-2", "a"]


def test_miniclusters_of_one_name_in_two_namespaces_are_two() -> None:
    old = known("old", jobs(1), age=DAY, namespace="a", saved_by=None)
    assert gone([old, known("new", jobs(1), namespace="b", saved_by=None)]) == []


_KNOWN = st.builds(
    lambda day, holds, read, saved: known(
        f"{day}-{sorted(holds)}-{read}-{saved}",
        jobs(*holds) if read else None,
        age=day * DAY,
        saved_by=SAVED if saved else None,
    ),
    st.integers(-3, 60),
    st.sets(st.integers(1, 6)),
    st.sampled_from([True, True, True, False]),
    st.booleans(),
)


@given(
    st.lists(_KNOWN, max_size=20, unique_by=lambda one: one.entry.id),
    st.one_of(st.none(), st.integers(1, 5)),
    st.floats(0, 90 * DAY),
)
def test_no_policy_ever_loses_a_job(found: list[Known], last: int | None, within: float) -> None:
    ids = {entry.id for entry in removable(found, Retention(last=last, within=within), NOW)}
    kept = [one.contents for one in found if one.entry.id not in ids and one.contents]
    for one in found:
        if one.entry.id in ids:
            assert one.contents is not None
            trusted = [other for other in kept if other.saved_by or not one.contents.saved_by]
            assert one.contents.jobs <= frozenset().union(*(other.jobs for other in trusted))


@given(st.lists(_KNOWN, max_size=12, unique_by=lambda one: one.entry.id))
def test_a_default_lacks_nothing_that_a_newer_archive_holds(found: list[Known]) -> None:
    try:
        chosen = default(found, NOW)
    except NoDefaultError:
        return
    for one in found if chosen is not None else ():
        assert chosen is not None
        assert chosen.contents is not None
        if one.contents is not None and chosen.contents.made < one.contents.made <= NOW:
            assert one.contents.jobs <= chosen.contents.jobs
