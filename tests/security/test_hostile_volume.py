"""Who can write to the volume puts a link, or another file system, where archives belong."""

from __future__ import annotations

import pytest

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.operations.base import Choices, OperationKind, Outcome, OutcomeKind
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.sim.files import Files, Volume
from tests.faults.at_step import when_done
from tests.faults.stage import FOLDER, NAME, NAMESPACE, Stage

OUTSIDE = "/srv/hidden"
SAVE_FIRST = Choices(save_first=True)


def container(stage: Stage) -> Files:
    """What the lead's container sees, its own file system too."""
    pod = stage.sim.state.lead_pod(NAMESPACE, NAME)
    running = stage.sim.state.kubelet.running(NAMESPACE, pod, NAME)
    assert running is not None
    return running.machine.files


def swap(stage: Stage, folder: str = FOLDER) -> None:
    """A link into the container in the place of a folder of the volume; its files are kept."""
    if stage.volume.exists(folder):
        stage.volume.rename(folder, folder + ".kept")
    container(stage).makedirs(OUTSIDE)
    stage.volume.symlink(OUTSIDE, folder)


def outside(stage: Stage) -> list[str]:
    return container(stage).listdir(OUTSIDE)


async def attempted(stage: Stage, kind: str, choices: Choices | None = None) -> Outcome:
    """Its outcome; what prepare() refuses is a failure as well."""
    try:
        return await stage.do(kind, choices)
    except FluxstateError as error:
        kind_ = OutcomeKind.FAILED
        return Outcome(kind_, error.message, error.safe, error.advice, error.exit_code)


async def test_a_save_says_which_mount_holds_what_was_read_back(stage: Stage) -> None:
    await stage.submit("true")
    outcome = await stage.well("save")
    assert "read back from hostPath /data at /state" in outcome.reason


@pytest.mark.parametrize("kind", ["save", "delete"])
async def test_nothing_is_saved_into_a_container_over_a_link(stage: Stage, kind: str) -> None:
    job = await stage.submit("true")
    swap(stage)
    outcome = await attempted(stage, kind, SAVE_FIRST if kind == "delete" else None)
    assert outcome.kind is not OutcomeKind.COMPLETED
    assert outcome.exit_code is ExitCode.VERIFICATION
    assert "hostPath /data at /state" in outcome.reason
    assert "link" in outcome.reason or OUTSIDE in outcome.reason
    assert outside(stage) == []
    assert job in await stage.jobs()
    assert await stage.started()


@pytest.mark.parametrize("step", ["pause", "wait", "commit", "dump", "verify", "enter"])
async def test_a_link_put_in_its_place_at_any_step_ends_no_save_well(
    stage: Stage, step: str
) -> None:
    await stage.submit("true")
    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref(), None)

    async def then(done: str) -> None:
        if done == step:
            swap(stage)

    outcome = await when_done(operation, then)
    assert outcome.kind is not OutcomeKind.COMPLETED
    assert outside(stage) == []
    assert await stage.started()


@pytest.mark.parametrize("step", ["dump", "verify", "enter", "manifest"])
async def test_nothing_is_deleted_when_the_archive_is_not_on_the_volume_any_more(
    stage: Stage, step: str
) -> None:
    job = await stage.submit("true")
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref(), SAVE_FIRST)

    async def then(done: str) -> None:
        if done == step:
            swap(stage)

    outcome = await when_done(operation, then)
    assert outcome.kind is not OutcomeKind.COMPLETED
    assert job in await stage.jobs()


async def test_the_same_files_behind_a_link_are_not_on_the_volume(stage: Stage) -> None:
    """A whole copy of the catalog in the container: every checksum is right, and it dies."""
    await stage.submit("true")
    await stage.well("save")
    swap(stage)
    files = container(stage)
    for name in stage.volume.listdir(f"{FOLDER}.kept"):
        files.write(f"{OUTSIDE}/{name}", stage.volume.read(f"{FOLDER}.kept/{name}"))
    outcome = await attempted(stage, "delete", Choices())
    assert outcome.kind is not OutcomeKind.COMPLETED
    assert NAME in str(await stage.ref())


async def test_an_archive_that_is_a_link_covers_no_delete(stage: Stage) -> None:
    job = await stage.submit("true")
    await stage.well("save")
    [name] = [name for name in stage.finished() if name.endswith(".tar.gz")]
    files = container(stage)
    files.makedirs(OUTSIDE)
    files.write(f"{OUTSIDE}/{name}", stage.volume.read(f"{FOLDER}/{name}"))
    stage.volume.unlink(f"{FOLDER}/{name}")
    stage.volume.symlink(f"{OUTSIDE}/{name}", f"{FOLDER}/{name}")
    outcome = await attempted(stage, "delete", Choices())
    assert outcome.kind is not OutcomeKind.COMPLETED
    assert job in await stage.jobs()


@pytest.mark.parametrize("where", ["/state/fluxstate", "/state", "/"])
async def test_another_file_system_over_the_folder_is_not_the_volume(
    stage: Stage, where: str
) -> None:
    await stage.submit("true")
    files = container(stage)
    if where == "/":  # it was unmounted
        del files.mounts["/state"]
        files.makedirs("/state/fluxstate")
    else:
        files.mount(where, Volume("tmpfs"))
    outcome = await attempted(stage, "save")
    assert outcome.kind is not OutcomeKind.COMPLETED, outcome
    assert outcome.exit_code is ExitCode.VERIFICATION
    assert await stage.started()


async def test_a_link_at_archive_path_is_not_armed_over(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    await stage.well("delete", Choices())
    target = "/elsewhere"
    stage.volume.write(target, b"not to be touched")
    stage.volume.symlink("/state/elsewhere", "/archive.tar.gz")
    outcome = await attempted(stage, "restore")
    assert outcome.kind is not OutcomeKind.COMPLETED
    assert "archive.tar.gz is a link" in outcome.reason
    assert stage.volume.read(target) == b"not to be touched"
    assert stage.volume.stat("/archive.tar.gz", follow=False).target


async def test_without_a_volume_the_queue_is_not_deleted(stage: Stage) -> None:
    """`archive.path` in the container's own file system: what is saved there dies with it."""
    job = await stage.submit("true")
    stored = stage.sim.state.store.get(stage.sim.state.flavour.kind, NAMESPACE, NAME)
    assert stored is not None
    stored["spec"]["archive"]["path"] = f"{OUTSIDE}/archive.tar.gz"
    container(stage).makedirs(OUTSIDE)
    outcome = await attempted(stage, "delete", SAVE_FIRST)
    assert outcome.kind is not OutcomeKind.COMPLETED, outcome
    assert job in await stage.jobs()
