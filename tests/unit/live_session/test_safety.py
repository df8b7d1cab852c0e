"""The dashboard's connection, without a screen: the guard works by itself, leftovers are found."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from fluxstate_tui.config import Config, GuardSettings
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.jobid import f58_ascii
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import LEASES
from fluxstate_tui.live.actions import JobRequest
from fluxstate_tui.live.connection import Connection
from fluxstate_tui.live.events import CatalogSeen, GuardSeen, MiniClusterGone, StoreEvent
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.picture import ClusterPicture
from fluxstate_tui.live.session import LiveActions
from fluxstate_tui.live.store import Store
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import audit, journal
from fluxstate_tui.operations.base import (
    Choices,
    Consent,
    ConsentKind,
    OperationKind,
    OutcomeKind,
    Plan,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.journal import Journal
from fluxstate_tui.operations.saving import PAUSE
from fluxstate_tui.tasks import Course
from tests.faults.stage import ARMED, NAME, NAMESPACE, Stage, staged

CONFIG = Config(guard=GuardSettings(checkpoint=5.0))


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(tmp_path / "state"))
    async with staged(tmp_path) as found:
        await found.create()
        yield found


@asynccontextmanager
async def connected(
    stage: Stage,
    folder: Path,
    config: Config = CONFIG,
    *,
    read_only: bool = False,
    store: Store | None = None,
) -> AsyncIterator[tuple[Store, LiveActions]]:
    """Feeds, guard and actions as the dashboard wires them."""
    store = store or Store()
    options = KubeOptions(kubeconfig=str(folder / "kubeconfig"), read_only=read_only)
    connection = Connection(options, store, stage.sim.clock, config)
    actions = LiveActions(connection, read_only)
    running = asyncio.create_task(connection.run())
    try:
        yield store, actions
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await actions.close()


async def until(condition: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


def guard_of(store: Store) -> GuardSeen | None:
    return next((picture.guard for picture in store.clusters.values()), None)


async def test_whoever_watches_guards(stage: Stage, tmp_path: Path) -> None:
    async with connected(stage, tmp_path) as (store, _):
        await stage.submit("true")
        await stage.flux("queue", "idle")
        before = await stage.jobs()
        instance = stage.sim.state.instance(NAMESPACE, NAME)
        assert instance is not None
        await until(lambda: instance.statedir.sequence == instance.sequence)
        await until(lambda: (seen := guard_of(store)) is not None and not seen.detail)
        await stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
        await stage.restarted()
        after = await stage.jobs()
    assert {one.id: one.t_run for one in after.values()} == {
        one.id: one.t_run for one in before.values()
    }


async def test_read_only_watches_and_does_not_guard(stage: Stage, tmp_path: Path) -> None:
    await stage.flux("kvs", "put", "--sync", "a=1")
    async with connected(stage, tmp_path, read_only=True) as (store, _):
        await until(
            lambda: (seen := guard_of(store)) is not None and seen.checkpoint_at is not None
        )
        seen = guard_of(store)
        assert seen is not None
        assert seen.detail == "off: read-only"


async def test_what_was_interrupted_is_closed_by_what_puts_it_right(
    stage: Stage, tmp_path: Path
) -> None:
    context, reference = stage.context, await stage.ref()
    plan = Plan(OperationKind.SAVE, reference, (PAUSE,), (), Consent(ConsentKind.NONE, "?"))
    for server in (context.cluster.server, "https://another"):
        Journal.begin(context.state_dir, plan, who="ghost", server=server, now=1.0).close()
    await stage.flux("queue", "stop", "--all", "-m", "fluxstate: save by ghost")
    async with connected(stage, tmp_path) as (store, actions):
        with pytest.raises(FluxstateError):
            await actions.close_interrupted("nosuch")
        await until(lambda: bool(store.clusters))
        (found,) = await actions.interrupted()
        assert (found.operation, found.next) == ("save", "resume")
        operation = await actions.prepare(OperationKind.RESUME, found.ref, Choices())
        outcome = await operation.run(lambda event: None)
        assert outcome.kind is OutcomeKind.COMPLETED
        assert await actions.interrupted() == ()
    (other,) = journal.unfinished(context.state_dir)
    assert other.server == "https://another"  # nobody can judge that from here


async def test_a_full_disk_makes_no_failure_of_what_was_put_right(
    stage: Stage, tmp_path: Path
) -> None:
    context, reference = stage.context, await stage.ref()
    plan = Plan(OperationKind.SAVE, reference, (PAUSE,), (), Consent(ConsentKind.NONE, "?"))
    server = context.cluster.server
    ghost = Journal.begin(context.state_dir, plan, who="ghost", server=server, now=1.0)
    ghost.remember("much", "x" * 100_000)  # so that only this journal meets the limit below
    ghost.close()
    await stage.flux("queue", "stop", "--all", "-m", "fluxstate: save by ghost")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with connected(stage, tmp_path) as (store, actions):
        await until(lambda: bool(store.clusters))
        (found,) = await actions.interrupted()
        operation = await actions.prepare(OperationKind.RESUME, found.ref, Choices())
        resource.setrlimit(resource.RLIMIT_FSIZE, (ghost.path.stat().st_size, before[1]))
        try:
            outcome = await operation.run(lambda event: None)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert outcome.kind is OutcomeKind.COMPLETED
        assert "the journal cannot be written" in outcome.advice
        (left,) = await actions.interrupted()
        assert left.id == found.id


async def test_what_is_put_right_by_halves_says_what_comes_next(
    stage: Stage, tmp_path: Path
) -> None:
    context, reference = stage.context, await stage.ref()
    plan = Plan(OperationKind.RESTORE, reference, (PAUSE,), (), Consent(ConsentKind.NONE, "?"))
    server = context.cluster.server
    Journal.begin(context.state_dir, plan, who="ghost", server=server, now=1.0).close()
    await stage.flux("queue", "stop", "--all", "-m", "fluxstate: restore by ghost")
    stage.volume.write(f"/{ARMED}", b"an archive that nobody disarmed")
    async with connected(stage, tmp_path) as (store, actions):
        await until(lambda: bool(store.clusters))
        (first,) = await actions.interrupted()
        assert first.next is not None
        operation = await actions.prepare(first.next, first.ref, Choices())
        outcome = await operation.run(lambda event: None)
        assert outcome.kind is OutcomeKind.COMPLETED
        (second,) = await actions.interrupted()
        assert {first.next, second.next} == {"resume", "disarm"}
        assert f"Next: {second.next}" in outcome.advice


@pytest.mark.parametrize(
    ("kind", "choices", "name"),
    [
        (OperationKind.RESTORE, Choices(), NAME),
        (OperationKind.MIGRATE, Choices(size=3), NAME),
        (OperationKind.MIGRATE, Choices(to_name="bigger", size=3), "bigger"),
    ],
    ids=["restored", "migrated", "migrated to another name"],
)
async def test_what_was_armed_meanwhile_is_not_said_to_be_armed_afterwards(
    stage: Stage, tmp_path: Path, kind: OperationKind, choices: Choices, name: str
) -> None:
    old = await stage.ref()
    await stage.flux("queue", "stop", "--all")  # no queue that is started makes anybody look again
    async with connected(stage, tmp_path) as (store, actions):
        await until(lambda: old.uid in store.clusters)
        if kind is OperationKind.RESTORE:
            await stage.well("delete", Choices(save_first=True))
            await until(lambda: store.clusters[old.uid].gone_at is not None)
            actions.agree_to_helper_pod(old)

        def coming() -> ClusterPicture | None:
            found = store.clusters.values()
            new = (one for one in found if one.ref.name == name and one.ref.uid != old.uid)
            return next(new, None)

        def keep(event: StepEvent) -> None:
            picture = coming()
            if picture is not None:
                actions.look("a screen", (picture.ref,))
                if event.step == "disarm" and event.state is StepState.RUNNING:
                    # As it was read while it was armed, whenever that was.
                    now = stage.sim.clock.now()
                    store.take(CatalogSeen(picture.ref, picture.catalog, True, now))

        operation = await actions.prepare(kind, old, choices)
        outcome = await operation.run(keep)
        assert outcome.kind is OutcomeKind.COMPLETED, outcome
        new = coming()
        assert new is not None
        await until(lambda: not new.armed)


class Noticing(Store):
    """Tells at once that a MiniCluster is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()

    def take(self, event: StoreEvent) -> None:
        super().take(event)
        if isinstance(event, MiniClusterGone):
            self.gone.set()


async def test_a_save_by_itself_gives_its_lock_back_when_its_minicluster_and_then_we_go(
    stage: Stage, tmp_path: Path
) -> None:
    store, locked = Noticing(), asyncio.Event()
    cluster = stage.context.cluster
    resource = await cluster.minicluster_resource()
    config = Config(guard=GuardSettings(checkpoint=None, save=1.0))

    async def gate(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/leases"):
            locked.set()
        elif locked.is_set() and "/exec" in path:
            await store.gone.wait()

    async with connected(stage, tmp_path, config, store=store):
        stage.sim.faults.gate = gate
        await locked.wait()
        await cluster.delete(resource, NAME, NAMESPACE)
        await store.gone.wait()
    assert await cluster.list(LEASES, NAMESPACE) == []


def is_live(store: Store, reference: ClusterRef) -> bool:
    source = store.source(f"queue:{reference.uid}")
    return source is not None and source.freshness is Freshness.LIVE


async def test_what_keys_do_to_jobs_is_in_the_audit_log_with_its_commands(
    stage: Stage, tmp_path: Path
) -> None:
    reference = await stage.ref()
    job = await stage.submit("--urgency=0", "sleep", "9999")
    async with connected(stage, tmp_path) as (store, actions):
        await until(lambda: is_live(store, reference))
        (answer,) = await actions.act_on_jobs(reference, (job,), JobRequest("release"), Course())
        assert answer.taken
    async with connected(stage, tmp_path, read_only=True) as (store, actions):
        await until(lambda: is_live(store, reference))
        with pytest.raises(FluxstateError, match="read-only"):
            await actions.act_on_jobs(reference, (job,), JobRequest("cancel"), Course())
    (entry,) = audit.read(tmp_path / "state").entries
    assert (entry.what, entry.outcome, entry.name) == ("job release", "Completed", NAME)
    assert "its eventlog says urgency: urgency 16" in entry.reason
    assert f"job urgency {f58_ascii(job)} 16" in entry.commands[0]
