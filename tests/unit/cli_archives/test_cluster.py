"""The same on a cluster: over the lead while it runs, over a helper pod when nothing does."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fluxstate_tui.archive.manifest import CatalogEntry, from_bytes, to_bytes
from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.catalog.local_archive import read_local
from fluxstate_tui.catalog.ownership import Identity
from fluxstate_tui.catalog.records import foreign_words
from fluxstate_tui.cli.catalog_place import open_place
from fluxstate_tui.cli.catalog_run import COMMANDS
from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.clock import SystemClock
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.base import Choices, OperationKind
from fluxstate_tui.operations.lease import ClusterLease, LockLostError, break_lock, holder_of
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage, staged

Archives = Callable[..., Awaitable[int]]


@pytest.fixture
async def stage(tmp_path: Path, state: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as found:
        await found.create()
        yield found


@pytest.fixture
def archives(stage: Stage, tmp_path: Path) -> Archives:
    async def run(command: str, *words: str) -> int:
        kubeconfig = ("--kubeconfig", str(tmp_path / "kubeconfig"))
        args = build_parser().parse_args(["archives", command, *words, *kubeconfig])
        return await COMMANDS[command](args)

    return run


async def pods_of_ours(stage: Stage) -> list[str]:
    pods = await stage.context.cluster.list(PODS, NAMESPACE)
    names = [pod["metadata"]["name"] for pod in pods]
    return [name for name in names if name.startswith("fluxstate-")]


async def test_from_save_to_prune_with_and_without_a_minicluster(
    stage: Stage, archives: Archives, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.submit("true")
    await stage.well("save")
    assert await archives("verify", NAME) == ExitCode.OK
    assert "complete (L2)" in capsys.readouterr().out
    assert await archives("prune", NAME, "--keep-last", "1", "--yes") == ExitCode.OK
    assert len(stage.archived()) == 1

    await stage.well("delete", Choices(save_first=True))
    capsys.readouterr()
    with pytest.raises(HelperPodNeededError):
        await archives("list", NAME, "--json")
    assert await pods_of_ours(stage) == []
    assert await archives("list", NAME, "--json", "--yes") == ExitCode.OK
    newest, oldest = (one["id"] for one in json.loads(capsys.readouterr().out)["archives"])
    assert await archives("fetch", NAME, newest, "--to", str(tmp_path), "--yes") == ExitCode.OK
    fetched = (tmp_path / f"{newest}.tar.gz").read_bytes()
    assert fetched == stage.volume.read(f"/fluxstate/{newest}.tar.gz")

    assert await archives("remove", NAME, oldest, "--yes") == ExitCode.OK
    with pytest.raises(FluxstateError, match="last good archive"):
        await archives("remove", NAME, newest, "--yes")
    assert stage.files().keys() == {f"{newest}.tar.gz", f"{newest}.json"}
    assert await pods_of_ours(stage) == []
    assert (await stage.do("restore")).exit_code == ExitCode.OK


async def test_a_dump_of_others_on_the_volume_is_adopted_and_can_be_restored(
    stage: Stage, archives: Archives
) -> None:
    job = await stage.submit("true")
    await stage.flux("queue", "idle")
    await stage.flux("dump", "/state/by-hand.tar.gz")
    assert await archives("adopt", NAME, "/state/by-hand.tar.gz") == ExitCode.OK
    assert stage.archived() == [{job}]
    await stage.do("delete", typed=NAME)
    await stage.well("restore")
    assert job in await stage.jobs()


async def test_another_miniclusters_dump_is_put_with_a_warning_that_says_whose_it_is(
    stage: Stage, archives: Archives, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.submit("true")
    await stage.well("save")
    (name,) = [name for name in stage.files() if name.endswith(".tar.gz")]
    own, by_hand = tmp_path / name, tmp_path / "by-hand.tar.gz"
    own.write_bytes(stage.volume.read(f"/fluxstate/{name}"))
    other = Path(__file__).parents[2] / "data" / "archives" / "basic-completion.tar.gz"
    by_hand.write_bytes(other.read_bytes())
    capsys.readouterr()
    for path in (own, by_hand):  # of nodes that are called flux-sample-0 and -1
        assert await archives("put", NAME, str(path)) == ExitCode.OK
    assert "warning" not in capsys.readouterr().err
    local = await read_local(by_hand)
    entry = CatalogEntry("by-hand", str(by_hand), 1, 0.0, None)
    for me, words in ((NAME, ""), ("team-b", "the nodes flux-sample-0, flux-sample-1")):
        found = foreign_words(entry, local.archive, Identity(NAMESPACE, me), tmp_path)
        assert words in found
        assert bool(found) == bool(words)
    manifest = name.replace(".tar.gz", ".json")
    said = from_bytes(stage.volume.read(f"/fluxstate/{manifest}"))
    elsewhere = replace(said, id="elsewhere", minicluster="team-a", uid="")
    part = replace(elsewhere.parts[0], file="elsewhere.tar.gz")
    (tmp_path / "elsewhere.tar.gz").write_bytes(own.read_bytes())
    (tmp_path / "elsewhere.json").write_bytes(to_bytes(replace(elsewhere, parts=(part,))))
    shutil.rmtree(stage.context.state_dir / "archives", ignore_errors=True)
    stage.forget_archives()
    assert await archives("put", NAME, str(tmp_path / "elsewhere.tar.gz")) == ExitCode.OK
    told = capsys.readouterr().err
    assert f"is of {NAMESPACE}/team-a (so its manifest says)" in told
    assert f"{NAME} would run its jobs" in told


async def test_read_only_lists_and_verifies_but_changes_nothing(
    stage: Stage, archives: Archives, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.submit("true")
    await stage.well("save")
    await stage.well("save")
    before = stage.files()
    assert await archives("list", NAME, "--read-only") == ExitCode.OK
    assert await archives("verify", NAME, "--read-only") == ExitCode.OK
    capsys.readouterr()
    dry = ("--keep-last", "1", "--dry-run", "--json", "--read-only")
    assert await archives("prune", NAME, *dry) == ExitCode.OK
    assert len(json.loads(capsys.readouterr().out)["wouldRemove"]) == 1
    for command, words in {
        "prune": ("--keep-last", "1", "--yes"),
        "remove": ("x", "--yes"),
        "adopt": ("x.tar.gz",),
    }.items():
        with pytest.raises(FluxstateError) as caught:
            await archives(command, NAME, *words, "--read-only")
        assert caught.value.exit_code is ExitCode.REFUSED
    assert stage.files() == before


async def test_a_damaged_archive_on_the_volume_is_found(
    stage: Stage, archives: Archives, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.submit("true")
    await stage.well("save")
    (name,) = [name for name in stage.files() if name.endswith(".tar.gz")]
    data = bytearray(stage.volume.read(f"/fluxstate/{name}"))
    data[len(data) // 2] ^= 1
    stage.volume.write(f"/fluxstate/{name}", bytes(data))
    assert await archives("verify", NAME) == ExitCode.VERIFICATION
    assert "complete" not in capsys.readouterr().out


async def test_who_lost_the_lock_of_a_catalog_may_not_change_it_any_more(
    stage: Stage, tmp_path: Path
) -> None:
    words = ["archives", "remove", NAME, "--kubeconfig", str(tmp_path / "kubeconfig")]
    other = replace(stage.context, who="bob@two", clock=SystemClock())  # as the command has
    async with open_place(build_parser().parse_args(words), changes=True) as place:
        with pytest.raises(LockLostError, match="bob@two"):
            async with place.changing(OperationKind.ARCHIVES_REMOVE) as alone:
                await alone()
                holder = await holder_of(other, ANY)
                assert holder is not None
                await break_lock(other, ANY, holder)
                await ClusterLease(other, ANY, "save").acquire()
                await alone()
    entry = audit.read(stage.context.state_dir).entries[-1]
    assert (entry.what, entry.outcome) == ("archives remove", "Refused")


async def test_archives_are_read_through_and_judged_when_no_minicluster_runs(
    stage: Stage, archives: Archives, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.submit("true")
    await stage.well("delete", Choices(save_first=True))
    capsys.readouterr()
    assert await archives("verify", NAME, "--yes") == ExitCode.OK
    assert "complete (L2)" in capsys.readouterr().out
    (name,) = [name for name in stage.files() if name.endswith(".tar.gz")]
    whole = stage.volume.read(f"/fluxstate/{name}")
    stage.volume.write(f"/fluxstate/{name}", whole[: len(whole) // 2])
    assert await archives("verify", NAME, "--yes") == ExitCode.VERIFICATION
    assert "complete" not in capsys.readouterr().out
    assert await pods_of_ours(stage) == []
