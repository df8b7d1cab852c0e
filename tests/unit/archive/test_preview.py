"""What a restore does at once, job by job, as flux-core does it: order, room, dependencies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.archive.preview import PredictedOutcome, RestorePreview, preview
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.render import preview_json
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.jobid import f58
from tests.unit.archive import given

SMALL = Path(__file__).parents[2] / "data" / "preview"
STARTS, ROOM, WAITS = PredictedOutcome.STARTS, PredictedOutcome.ROOM, PredictedOutcome.WAITS
NEVER, FAILED, HELD = (
    PredictedOutcome.NEVER_FITS,
    PredictedOutcome.FAILED,
    PredictedOutcome.HELD,
)


def small(file: str, **options: Any) -> RestorePreview:
    return preview(read_archive(SMALL / f"{file}.tar.gz"), **{"size": 2, **options})


def fates(found: RestorePreview) -> dict[str, PredictedOutcome]:
    return {one.job.name: one.fate for one in found.jobs}


def test_jobs_start_in_their_order_as_long_as_there_is_room() -> None:
    """Seventeen jobs that need 40 cores do not start at once on 16."""
    entries = []
    for number in range(1, 18):
        spec = given.jobspec(f"j{number}")
        spec["resources"][0]["count"] = 3
        entries += given.job_entries(number << 24, given.pending(), spec)
    found = preview(read_archive(given.archive(*entries)), size=4)
    counts = found.counts
    assert (counts[STARTS], counts[ROOM]) == (5, 12)
    assert [one.fate for one in found.jobs] == [STARTS] * 5 + [ROOM] * 12
    assert "12 jobs wait for room" in found.lines()


def test_the_most_urgent_goes_first_and_the_first_that_waits_keeps_all_behind_it_waiting() -> None:
    entries = []
    for number, (urgency, nodes) in enumerate([(16, 2), (16, None), (31, 1), (0, None)], start=1):
        events = given.pending()
        events[0].context["urgency"] = urgency
        spec = given.jobspec(f"j{number}", nodes=nodes)
        if nodes:
            spec["resources"][0]["exclusive"] = True
        entries += given.job_entries(number << 24, events, spec)
    found = preview(read_archive(given.archive(*entries)), size=2)
    assert fates(found) == {"j1": ROOM, "j2": ROOM, "j3": STARTS, "j4": HELD}
    assert found.jobs[1].reason.endswith(f"behind {f58(1 << 24)} j1")


def test_what_a_job_requires_of_its_nodes_is_compared_with_the_new_ones() -> None:
    found = small("constraints")
    assert fates(found) == {
        "on-host-3": NEVER,
        "on-rank-3": NEVER,
        "on-gpu": NEVER,
        "not-host": NEVER,
        "or-host": STARTS,
    }
    assert found.refused == frozenset(one.job.id for one in found.of(NEVER))
    assert "host flux-sample-3" in found.jobs[0].reason
    assert set(fates(small("constraints", size=4)).values()) == {STARTS}


def test_the_hosts_of_a_minicluster_have_its_name() -> None:
    named = fates(small("constraints", size=4, name="other"))
    assert (named["on-host-3"], named["not-host"], named["on-rank-3"]) == (NEVER, STARTS, STARTS)


def test_a_chain_that_begins_with_a_job_that_ran_fails_to_its_end() -> None:
    found = small("chain")
    assert fates(found) == {
        "step1": FAILED,
        "step2": FAILED,
        "step3": FAILED,
        "notok": FAILED,
        "any": STARTS,
    }


def test_a_chain_of_thousands_is_followed_to_its_end() -> None:
    entries = given.job_entries(1 << 24, given.finished()[:6])
    for number in range(2, 3001):
        text = f"after-success={f58((number - 1) << 24)}"
        depends = Event(given.T0 + 1.6, "dependency-add", {"description": text})
        entries += given.job_entries(number << 24, [*given.pending()[:2], depends])
    found = preview(read_archive(given.archive(*entries)), size=2)
    assert found.counts == {FAILED: 3000}


def test_what_depends_on_a_job_that_can_never_fit_fails_with_it() -> None:
    wide = given.job_entries(1 << 24, given.pending(), given.jobspec("wide", nodes=9))
    more = []
    for number, kind in ((2, "after-failure"), (3, "after-finish")):
        text = f"{kind}={f58(1 << 24)}"
        depends = Event(given.T0 + 1.6, "dependency-add", {"description": text})
        events = [*given.pending()[:2], depends]
        more += given.job_entries(number << 24, events, given.jobspec(kind))
    found = fates(preview(read_archive(given.archive(*wide, *more)), size=2))
    assert found == {"wide": NEVER, "after-failure": FAILED, "after-finish": STARTS}


def test_a_job_that_waits_for_one_that_no_longer_exists_waits_for_ever_and_says_so() -> None:
    (one,) = small("purged-dep").jobs
    assert one.fate is PredictedOutcome.STUCK
    assert "a job that no longer exists" in one.reason
    assert "never start unless it is released or cancelled" in one.reason


def test_a_begin_time_in_the_past_is_over_and_one_to_come_is_shown_with_its_year() -> None:
    assert fates(small("begin-past")) == {"late": STARTS}
    (one,) = small("begin-past", now=1_600_000_000.0).jobs
    assert one.fate is WAITS
    assert "2023" in one.reason


def test_a_job_that_was_being_cleaned_up_has_ended_and_is_history() -> None:
    entries = given.job_entries(1 << 24, given.finished()[:7])
    (one,) = preview(read_archive(given.archive(*entries)), size=2).jobs
    assert one.fate is PredictedOutcome.HISTORY


def blocked() -> RestorePreview:
    """Size 2 of 4: a job of four nodes, one of six, and three small ones."""
    entries = given.job_entries(1 << 24, given.pending(), given.jobspec("wide", nodes=4))
    entries += given.job_entries(2 << 24, given.pending(), given.jobspec("wider", nodes=6))
    for number in (3, 4, 5):
        entries += given.job_entries(number << 24, given.pending(), given.jobspec(f"s{number}"))
    return preview(read_archive(given.archive(*entries)), size=2, max_size=4)


def test_a_job_that_waits_for_nodes_that_are_down_blocks_all_behind_it_and_is_said_first() -> None:
    found = blocked()
    assert found.lines()[0] == (
        f"STUCK: 1 waits for 4 nodes and blocks 4 behind it: {f58(1 << 24)} wide; 2 are up."
    )
    assert fates(found) == {
        "wide": PredictedOutcome.BLOCKED,
        "wider": NEVER,
        "s3": ROOM,
        "s4": ROOM,
        "s5": ROOM,
    }
    assert found.refused == frozenset()  # Flux has not come to the one of six
    assert json.loads(preview_json(found))["blocker"] == {
        "id": 1 << 24,
        "jobid": f58(1 << 24),
        "nodes": 4,
        "up": 2,
        "behind": 4,
    }


def test_without_more_ranks_it_is_failed_and_the_others_start() -> None:
    entries = given.job_entries(1 << 24, given.pending(), given.jobspec("wide", nodes=4))
    entries += given.job_entries(2 << 24, given.pending(), given.jobspec("small"))
    found = preview(read_archive(given.archive(*entries)), size=2)
    assert (fates(found), found.blocker) == ({"wide": NEVER, "small": STARTS}, None)


@pytest.mark.parametrize(
    "hostile", ['{"not": []}', '{"hostlist": "n0"}', '{"ranks": ["x"]}', "[1]"]
)
def test_a_constraint_that_makes_no_sense_matches_no_node(hostile: str) -> None:
    spec = given.jobspec("odd", constraints=json.loads(hostile))
    entries = given.job_entries(1 << 24, given.pending(), spec)
    found = preview(read_archive(given.archive(*entries)), size=2)
    assert fates(found) == {"odd": NEVER}
