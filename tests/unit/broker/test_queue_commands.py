"""The same words mean other things to older versions of flux-core."""

from __future__ import annotations

from fluxstate_tui.broker.commands import queue_commands


def test_since_073_a_queue_is_a_plain_argument() -> None:
    assert queue_commands("0.88.0", "stop", ["a", "b"], "why not") == [
        ["queue", "stop", "-m", "why not", "a"],
        ["queue", "stop", "-m", "why not", "b"],
    ]
    assert queue_commands("0.73.0", "start", [""]) == [["queue", "start", "--all"]]


def test_before_that_each_queue_needs_its_own_command_and_the_reason_has_no_option() -> None:
    assert queue_commands("0.66.0", "stop", ["a", "b"], "why not") == [
        ["queue", "stop", "-q", "a", "why not"],
        ["queue", "stop", "-q", "b", "why not"],
    ]
    assert queue_commands("0.72.0", "disable", [], "why") == [["queue", "disable", "--all", "why"]]
