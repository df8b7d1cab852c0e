"""The operations of the matrix: what is there before, what is done, and what must come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Choices, Outcome
from fluxstate_tui.operations.restore.steps import bring_up
from fluxstate_tui.sim.worlds.manifests import minicluster
from tests.faults.stage import ANY, ARMED, NAME, NAMESPACE, Stage

from .actor import Actor
from .attic import ABOUT_JOBS, Attic
from .look import SUFFIX, Living, in_archives, living

NEW = ClusterRef(NAMESPACE, "bigger", "")
SECOND = ClusterRef(NAMESPACE, "second", "")
BY_HAND = "/by-hand.tar.gz"
_BUILDER = Callable[[Stage, Attic], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One operation. `reached` says what is missing of its goal, '' when nothing is.

    `reached` is given the jobs that must be there. `removes` are files that may go. `shares` are
    steps that it has in common with another one: their single requests are broken there.
    """

    name: str
    build: _BUILDER
    run: Callable[[Actor, Attic], Awaitable[Outcome]]
    reached: Callable[[Stage, Attic, set[int]], str]
    removes: Callable[[Attic], tuple[str, ...]] = lambda attic: ()
    shares: frozenset[str] = frozenset()


async def _alive(stage: Stage, attic: Attic) -> None:
    """A MiniCluster with a job that is done and one that is held, as of the last checkpoint."""
    attic.put(stage, attic.older)
    await stage.create()
    for words in ABOUT_JOBS:
        await stage.submit(*words)
    await stage.flux("queue", "idle")
    await stage.flux("kvs", "put", "--sync", "guard=1")


async def _paused(stage: Stage, attic: Attic) -> None:
    await _alive(stage, attic)
    await stage.flux("queue", "stop", "--all", "-m", "fluxstate: paused by me@test")


async def _saved(stage: Stage, attic: Attic) -> None:
    await _alive(stage, attic)
    await stage.well("save")
    await stage.flux("kvs", "put", "--sync", "guard=2")


async def _armed(stage: Stage, attic: Attic) -> None:
    await _alive(stage, attic)
    await stage.flux("dump", f"/state/{ARMED}")


async def _gone(stage: Stage, attic: Attic) -> None:
    stage.volume.makedirs("/")
    attic.put(stage, attic.older, attic.newer)
    attic.remember(stage)


async def _two(stage: Stage, attic: Attic) -> None:
    await _alive(stage, attic)
    resource = await stage.context.cluster.minicluster_resource()
    stage.volume.mkdir("/second")
    body = minicluster(SECOND.name, 1, archive={"path": "/state/second/archive.tar.gz"})
    await stage.context.cluster.create(resource, body, NAMESPACE)
    await (await bring_up(stage.context, SECOND, 300.0, lambda text: None)).close()


async def _with_two_archives(stage: Stage, attic: Attic) -> None:
    await _alive(stage, attic)
    attic.put(stage, attic.newer)


async def _with_one_by_hand(stage: Stage, attic: Attic) -> None:
    await _alive(stage, attic)
    stage.volume.write(BY_HAND, attic.files[attic.newer + SUFFIX])


# -- what must come of it ----------------------------------------------------------------------


def _one(stage: Stage, name: str = NAME) -> Living | None:
    return living(stage).get(name)


def _is_open(stage: Stage, wanted: bool) -> str:
    one = _one(stage)
    if one is None or one.started is not wanted:
        return f"the queue is not {'started' if wanted else 'stopped'}"
    return ""


def _is_saved(stage: Stage, attic: Attic, jobs: set[int]) -> str:
    missing = jobs - in_archives(stage)
    return f"{len(missing)} jobs are in no archive" if missing else _runs(stage)


def _runs(stage: Stage) -> str:
    closed = [one.name for one in living(stage).values() if not one.open]
    return f"closed queues: {closed}" if closed else ""


def _is_deleted(stage: Stage, attic: Attic, jobs: set[int]) -> str:
    missing = jobs - in_archives(stage)
    if missing:
        return f"{len(missing)} jobs are in no archive"
    return "it is still there" if _one(stage) else ""


def _all_deleted(stage: Stage, attic: Attic, jobs: set[int]) -> str:
    return _is_deleted(stage, attic, jobs) or ("a second one is there" if living(stage) else "")


def _has_all(stage: Stage, name: str, jobs: set[int]) -> str:
    one = _one(stage, name)
    if one is None or one.jobs is None or one.leaving:
        return f"{name} does not run"
    if not one.open:
        return f"the queue of {name} is not open"
    if stage.armed():
        return "an archive is armed"
    missing = jobs - one.jobs
    return f"{len(missing)} jobs are not in {name}" if missing else ""


def _is_disarmed(stage: Stage, attic: Attic, jobs: set[int]) -> str:
    return "an archive is armed" if stage.armed() else ""


def _moved_beside(stage: Stage, attic: Attic, jobs: set[int]) -> str:
    return "the old one is still there" if _one(stage) else _has_all(stage, NEW.name, jobs)


def _moved(stage: Stage, attic: Attic, jobs: set[int]) -> str:
    return _has_all(stage, NAME, jobs) or ("" if _pods(stage) == 3 else "it is not bigger")


def _pods(stage: Stage) -> int:
    found = stage.sim.state.store.get(stage.sim.state.flavour.kind, NAMESPACE, NAME)
    return int(found["spec"]["size"]) if found else 0


def _is_removed(stage: Stage, attic: Attic, jobs: set[int]) -> str:
    here = stage.finished()
    left = [name for name in _files(attic) if name in here]
    return f"still there: {left}" if left else ""


def _is_adopted(stage: Stage, attic: Attic, jobs: set[int]) -> str:
    from fluxstate_tui.archive.reader import read_archive

    wanted = {one.job.id for one in read_archive(attic.files[attic.newer + SUFFIX]).jobs}
    return "" if wanted <= in_archives(stage) else "it has no manifest"


def _files(attic: Attic) -> tuple[str, ...]:
    return attic.older + SUFFIX, attic.older + ".json"


SAVE = frozenset(("prepare", "lease", "pause", "wait", "dump", "verify", "enter"))
SAVE_ALL = SAVE | {"commit", "manifest", "resume"}
DELETE = SAVE_ALL | {"close", "compare", "delete", "gone"}
SAVE_FIRST = Choices(save_first=True)
ALL = (
    Scenario("pause", _alive, lambda me, attic: me.do("pause", ANY, Choices()),
             lambda stage, attic, jobs: _is_open(stage, False)),
    Scenario("resume", _paused, lambda me, attic: me.do("resume", ANY, Choices()),
             lambda stage, attic, jobs: _is_open(stage, True)),
    Scenario("save", _alive, lambda me, attic: me.do("save", ANY, Choices()), _is_saved),
    Scenario("save, restore paused", _alive,
             lambda me, attic: me.do("save", ANY, Choices(restore_paused=True)), _is_saved,
             shares=SAVE),
    Scenario("delete", _saved, lambda me, attic: me.do("delete", ANY, Choices()), _is_deleted,
             shares=frozenset(("lease",))),
    Scenario("save and delete", _alive,
             lambda me, attic: me.do("delete", ANY, SAVE_FIRST), _is_deleted,
             shares=SAVE_ALL | {"delete", "gone"}),
    Scenario("restore", _gone, lambda me, attic: me.do("restore", ANY, Choices()),
             lambda stage, attic, jobs: _has_all(stage, NAME, jobs)),
    Scenario("disarm", _armed, lambda me, attic: me.do("disarm", ANY, Choices()), _is_disarmed),
    Scenario("migrate beside", _alive,
             lambda me, attic: me.do("migrate", ANY, Choices(to_name=NEW.name, size=3)),
             _moved_beside, shares=DELETE),
    Scenario("migrate, same name", _alive,
             lambda me, attic: me.do("migrate", ANY, Choices(size=3)), _moved,
             shares=DELETE | {"check", "arm", "disarm", "checkpoint"}),
    Scenario("bulk save", _two,
             lambda me, attic: me.bulk("save", (ANY, SECOND), Choices()), _is_saved,
             shares=DELETE),
    Scenario("bulk save and delete", _two,
             lambda me, attic: me.bulk("delete", (ANY, SECOND), SAVE_FIRST), _all_deleted,
             shares=DELETE),
    Scenario("archives remove", _with_two_archives,
             lambda me, attic: me.archives("remove", NAME, attic.older, "--yes"),
             _is_removed, _files),
    Scenario("archives prune", _gone,
             lambda me, attic: me.archives("prune", NAME, "--keep-last", "1", "--yes"),
             _is_removed, _files),
    Scenario("archives adopt", _with_one_by_hand,
             lambda me, attic: me.archives("adopt", NAME, f"/state{BY_HAND}", "--yes"),
             _is_adopted),
)  # fmt: skip
BY_NAME = {scenario.name: scenario for scenario in ALL}
