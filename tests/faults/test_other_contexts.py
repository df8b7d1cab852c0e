"""A migration to another cluster: each side is asked where it is, also after a kill."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.cli import migrate_run
from fluxstate_tui.cli.history_run import unfinished
from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.cli.options import configuration
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import LEASES
from fluxstate_tui.live.connection import Connection
from fluxstate_tui.live.session import LiveActions
from fluxstate_tui.live.store import Store
from fluxstate_tui.operations import journal, recovery
from fluxstate_tui.operations.base import (
    Choices,
    OperationKind,
    Outcome,
    OutcomeKind,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.migrate import migrate
from fluxstate_tui.sim.server import SimulatedCluster
from tests.faults.stage import NAME, NAMESPACE, SPEED, Stage
from tests.faults.test_kills import killed_at
from tests.unit.live_session.test_safety import until

OTHER = "other"
WORDS = ("migrate", NAME, "--to-context", OTHER, "--yes")


@dataclass
class TwoClusters:
    """`here` has a MiniCluster, `there` none; both are contexts of one kubeconfig."""

    here: Stage
    there: Stage
    folder: Path

    async def migrate(self, stop: str = "") -> Outcome:
        """To the other one; cancelled when the step `stop` begins."""
        ref = await self.here.ref()
        operation = await migrate.prepare(self.here.context, ref, Choices(), self.there.context)

        def watch(event: StepEvent) -> None:
            if event.step == stop and event.state is StepState.RUNNING:
                operation.cancel()

        return await operation.run(watch)


@pytest.fixture
async def two(stage: Stage, tmp_path: Path) -> AsyncIterator[TwoClusters]:
    async with SimulatedCluster(speed=SPEED) as sim:
        both, other = stage.sim.kubeconfig(), sim.kubeconfig()
        for kind in ("clusters", "users", "contexts"):
            other[kind][0]["name"] = OTHER
            both[kind] += other[kind]
        both["contexts"][1]["context"] |= {"cluster": OTHER, "user": OTHER}
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(both))
        options = KubeOptions(kubeconfig=str(path), context=OTHER)
        async with await Cluster.open(options, sim.clock) as cluster:
            context = OperationContext(cluster, sim.clock, stage.context.state_dir, "me@test")
            yield TwoClusters(stage, Stage(sim, context), tmp_path)


async def test_killed_when_only_the_other_cluster_has_it_nothing_is_restored_a_second_time(
    two: TwoClusters,
) -> None:
    job = await two.here.submit("--urgency=0", "true")
    await killed_at(two.here, two.folder, "open", *WORDS)
    (record,) = journal.unfinished(two.here.context.state_dir)
    seen = await recovery.look(two.here.context, record)
    assert (seen.next, seen.asked) == (None, False), seen
    assert f"--context {OTHER}" in seen.says[-1]
    assert await recovery.settle(two.here.context, seen) == seen, "it stays open"
    arrived = await recovery.look(two.there.context, record)
    # Nothing is left when the kill came after the queue was opened there.
    opened = await two.there.started()
    assert arrived.next in (("resume", "disarm", None) if opened else ("resume", "disarm")), arrived
    assert set(await two.there.jobs()) == {job}


async def test_stopped_in_the_middle_it_is_removed_there_and_the_old_one_goes_on(
    two: TwoClusters,
) -> None:
    job = await two.here.submit("--urgency=0", "true")
    outcome = await two.migrate(stop="agree")
    assert outcome.kind is OutcomeKind.CANCELLED, outcome
    assert await two.here.started()
    assert set(await two.here.jobs()) == {job}
    with pytest.raises(FluxstateError) as gone:
        await two.there.ref()
    assert gone.value.exit_code is ExitCode.NOT_FOUND
    assert two.here.unfinished() == []


async def test_killed_with_both_there_the_copy_is_removed_by_what_unfinished_says(
    two: TwoClusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await two.here.submit("--urgency=0", "true")
    await killed_at(two.here, two.folder, "account", *WORDS)
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(two.here.context.state_dir))
    (record,) = journal.unfinished(two.here.context.state_dir)
    place = ("--finish", record.path.stem, "--kubeconfig", str(two.folder / "kubeconfig"))

    async def finish(*words: str) -> int:
        for stage in (two.here, two.there):  # the dead one's locks would expire after 30 s
            with contextlib.suppress(NotFound):
                await stage.context.cluster.delete(LEASES, f"fluxstate-{NAME}", NAMESPACE)
        return await unfinished(build_parser().parse_args(["unfinished", *place, *words]))

    assert await finish("--context", OTHER, "--yes") == ExitCode.OK
    left = [name for name in two.there.volume.listdir("/") if name.endswith(".gz")]
    assert left == [], "the next one of that name would load it"
    assert await finish("--context", OTHER, "--yes") == ExitCode.REFUSED
    assert await finish("--context", OTHER, "--i-know-what-is-lost", NAME) == ExitCode.OK
    with pytest.raises(FluxstateError) as gone:
        await two.there.ref()
    assert gone.value.exit_code is ExitCode.NOT_FOUND
    assert two.here.unfinished() == ["migrate"], "its queue is still stopped"
    assert await finish("--yes") == ExitCode.OK
    assert two.here.unfinished() == []
    assert await two.here.started()
    assert set(await two.here.jobs()) == {job}


@pytest.fixture
def protected(two: TwoClusters, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The other context is protected; the methods of the requests that reach it."""
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(two.here.context.state_dir))
    monkeypatch.setenv("FLUXSTATE_CONFIG_DIR", str(two.folder))
    (two.folder / "config.yaml").write_text(f"protected: [{OTHER}]\n")
    configuration.cache_clear()
    asked: list[str] = []

    async def gate(method: str, path: str) -> None:
        if "/selfsubject" not in path:  # what one may do is asked by POST
            asked.append(method)

    two.there.sim.faults.gate = gate
    yield asked
    configuration.cache_clear()


async def test_a_protected_context_is_no_destination_of_a_command(
    two: TwoClusters, protected: list[str]
) -> None:
    words = [*WORDS, "--kubeconfig", str(two.folder / "kubeconfig")]
    with pytest.raises(FluxstateError) as refused:
        await migrate_run.migrate(build_parser().parse_args(words), Choices(to_context=OTHER))
    assert refused.value.exit_code is ExitCode.REFUSED
    assert refused.value.message == f"{OTHER} is read-only"
    assert set(protected) <= {"GET"}
    assert await two.here.started()


async def test_a_protected_context_is_no_destination_of_the_dashboard(
    two: TwoClusters, protected: list[str]
) -> None:
    options = KubeOptions(kubeconfig=str(two.folder / "kubeconfig"))
    store, config = Store(), configuration()
    connection = Connection(options, store, two.here.sim.clock, config)
    actions = LiveActions(connection, False, config.protects)
    running = asyncio.create_task(connection.run())
    try:
        await until(lambda: bool(store.clusters))
        with pytest.raises(FluxstateError) as refused:
            await actions.prepare(
                OperationKind.MIGRATE, await two.here.ref(), Choices(to_context=OTHER)
            )
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await actions.close()
    assert refused.value.exit_code is ExitCode.REFUSED
    assert set(protected) == {"GET"}
    assert await two.here.started()
