"""What nobody could look at is not called done: its journal stays open."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxstate_tui.cli.history_run import unfinished
from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.operations import journal, recovery
from fluxstate_tui.operations.base import Consent, ConsentKind, OperationKind, Plan
from fluxstate_tui.operations.journal import Journal
from fluxstate_tui.operations.steps import RefusedError
from fluxstate_tui.sim.worlds.manifests import minicluster
from tests.faults.stage import NAME, NAMESPACE, Stage, staged


async def killed_save(stage: Stage) -> str:
    """Of a MiniCluster whose brokers cannot be asked any more; the id of its journal."""
    resource = await stage.context.cluster.minicluster_resource()
    body = minicluster(NAME, 1)
    body["spec"]["containers"][0]["image"] = "nosuch.invalid/flux:1"
    await stage.context.cluster.create(resource, body, NAMESPACE)
    plan = Plan(OperationKind.SAVE, await stage.ref(), (), (), Consent(ConsentKind.NONE, ""))
    context = stage.context
    Journal.begin(
        context.state_dir, plan, who="me@here", server=context.cluster.server, now=0.0
    ).close()
    return journal.unfinished(context.state_dir)[0].path.stem


async def test_an_interrupted_operation_that_cannot_be_looked_at_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(tmp_path) as stage:
        monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(stage.context.state_dir))
        identity = await killed_save(stage)
        (record,) = journal.unfinished(stage.context.state_dir)
        finding = await recovery.look(stage.context, record)
        assert "cannot be asked now" in finding.says[-1]
        assert await recovery.settle(stage.context, finding) is not None
        place = ["--kubeconfig", str(tmp_path / "kubeconfig")]

        async def ask(*words: str) -> None:
            args = build_parser().parse_args(["unfinished", *words, *place])
            await unfinished(args)

        for words in (("--finish", identity), ("--finish", identity, "-y"), ("--close", identity)):
            with pytest.raises(RefusedError, match="nobody could look"):
                await ask(*words)
        assert stage.unfinished() == ["save"]
        await ask("--close", identity, "--yes")
        assert stage.unfinished() == []
