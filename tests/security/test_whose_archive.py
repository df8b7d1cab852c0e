"""No default takes another's archive, or one of a queue that went back in time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.archive.manifest import Manifest, from_bytes, to_bytes
from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Choices, OperationKind, Outcome, OutcomeKind
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.sim.worlds.manifests import tutorial_minicluster
from tests.faults.stage import ANY, FOLDER, NAME, NAMESPACE, Stage, agreed

OTHER = ClusterRef(NAMESPACE, "team-b", "")
SAVED = Choices(save_first=True)


async def create_other(stage: Stage, name: str = OTHER.name) -> None:
    """Another MiniCluster on the same volume, with the same folder of archives."""
    resource = await stage.context.cluster.minicluster_resource()
    body = tutorial_minicluster(stage.sim.state.flavour, name, 1)
    body["spec"]["archive"] = {"path": f"/state/{name}.tar.gz"}
    await stage.context.cluster.create(resource, body, NAMESPACE)
    await stage.up(ClusterRef(NAMESPACE, name, ""))


async def well(stage: Stage, kind: str, name: str, choices: Choices | None = None) -> Outcome:
    ref = ClusterRef(NAMESPACE, name, "")
    if kind != "restore":
        ref = (await read_minicluster(stage.context, ref)).ref
    outcome = await (await prepare(OperationKind(kind), stage.context, ref, agreed(choices))).run(
        lambda event: None
    )
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    return outcome


def ids(stage: Stage) -> list[str]:
    """Of all archives, oldest first."""
    return sorted(name.removesuffix(".json") for name in stage.finished() if name.endswith(".json"))


async def planned(stage: Stage, ref: ClusterRef, kind: str = "restore", **choices: Any) -> str:
    operation = await prepare(OperationKind(kind), stage.context, ref, agreed(Choices(**choices)))
    await operation.close()
    return "\n".join(operation.plan.preview)


def rewrite(stage: Stage, identity: str, **says: object) -> Manifest:
    """A job with write access changes a manifest, with a right checksum."""
    path = f"{FOLDER}/{identity}.json"
    manifest = replace(from_bytes(stage.volume.read(path)), **says)  # type: ignore[arg-type]
    stage.volume.write(path, to_bytes(manifest))
    return manifest


async def test_a_newer_archive_of_another_in_the_same_folder_is_not_taken(stage: Stage) -> None:
    job = await stage.submit("true")
    await stage.well("delete", SAVED)
    (mine,) = ids(stage)
    await create_other(stage)
    await well(stage, "save", OTHER.name)
    text = await planned(stage, ANY)
    assert f"from {mine}: 1 completed" in text
    assert f"{mine} is of default/{NAME}" in text
    assert "archive.tar.gz until" in text  # its own path, not the other's
    await stage.well("restore")
    assert job in await stage.jobs()


async def test_it_is_said_whose_the_only_archive_is_and_not_taken(stage: Stage) -> None:
    await stage.well("save")
    (theirs,) = ids(stage)
    await create_other(stage)
    await well(stage, "delete", OTHER.name, Choices(save_first=True))
    (own,) = set(ids(stage)) - {theirs}
    for suffix in (".json", ".tar.gz"):
        stage.volume.unlink(f"{FOLDER}/{own}{suffix}")
    with pytest.raises(FluxstateError) as caught:
        await prepare(OperationKind.RESTORE, stage.context, OTHER, agreed())
    assert caught.value.exit_code is ExitCode.NOT_FOUND
    assert f"{theirs} says that it is of default/{NAME}" in caught.value.message
    text = await planned(stage, OTHER, archive=theirs)
    assert "DANGER: it is not known to be default/team-b's" in text


async def test_a_manifest_that_claims_anothers_archive_does_not_make_it_ours(
    stage: Stage,
) -> None:
    await stage.submit("true")
    await stage.well("delete", SAVED)
    (mine,) = ids(stage)
    await create_other(stage)
    await well(stage, "save", OTHER.name)
    (theirs,) = set(ids(stage)) - {mine}
    rewrite(stage, theirs, minicluster=NAME, uid="", created=stage.context.server_now + 60)
    assert f"from {mine}:" in await planned(stage, ANY)


async def test_an_empty_queues_archive_is_not_the_default_and_lets_none_go(
    stage: Stage,
) -> None:
    job = await stage.submit("true")
    await stage.well("delete", SAVED)
    (full,) = ids(stage)
    await stage.create()  # as after the loss of a lead's pod: the same name, an empty queue
    await stage.well("save")
    text = await planned(stage, await stage.ref(), "delete")
    assert f"{full} holds 1 job that the live queue does not." in text
    assert "Nothing is lost" not in text
    await stage.well("delete")
    assert f"from {full}:" in await planned(stage, ANY)
    (empty,) = set(ids(stage)) - {full}
    text = await planned(stage, ANY, archive=empty)
    assert f"{full} holds 1 job that {empty} does not." in text
    await stage.well("restore")
    assert job in await stage.jobs()


async def test_without_any_record_the_archives_themselves_are_read(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("delete", SAVED)
    (full,) = ids(stage)
    await stage.create()
    await stage.well("delete", SAVED)
    elsewhere = stage.context.state_dir.with_name("another-computer")
    there = Stage(stage.sim, replace(stage.context, state_dir=elsewhere))
    raw = json.loads(from_bytes(stage.volume.read(f"{FOLDER}/{full}.json")).extra["minicluster"])
    text = await planned(there, ANY, manifest=raw)
    assert f"from {full}:" in text
    assert "so its signed manifest says" in text
    records = sorted((elsewhere / "archives").iterdir())
    assert len(records) == 2
    assert {path.stat().st_mode & 0o777 for path in (*records, elsewhere / "archives")} == {
        0o600,
        0o700,
    }


async def test_jobs_that_run_under_another_name_now_are_a_danger(stage: Stage) -> None:
    job = await stage.submit("--urgency=hold", "true")
    await stage.well("save")
    (old,) = ids(stage)
    await stage.well("migrate", Choices(to_name="night-c"))
    text = await planned(stage, ANY, archive=old)
    assert "DANGER: 1 job of it is in the live queue of night-c now" in text
    assert job


async def test_an_unrelated_minicluster_of_the_name_of_the_saved_one_is_no_danger(
    stage: Stage,
) -> None:
    await stage.submit("--urgency=hold", "true")
    await stage.well("delete", SAVED)
    (archive,) = ids(stage)
    await stage.create()  # of the same name, as every tutorial has it, with other jobs
    await stage.submit("--urgency=hold", "true")
    await create_other(stage)
    await well(stage, "delete", OTHER.name, SAVED)
    text = await planned(stage, OTHER, archive=archive)
    assert "may run in both" not in text


async def test_the_volume_is_judged_as_it_is_and_not_by_a_record_of_what_it_was(
    stage: Stage,
) -> None:
    await stage.submit("true")
    await stage.well("delete", SAVED)
    (only,) = ids(stage)
    stage.volume.write(f"{FOLDER}/{only}.tar.gz", b"x" * 20)
    with pytest.raises(FluxstateError) as caught:
        await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    assert caught.value.exit_code is ExitCode.VERIFICATION


async def test_a_dry_run_chooses_by_content_through_another_that_runs(stage: Stage) -> None:
    """It starts nothing, and takes neither another's archive nor that of an empty queue."""
    await stage.submit("true")
    await stage.well("delete", SAVED)
    (full,) = ids(stage)
    await stage.create()
    await stage.well("delete", SAVED)
    await create_other(stage)
    await well(stage, "save", OTHER.name)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, Choices(dry_run=True))
    text = "\n".join(operation.plan.preview)
    assert f"from {full}: 1 completed" in text
    assert f"{full} is of default/{NAME}" in text
    assert "looked at through default/team-b" in text


async def test_a_file_of_this_computer_is_compared_once_the_helper_pod_may_run(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.well("save")
    (empty,) = ids(stage)
    for suffix in (".tar.gz", ".json"):
        (tmp_path / f"{empty}{suffix}").write_bytes(stage.volume.read(f"{FOLDER}/{empty}{suffix}"))
    await stage.submit("true")
    await stage.well("delete", SAVED)
    (full,) = set(ids(stage)) - {empty}
    chosen = Choices(from_file=tmp_path / f"{empty}.tar.gz")
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, chosen)
    text = "\n".join(operation.plan.preview)
    assert f"{empty} is of default/{NAME}" in text
    assert "saved from this computer" in text
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert any(
        f"{full} holds 1 job that {empty} does not." in event.read_back for event in stage.seen
    )
