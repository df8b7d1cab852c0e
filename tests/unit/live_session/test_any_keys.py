"""Whatever keys are pressed: read-only sends nothing that changes, and a delete needs consent."""

from __future__ import annotations

import os
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.tui.run import build
from tests.faults.stage import Stage, staged
from tests.unit.tui_screens.stage import screen_text, until

# One asks for one's own rights by POST.
HARMLESS = re.compile(r"/selfsubject\w+reviews")
CHANGES = re.compile(
    r'"topic": "(job-ingest|job-manager\.'
    r"(raise|urgency|queue-start|queue-enable|submit|update|kill))"
)
# Another number, other keys.
SEED = os.environ.get("FLUXSTATE_FAULT_SEED", "1")

# Not `q`, and not the palette that has "Quit": they end the trial. With the last ones a question
# is answered.
KEYS = [*"psdmrDncahbi", *["enter", "escape"] * 4, "asterisk", *["right", "down", "tab", "up"] * 2]


class Requests:
    """All that reaches the API server, and what is said to the brokers."""

    def __init__(self, stage: Stage) -> None:
        self.seen: list[tuple[str, str]] = []
        stage.sim.faults.gate = self._gate

    async def _gate(self, method: str, path: str) -> None:
        self.seen.append((method, path))

    @property
    def changing(self) -> list[tuple[str, str]]:
        """Those that change an object of the cluster."""
        asked = [one for one in self.seen if one[0] not in ("GET", "HEAD", "STDIN")]
        return [(method, path) for method, path in asked if not HARMLESS.search(path)]

    @property
    def told_brokers(self) -> list[str]:
        """Messages that change something in a queue."""
        return [said for method, said in self.seen if method == "STDIN" and CHANGES.search(said)]


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(tmp_path / "state"))
    async with staged(tmp_path) as found:
        await found.create()
        await found.submit("sleep", "100000")
        yield found


async def see(pilot: Pilot[Any], text: str) -> None:
    """Wait until it is on the screen; what is behind it is a whole cluster, on a busy machine."""
    await until(pilot, lambda: text in screen_text(pilot.app), 30)


@asynccontextmanager
async def dashboard(
    stage: Stage, folder: Path, *, read_only: bool
) -> AsyncIterator[tuple[Pilot[Any], Requests]]:
    """The program itself, on a cluster that notes what it is asked."""
    kubeconfig = str(folder / "kubeconfig")
    app = build(KubeOptions(kubeconfig=kubeconfig, read_only=read_only))
    app.animation_level = "none"
    async with app.run_test(size=(100, 30)) as pilot:
        await see(pilot, "started")
        yield pilot, Requests(stage)


async def test_read_only_sends_nothing_that_changes_whatever_is_pressed(
    stage: Stage, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    async with dashboard(stage, tmp_path, read_only=True) as (pilot, requests):
        for _ in range(9):
            await pilot.press(*chance.choices(KEYS, k=4))
        assert pilot.app.is_running
    assert requests.changing == []
    assert requests.told_brokers == []
    assert await stage.started()


QUESTIONS = (("d", "enter"), ("d", "down", "enter"), ("m", "plus", "enter"))


async def test_until_a_question_is_answered_no_request_changes_anything(
    stage: Stage, tmp_path: Path
) -> None:
    async with dashboard(stage, tmp_path, read_only=False) as (pilot, requests):
        for keys in QUESTIONS:
            await pilot.press(*keys)
            await see(pilot, "Go ahead")
            await pilot.press("space", *"flux", "enter", "enter")
            await pilot.press("escape", "escape")
            await see(pilot, "s save")
        assert [path for _, path in requests.changing if "dryRun=All" not in path] == []
        assert requests.told_brokers == []
        await pilot.press("p")  # this one asks nothing, as it can be taken back
        await see(pilot, "✓ Completed")
        assert requests.told_brokers
        assert "leases" in {kind_of(path) for _, path in requests.changing}


def kind_of(path: str) -> str:
    """The plural of the resource."""
    found = re.search(r"/namespaces/[^/]+/([^/?]+)", path)
    return found[1] if found else path
