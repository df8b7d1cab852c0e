"""Who can write to the volume puts another archive in the place of the one that was armed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.broker.objects import read_by_name
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.flux.job import JobState
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.operations.base import (
    Choices,
    OperationKind,
    Outcome,
    OutcomeKind,
    StepEvent,
)
from fluxstate_tui.operations.registry import prepare
from tests.faults.at_step import when_done
from tests.faults.stage import ANY, ARMED, FOLDER, NAME, NAMESPACE, Stage, agreed
from tests.unit.archive import given

LATER = 5_000 << 24


def with_another_job(data: bytes) -> tuple[bytes, int]:
    """The same archive with one more pending job, and its id."""
    injected = max(one.job.id for one in read_archive(data).jobs) + LATER
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as old,
        tarfile.open(fileobj=out, mode="w:gz") as new,
    ):
        for member in old:
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
        for entry in given.job_entries(injected, given.pending(), given.jobspec("evil")):
            info = tarfile.TarInfo(entry.name)
            info.size, info.mtime = len(entry.data), int(given.T0)
            new.addfile(info, io.BytesIO(entry.data))
    return out.getvalue(), injected


class Exchange:
    """Puts another archive where one is armed, and may put the first one back."""

    def __init__(self, stage: Stage, armed: str = ARMED) -> None:
        self._volume = stage.volume
        self._path = f"/{armed}"
        self.injected = 0
        self.true = b""

    def __call__(self) -> None:
        self.true = self._volume.read(self._path)
        evil, self.injected = with_another_job(self.true)
        self._volume.unlink(self._path)  # it is read-only
        self._volume.write(self._path, evil)

    def back(self) -> None:
        self._volume.unlink(self._path)
        self._volume.write(self._path, self.true)


def assert_alarm(outcome: Outcome) -> None:
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert outcome.exit_code is ExitCode.VERIFICATION, outcome


async def deleted(stage: Stage, *, paused: bool = False) -> int:
    job = await stage.submit("--urgency=hold", "true")
    await stage.well("delete", Choices(save_first=True, restore_paused=paused))
    return job


async def local_copy(stage: Stage, folder: Path) -> Path:
    (name,) = [name for name in stage.finished() if name.endswith(".tar.gz")]
    path = folder / name
    path.write_bytes(stage.volume.read(f"{FOLDER}/{name}"))
    return path


async def restoring(stage: Stage, way: str, folder: Path) -> Choices:
    await deleted(stage, paused=way == "paused")
    return Choices(from_file=await local_copy(stage, folder)) if way == "from" else Choices()


WAYS = ["restore", "paused", "from"]


@pytest.mark.parametrize("way", WAYS)
async def test_an_archive_exchanged_before_the_create_starts_nothing(
    stage: Stage, tmp_path: Path, way: str
) -> None:
    choices = agreed(await restoring(stage, way, tmp_path))
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, choices)
    exchange = Exchange(stage)

    async def then(step: str) -> None:
        if step == "arm":
            exchange()

    outcome = await when_done(operation, then)
    assert_alarm(outcome)
    assert "not the archive that was armed" in outcome.reason
    assert await read_by_name(stage.context, ANY) is None


@pytest.mark.parametrize("way", WAYS)
async def test_an_archive_exchanged_after_the_create_is_an_alarm_and_stops_the_queue(
    stage: Stage, tmp_path: Path, way: str
) -> None:
    choices = agreed(await restoring(stage, way, tmp_path))
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, choices)
    exchange = Exchange(stage)

    async def then(step: str) -> None:
        if step == "create":
            exchange()

    outcome = await when_done(operation, then)
    assert_alarm(outcome)
    assert "ALARM" in outcome.reason
    assert f58(exchange.injected) in outcome.reason
    assert "evil" in outcome.reason
    assert "NOT put back" not in outcome.reason
    assert not await stage.started()
    assert not stage.armed()
    if way == "paused":
        assert (await stage.jobs())[exchange.injected].state is JobState.SCHED


async def exchanged_and_put_back(stage: Stage, exchange: Exchange) -> Outcome:
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())

    async def then(step: str) -> None:
        if step == "create":
            exchange()

    def told(event: StepEvent) -> None:
        up = stage.sim.state.instance(NAMESPACE, NAME) is not None
        if event.step == "start" and up and exchange.true:
            exchange.back()
            exchange.true = b""

    seen = _Told(told)
    return await when_done(operation, then, seen)


class _Told(list[StepEvent]):
    def __init__(self, told: Callable[[StepEvent], None]) -> None:
        super().__init__()
        self._told = told

    def append(self, event: StepEvent) -> None:
        super().append(event)
        self._told(event)


async def test_a_job_of_before_the_start_is_no_new_one_though_the_file_was_put_back(
    stage: Stage,
) -> None:
    await deleted(stage)
    exchange = Exchange(stage)
    outcome = await exchanged_and_put_back(stage, exchange)
    assert_alarm(outcome)
    assert f58(exchange.injected) in outcome.reason
    assert not await stage.started()


async def test_a_job_that_is_submitted_after_the_start_is_a_new_one(stage: Stage) -> None:
    job = await deleted(stage)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())

    async def then(step: str) -> None:
        if step == "start":
            await stage.submit("true")

    outcome = await when_done(operation, then)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert "1 new" in outcome.reason
    assert job in await stage.jobs()


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("at", ["arm", "create"])
async def test_an_archive_exchanged_in_a_migration_leaves_the_old_queue(
    stage: Stage, at: str, beside: bool
) -> None:
    job = await stage.submit("--urgency=hold", "true")
    choices = agreed(Choices(to_name="other") if beside else Choices(size=1))
    operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), choices)
    exchange = Exchange(stage, "other.tar.gz" if beside else ARMED)

    async def then(step: str) -> None:
        if step == at and not exchange.injected:
            exchange()

    outcome = await when_done(operation, then)
    assert_alarm(outcome)
    assert "not the archive that was armed" in outcome.reason
    jobs = await stage.jobs()
    assert job in jobs
    assert exchange.injected not in jobs
    if not beside:
        assert not stage.armed()
