"""Connections that break in the middle: nothing half is left, nothing good is gone unsaid."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fluxstate_tui.cli.catalog_run import COMMANDS
from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.objects import LEASES, PODS
from fluxstate_tui.operations.base import Choices
from tests.faults.stage import NAME, NAMESPACE, Stage, staged

STRIDE = 1 if os.environ.get("FLUXSTATE_ALL_FAULTS") else 9
KINDS = ("drop", "lost-answer", "exec-cut", "exec-no-status", "exec-truncate")


@pytest.fixture
async def stage(tmp_path: Path, state: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as found:
        await found.create()
        await found.submit("true")
        await found.well("save")
        await found.well("save")
        yield found


async def broken(stage: Stage, kind: str, skip: int, *words: str) -> tuple[bool, bool]:
    """One command with a fault after `skip` requests: whether it ended well, whether it was hit."""
    kubeconfig = stage.context.state_dir.parent / "kubeconfig"
    args = build_parser().parse_args(["archives", *words, "--kubeconfig", str(kubeconfig)])
    stage.sim.faults.add(kind, skip=skip, amount=100)
    try:
        well = await COMMANDS[words[0]](args) == 0
    except FluxstateError:
        well = False
    hit = not stage.sim.faults.active
    stage.sim.faults.clear()
    return well, hit


async def left_over(stage: Stage) -> list[str]:
    """Helper pods and leases that should be gone."""
    pods = await stage.context.cluster.list(PODS, NAMESPACE)
    leases = await stage.context.cluster.list(LEASES, NAMESPACE)
    names = [item["metadata"]["name"] for item in (*pods, *leases)]
    return [name for name in names if name.startswith("fluxstate-")]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_broken_fetch_is_whole_or_not_there(
    stage: Stage, tmp_path: Path, kind: str
) -> None:
    await stage.well("delete", Choices(save_first=False))
    before = stage.files()
    newest = max(name.removesuffix(".json") for name in before if name.endswith(".json"))
    whole = stage.volume.read(f"/fluxstate/{newest}.tar.gz")
    hits = 0
    for skip in range(0, 80, STRIDE):
        target = tmp_path / f"{kind}-{skip}"
        target.mkdir()
        words = ("fetch", NAME, newest, "--to", str(target), "--yes")
        well, hit = await broken(stage, kind, skip, *words)
        found = {path.name: path.read_bytes() for path in target.iterdir()}
        assert found.keys() <= {f"{newest}.tar.gz", f"{newest}.json"}, skip
        assert found.get(f"{newest}.tar.gz", whole) == whole
        assert len(found) == 2 or not well, skip
        assert stage.files() == before
        assert await left_over(stage) == [], skip
        hits += hit
        if not hit:
            assert well
            break
    assert hits


@pytest.mark.parametrize("kind", KINDS)
async def test_a_broken_removal_takes_nothing_else_and_can_be_repeated(
    stage: Stage, kind: str
) -> None:
    first = dict(stage.files())
    oldest, newest = sorted(name.removesuffix(".json") for name in first if "json" in name)
    data = {name: stage.volume.read(f"/fluxstate/{name}") for name in first}
    hits = 0
    for skip in range(0, 80, STRIDE):
        well, hit = await broken(stage, kind, skip, "remove", NAME, oldest, "--yes")
        there = stage.files()
        kept = {name: sha for name, sha in first.items() if name.startswith(newest)}
        assert kept.items() <= there.items(), skip
        assert not well or there.keys() == kept.keys(), skip
        assert await left_over(stage) == [], skip
        for name in first.keys() - there.keys():
            stage.volume.write(f"/fluxstate/{name}", data[name])
        hits += hit
        if not hit:
            assert well
            break
    assert hits
