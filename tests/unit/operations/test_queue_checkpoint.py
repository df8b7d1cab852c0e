"""How a restored queue comes up is said by a checkpoint in its archive."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.operations.queue_control import comes_up_stopped, paused_checkpoint
from tests.unit.operations.builders import job, observation


def restored(queues: tuple[Queue, ...], closed: str = "") -> list[dict[str, Any]]:
    """The entries of the checkpoint, which must make every queue come up stopped."""
    checkpoint = paused_checkpoint(observation(job(5), queues=queues), closed)
    assert checkpoint["max_jobid"] == job(5).id
    assert comes_up_stopped(json.dumps(checkpoint))
    entries: list[dict[str, Any]] = checkpoint["queue"]
    assert [entry["start"] for entry in entries] == [False] * len(queues)
    return entries


@pytest.mark.parametrize(
    ("checkpoint", "stopped"),
    [
        (None, False),
        ('{"version":1,"queue":[{"enable":true,"start":true}]}', False),
        ('{"version":1,"queue":[{"enable":true,"start":false}]}', True),
        ('{"version":1,"queue":[{"enable":false,"start":true}]}', True),
        ("rubbish", True),
    ],
)
def test_how_a_restore_comes_up_is_read_from_the_checkpoint(
    checkpoint: str | None, stopped: bool
) -> None:
    assert comes_up_stopped(checkpoint) is stopped


def test_a_paused_restore_keeps_every_named_queue_stopped() -> None:
    entries = restored((Queue("batch", True, True), Queue("debug", False, False, "closed", "why")))
    assert [entry["name"] for entry in entries] == ["batch", "debug"]
    assert [entry["enable"] for entry in entries] == [True, False]
    assert (entries[1]["disable_reason"], entries[1]["stop_reason"]) == ("closed", "why")


def test_what_we_did_to_the_living_queue_is_not_carried_along() -> None:
    ours = Queue("", False, False, "fluxstate: deleted by me", "fluxstate: paused by me")
    (entry,) = restored((ours,))
    assert entry == {"enable": True, "start": False, "stop_reason": "fluxstate: restored paused"}


def test_a_migrated_queue_refuses_jobs_and_says_why() -> None:
    queues = (Queue("a", False, False, "fluxstate: x"), Queue("b", False, True, "not here"))
    entries = restored(queues, closed="fluxstate: migrating")
    assert [entry["enable"] for entry in entries] == [False, False]
    assert [entry["disable_reason"] for entry in entries] == ["fluxstate: migrating", "not here"]
