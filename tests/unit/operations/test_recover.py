"""After a kill: what is left is looked up, said, and offered to be put right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.journal import Record
from fluxstate_tui.operations.recovery import judge
from fluxstate_tui.operations.snapshot import PAUSED_BY_US
from tests.unit.operations.builders import NOW, REF, job, observation

STOPPED_BY_US = (Queue("", enabled=True, started=False, stop_reason=f"{PAUSED_BY_US} me"),)
STOPPED_BY_OTHERS = (Queue("", enabled=True, started=False, stop_reason="maintenance"),)


def record(operation: str) -> Record:
    return Record(Path("x"), operation, REF, "me", "server", NOW, {"wait": "running"})


def test_a_save_that_left_the_queue_stopped_offers_to_start_it() -> None:
    found = judge(record("save"), observation(job(1), queues=STOPPED_BY_US), "It was interrupted.")
    assert found.next == "resume"
    assert "1 pending" in found.says[1]


def test_a_queue_that_only_refuses_jobs_because_of_us_is_offered_too() -> None:
    queues = (Queue("", enabled=False, started=False, disable_reason="fluxstate: deleted by me"),)
    assert judge(record("delete"), observation(queues=queues), "").next == "resume"


def test_a_queue_that_others_stopped_is_left_alone() -> None:
    found = judge(record("save"), observation(queues=STOPPED_BY_OTHERS), "")
    assert found.next is None


def test_an_interrupted_pause_is_no_trouble() -> None:
    assert judge(record("pause"), observation(queues=STOPPED_BY_US), "").next is None


def test_a_restore_that_left_an_archive_armed_offers_to_disarm() -> None:
    assert judge(record("restore"), observation(armed=True), "").next == "disarm"


def test_a_restore_that_left_an_archive_armed_is_disarmed_before_its_paused_queue_runs() -> None:
    assert judge(record("restore"), observation(armed=True, queues=STOPPED_BY_US), "").next == (
        "disarm"
    )


def test_a_restore_that_did_not_get_to_start_its_named_queues_offers_it() -> None:
    cut = replace(record("restore"), facts={"to start": ["batch"]})
    batch, debug = (Queue(name, enabled=True, started=False) for name in ("batch", "debug"))
    found = judge(cut, observation(job(1), queues=(batch, debug)), "")
    assert found.next == "resume"
    assert "queue batch had been started: 1 pending" in found.says[1]
    going_on = observation(queues=(replace(batch, started=True), debug))
    assert judge(cut, going_on, "").next is None


def test_an_armed_archive_that_we_did_not_arm_is_not_ours_to_offer() -> None:
    assert judge(record("save"), observation(armed=True), "").next is None


def migration(target: ClusterRef) -> Record:
    facts = {"to": ["default", "bigger"], "open": [""]}
    steps = {"wait": "done", "create": "running"}
    return replace(record("migrate"), target=target, facts=facts, steps=steps)


def test_a_migration_that_left_both_offers_the_old_queue_and_names_the_new_one() -> None:
    found = judge(migration(REF), observation(job(1), queues=STOPPED_BY_US), "")
    assert found.next == "resume"
    assert "default/bigger may be there" in found.says[1]


def test_a_migration_that_never_began_to_create_names_no_new_one() -> None:
    early = replace(migration(REF), steps={"wait": "running"})
    found = judge(early, observation(job(1), queues=STOPPED_BY_US), "")
    assert "bigger" not in found.says[1]


def test_of_a_migration_to_another_cluster_nothing_is_said_to_be_deleted_here() -> None:
    away = migration(REF)
    away = replace(away, facts={**away.facts, "to_server": "https://other", "to_context": "other"})
    found = judge(away, observation(job(1), queues=STOPPED_BY_US), "")
    assert found.next == "resume"
    assert "delete" not in found.says[1]
    assert "--context other" in found.says[1]


def test_a_migration_that_had_arrived_offers_to_start_the_new_queue() -> None:
    arrived = migration(ClusterRef("default", "bigger", ""))
    stopped = (Queue("", enabled=True, started=False, stop_reason="restored paused"),)
    assert judge(arrived, observation(job(1), queues=stopped), "").next == "resume"
    assert judge(arrived, observation(armed=True), "").next == "disarm"


def test_a_resume_opens_what_an_interrupted_delete_closed_and_nothing_else() -> None:
    closed = (Queue("", enabled=False, started=True, disable_reason=f"{PAUSED_BY_US} deleted"),)
    others = (Queue("", enabled=False, started=True, disable_reason="maintenance"),)
    assert observation(queues=closed).closed_by_us == ("",)
    assert observation(queues=others).closed_by_us == ()
