"""`fluxstate-tui assets`: a simulated MiniCluster, and real directories as its volumes."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fluxstate_tui.broker.objects import Lead
from fluxstate_tui.catalog.assets import (
    AssetsClient,
    AssetsError,
    Container,
    Excluded,
    NoPythonError,
    place_of,
    program_line,
)
from fluxstate_tui.cli.assets_run import COMMANDS, Assets
from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.minicluster.mount import Mount
from fluxstate_tui.operations import audit, journal
from fluxstate_tui.operations.lease import ClusterLease, LockedError
from tests.faults.stage import NAME, Stage, staged
from tests.unit.broker.local import LocalExecutor
from tests.unit.catalog_assets.program import UNPRIVILEGED
from tests.unit.cli_operate.conftest import Program

Capture = pytest.CaptureFixture[str]
Command = Callable[..., Awaitable[int]]
ELSEWHERE = Container("flux", "pod", "container", "/no/view")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as found:
        await found.create()
        yield found


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    (path / "out").mkdir(parents=True)
    (path / "catalog").mkdir()
    return path


@pytest.fixture
async def assets(stage: Stage, mount: Path) -> Assets:
    mounts = (Mount(str(mount), "PersistentVolumeClaim data"),)
    lead = Lead("pod", "container", started=True, running=True, mounts=mounts)
    path = str(mount / "catalog/archive.tar.gz")
    return Assets(stage.context, LocalExecutor(), await stage.ref(), ELSEWHERE, lead, path)


@pytest.fixture
def command(assets: Assets) -> Command:
    async def run(name: str, *words: str) -> int:
        args = build_parser().parse_args(["assets", name, NAME, *words])
        return await COMMANDS[name](assets, args)

    return run


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    async with staged(tmp_path, speed=20) as stage:
        await stage.create()
        yield Program(stage, tmp_path)


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def write_large(path: Path) -> None:
    with open(path, "wb") as file:
        for number in range(25):
            file.write(bytes([number]) * (8 << 20))


def audited(stage: Stage) -> list[tuple[str, str]]:
    return [(one.what, one.outcome) for one in audit.read(stage.context.state_dir).entries]


async def saved(command: Command, capsys: Capture, mount: Path, *words: str) -> str:
    assert await command("save", str(mount / "out"), "--yes", "--json", *words) == ExitCode.OK
    return str(json.loads(capsys.readouterr().out)["saved"]["id"])


async def test_from_save_to_restore(
    stage: Stage, command: Command, mount: Path, capsys: Capture
) -> None:
    (mount / "out/result").write_bytes(b"42")
    state = await saved(command, capsys, mount)
    assert await command("list", "--json") == ExitCode.OK
    (listed,) = json.loads(capsys.readouterr().out)["states"]
    assert (listed["id"], listed["files"], listed["complete"]) == (state, 1, True)
    assert await command("verify") == ExitCode.OK
    assert "good: 1 of 1 piece hashed" in capsys.readouterr().out
    assert await command("files", state) == ExitCode.OK
    assert str(mount / "out/result") in capsys.readouterr().out

    (mount / "out/result").unlink()
    assert await command("restore", state, "--dry-run") == ExitCode.OK
    assert not (mount / "out/result").exists()
    assert await command("restore", state, "--yes") == ExitCode.OK
    assert "read back by hash: 1 equal, 0 other, 0 missing" in capsys.readouterr().out
    assert (mount / "out/result").read_bytes() == b"42"
    assert audited(stage)[-2:] == [("assets save", "Completed"), ("assets restore", "Completed")]
    assert journal.unfinished(stage.context.state_dir) == []


async def test_nothing_is_written_before_consent(
    stage: Stage, command: Command, mount: Path, capsys: Capture
) -> None:
    (mount / "out/result").write_bytes(b"42")
    assert await command("save", str(mount / "out"), "--dry-run") == ExitCode.OK
    assert "1 file, 2 B" in capsys.readouterr().out
    assert await command("save", str(mount / "out")) == ExitCode.REFUSED
    assert list((mount / "catalog").iterdir()) == []
    assert audited(stage)[-1] == ("assets save", "Refused")


async def test_what_differs_is_kept_unless_overwriting_was_asked_for(
    command: Command, mount: Path, capsys: Capture
) -> None:
    (mount / "out/result").write_bytes(b"old")
    state = await saved(command, capsys, mount)
    (mount / "out/result").write_bytes(b"newer")
    assert await command("restore", state, "--yes") == ExitCode.REFUSED
    assert (mount / "out/result").read_bytes() == b"newer"
    assert await command("restore", state, "--yes", "--overwrite") == ExitCode.OK
    assert (mount / "out/result").read_bytes() == b"old"
    (aside,) = (mount / "out").glob(".fluxstate-aside-*")
    assert (aside / "result").read_bytes() == b"newer"


async def test_a_state_goes_to_another_directory(
    command: Command, mount: Path, capsys: Capture
) -> None:
    (mount / "out/result").write_bytes(b"42")
    state = await saved(command, capsys, mount)
    assert await command("restore", state, "--yes", "--to", str(mount / "other")) == ExitCode.OK
    assert (mount / "other/result").read_bytes() == b"42"
    with pytest.raises(FluxstateError, match="lies on no volume"):
        await command("restore", state, "--yes", "--to", "/etc")


async def test_an_incomplete_state_is_told_by_the_exit_code(
    assets: Assets,
    command: Command,
    mount: Path,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    (mount / "out/closed").write_bytes(b"1")
    (mount / "out/closed").chmod(0)
    (tmp_path / "bin").mkdir()
    # Root reads everything, unless it has no capabilities.
    words = shlex.join([*UNPRIVILEGED, sys.executable])
    (tmp_path / "bin/python3").write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    (tmp_path / "bin/python3").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    weak = replace(assets, executor=LocalExecutor({"PATH": path}))

    async def save(*words: str) -> int:
        args = build_parser().parse_args(["assets", "save", NAME, str(mount / "out"), *words])
        return await COMMANDS["save"](weak, args)

    assert await save("--yes") == ExitCode.VERIFICATION
    said = capsys.readouterr().out
    assert "INCOMPLETE" in said and str(mount / "out/closed") in said
    assert await save("--yes", "--allow-incomplete") == ExitCode.OK
    await command("verify")
    assert "it was saved incomplete" in capsys.readouterr().out


async def test_a_damaged_pack_is_exit_code_6(
    command: Command, mount: Path, capsys: Capture
) -> None:
    (mount / "out/result").write_bytes(b"42" * 2000)
    state = await saved(command, capsys, mount)
    (pack,) = (path for path in files_in(mount) if path.suffix == ".tar")
    os.truncate(pack, 600)
    assert await command("verify", state) == ExitCode.VERIFICATION
    (mount / "out/result").unlink()
    assert await command("restore", state, "--yes") == ExitCode.VERIFICATION
    assert not (mount / "out/result").exists()


async def test_what_is_not_there_is_exit_code_4(command: Command) -> None:
    with pytest.raises(FluxstateError) as error:
        await command("restore", "nothing", "--yes")
    assert error.value.exit_code is ExitCode.NOT_FOUND
    assert await command("verify", "nothing") == ExitCode.VERIFICATION


async def test_two_operators_do_not_work_at_once(
    stage: Stage, command: Command, mount: Path
) -> None:
    lease = ClusterLease(stage.context, await stage.ref(), "save")
    await lease.acquire()
    lease.keep(lambda text: None)
    try:
        with pytest.raises(LockedError):
            await command("save", str(mount / "out"), "--yes")
    finally:
        await lease.release()
    assert list((mount / "catalog").iterdir()) == []


async def test_cancelling_a_save_leaves_nothing(assets: Assets, mount: Path) -> None:
    write_large(mount / "out/large")
    begun = asyncio.Event()
    places = [assets.place(str(mount / "out"))]

    async def save() -> None:
        async with assets.client(writes=True) as client:
            await client.save(places, Excluded(), {}, lambda progress: begun.set())

    task = asyncio.create_task(save())
    await asyncio.wait_for(begun.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_in(mount) == {mount / "out/large"}


async def test_a_container_without_python_gets_one_message(assets: Assets, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    executor = LocalExecutor({"PATH": str(tmp_path / "bin")})
    store = place_of(assets.lead.mounts, str(tmp_path / "volume/catalog"))
    with pytest.raises(NoPythonError, match="there is no python3") as error:
        async with AssetsClient.open(executor, ELSEWHERE, store, writes=False):
            pass
    assert error.value.exit_code is ExitCode.NO_CONNECTION


async def test_a_python_of_the_view_will_do(assets: Assets, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "view/bin").mkdir(parents=True)
    (tmp_path / "view/bin/python3").symlink_to(sys.executable)
    executor = LocalExecutor({"PATH": str(tmp_path / "bin")})
    container = Container("flux", "pod", "container", str(tmp_path))
    store = place_of(assets.lead.mounts, str(tmp_path / "volume/catalog"))
    async with AssetsClient.open(executor, container, store, writes=False) as client:
        assert (await client.list()).states == ()


async def test_the_words_of_the_program_are_errors_of_ours(assets: Assets) -> None:
    async with assets.client() as client:
        with pytest.raises(AssetsError) as error:
            await client.verify("../evil")
        assert error.value.exit_code is ExitCode.NOT_FOUND
        assert (await client.list()).states == (), "and the conversation goes on"


async def test_a_simulated_pod_runs_no_code_and_says_so(program: Program) -> None:
    done = await program("assets", "list", NAME)
    assert done.code == ExitCode.NO_CONNECTION
    # The container may end while the program is still sent: then only that is known.
    refused_at_once = "no Python 3 that runs" in done.err and "simulation runs no code" in done.err
    assert refused_at_once or "could not be started" in done.err
    refused = await program("assets", "save", NAME, "/data", "--yes", "--read-only")
    assert refused.code == ExitCode.REFUSED


def test_a_relative_directory_and_one_with_dots_lie_on_no_volume() -> None:
    mounts = (Mount("/data", "hostPath /data"),)
    assert place_of(mounts, "/data/x/").path == "/data/x"
    for path in ("data/x", "/data/../etc", "/etc", "", "/database"):
        with pytest.raises(FluxstateError):
            place_of(mounts, path)


def test_the_program_is_one_line_on_its_way() -> None:
    assert program_line().count(b"\n") == 1
    assert len(program_line()) < 120_000
