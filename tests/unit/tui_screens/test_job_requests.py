"""Which of the chosen jobs an action touches, and what has to be written for it."""

from __future__ import annotations

import pytest

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.live.actions import (
    JobRequest,
    JobVerb,
    MistakeError,
    OutputLine,
    plan,
    read_request,
)
from fluxstate_tui.tui.screens.jobs.job import OutputTail
from tests.unit.tui_screens import feed

WAITING, HELD = feed.job(1), feed.job(2, urgency=0)
RUNNING, OVER = feed.job(3, JobState.RUN), feed.job(4, JobState.INACTIVE)
ALL = (WAITING, HELD, RUNNING, OVER)


@pytest.mark.parametrize(
    ("verb", "touched", "reasons"),
    [
        ("cancel", (WAITING, HELD, RUNNING), ["is over"]),
        ("raise", (WAITING, HELD, RUNNING), ["is over"]),
        ("kill", (RUNNING,), ["does not run", "does not run", "is over"]),
        ("hold", (WAITING,), ["is held already", "has its resources already", "is over"]),
        ("release", (HELD,), ["is not held", "has its resources already", "is over"]),
        ("urgency", (WAITING, HELD), ["has its resources already", "is over"]),
        ("limit", (WAITING, HELD, RUNNING), ["is over"]),
        ("again", ALL, []),
    ],
)
def test_an_action_touches_the_jobs_it_can_and_says_why_it_skips_others(
    verb: JobVerb, touched: tuple[object, ...], reasons: list[str]
) -> None:
    decided = plan(JobRequest(verb), ALL)
    assert decided.touched == touched
    assert [why for _, why in decided.skipped] == reasons


def test_what_is_written_becomes_the_request() -> None:
    raised = read_request("raise", {"type": "attention", "severity": "3", "note": " look "})
    assert (raised.type, raised.severity, raised.note) == ("attention", 3, "look")
    assert read_request("limit", {"limit": "1.5h"}).limit == 5400
    assert read_request("limit", {"limit": "0"}).limit == 0
    assert read_request("urgency", {"urgency": "31"}).urgency == 31


@pytest.mark.parametrize(
    ("verb", "written"),
    [
        ("raise", {"type": "", "severity": "0", "note": ""}),
        ("raise", {"type": "two words", "severity": "0", "note": ""}),
        ("raise", {"type": "x", "severity": "8", "note": ""}),
        ("urgency", {"urgency": "32"}),
        ("urgency", {"urgency": "²"}),
        ("limit", {"limit": ""}),
        ("limit", {"limit": "soon"}),
    ],
)
def test_a_field_that_cannot_be_read_is_a_mistake(verb: JobVerb, written: dict[str, str]) -> None:
    with pytest.raises(MistakeError):
        read_request(verb, written)


def test_the_tail_of_an_output_is_bounded_and_says_what_it_dropped() -> None:
    tail = OutputTail(most=10)
    tail.add([OutputLine("stdout", "0", "first\n"), OutputLine("stdout", "0", "second\n")])
    assert tail.dropped == 3
    assert [row[-1][0] for row in tail.rows()] == [
        "… 3 characters before this are not shown",
        "st",
        "second",
    ]
    tail.add([OutputLine("stdout", "0", "x" * 1_000_000)])
    assert sum(len(piece.text) for piece in tail.pieces) == 10
    assert tail.dropped == 3 + 1_000_000


def test_lines_of_several_ranks_are_marked() -> None:
    tail = OutputTail()
    tail.add([OutputLine("stdout", "0", "a\n"), OutputLine("stderr", "1", "b\n")])
    assert tail.rows() == [
        (("0: ", "$muted"), ("a", "")),
        (("1: ", "$muted"), ("b", "$state-warn")),
    ]
