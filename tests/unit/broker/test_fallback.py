"""What flux commands print (recorded from flux-core 0.88)."""

from __future__ import annotations

import json

import pytest

from fluxstate_tui.broker.commands import (
    FluxFailed,
    parse_jobs,
    parse_nodes,
    parse_queue_status,
    parse_uptime,
)
from fluxstate_tui.flux.job import JobState
from fluxstate_tui.flux.queue import Node, Queue


def test_the_state_is_the_second_word_of_uptime() -> None:
    text = " 20:48:07 run 1.7s,  owner root,  depth 0,  size 2\n"
    assert parse_uptime(text) == "run"
    assert parse_uptime("") == ""


def test_queue_status_with_reasons_and_names() -> None:
    anonymous = "Job submission is enabled\nScheduling is stopped: why: [/foo]\n"
    assert parse_queue_status(anonymous) == (
        Queue("", enabled=True, started=False, stop_reason="why: [/foo]"),
    )
    named = (
        "batch: Job submission is disabled: maintenance\nbatch: Scheduling is started\n"
        "debug: Job submission is enabled\ndebug: Scheduling is stopped\n"
    )
    assert parse_queue_status(named) == (
        Queue("batch", enabled=False, started=True, disable_reason="maintenance"),
        Queue("debug", enabled=True, started=False),
    )


def test_nodes_are_up_or_down_with_their_cores() -> None:
    text = "free|2|8|0|flux-sample-[0,2]|0,2\nallocated|1|4|0|flux-sample-1|1\ndown|0|0|0||\n"
    assert parse_nodes(text) == (
        Node(0, "flux-sample-0", 4),
        Node(1, "flux-sample-1", 4),
        Node(2, "flux-sample-2", 4),
    )
    assert not parse_nodes("down|1|4|0|flux-sample-3|3\n")[0].up


def test_jobs_that_cannot_be_understood_are_left_out() -> None:
    good = {"id": 16, "userid": 0, "state": "RUN", "t_submit": 1.0, "name": "x", "urgency": 16}
    text = json.dumps({"jobs": [good, {"id": "?"}]})
    assert [job.state for job in parse_jobs(text)] == [JobState.RUN]


@pytest.mark.parametrize("text", ["", "flux-jobs: ERROR", "[]", '{"jobs": 5}', "null"])
def test_other_words_than_json_are_an_error_not_an_empty_queue(text: str) -> None:
    with pytest.raises(FluxFailed):
        parse_jobs(text)
