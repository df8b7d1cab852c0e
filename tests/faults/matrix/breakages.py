"""What goes wrong: each fault, the points where it makes sense, and how it is done."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fluxstate_tui.sim.faults import Faults
from tests.faults.stage import FOLDER, NAMESPACE

from .look import SUFFIX, in_archives, lead_pod, living
from .points import Hit, Point, chosen, steps
from .scenarios import NEW, Scenario
from .trial import Trial

Strike = Callable[[Trial, Hit], Awaitable[None]]
Choose = Callable[[list[Point]], list[Point]]
OUTAGE_SECONDS = 0.3
LONG = -1


@dataclass(frozen=True, slots=True)
class Breakage:
    """One kind of fault. `at` chooses points of a clean run; `kills` says that it is SIGKILL.

    `of_steps`: it happens to a step, not to a request.
    """

    name: str
    at: Choose
    strike: Strike
    kills: bool = False
    of_steps: bool = False


def _requests(seen: list[Point]) -> list[Point]:
    """Those that change something, and one that reads in each step."""
    found = [point for point in chosen(seen) if not point.is_message]
    reads = steps([point for point in found if not point.changes], 0.5)
    return [point for point in found if point.changes or point in reads]


def _commands(seen: list[Point]) -> list[Point]:
    return [point for point in _changes_and_steps(seen) if point.is_exec or point.is_message]


def _changing_execs(seen: list[Point]) -> list[Point]:
    return [point for point in chosen(seen) if point.is_exec and point.changes]


def _changes(seen: list[Point]) -> list[Point]:
    return [point for point in chosen(seen) if point.changes]


def _changes_and_steps(seen: list[Point]) -> list[Point]:
    begins = steps(chosen(seen), 0.0)
    return [point for point in chosen(seen) if point.changes or point in begins]


def _steps(seen: list[Point]) -> list[Point]:
    return steps(chosen(seen), 0.5)


def _add(faults: Faults, kind: str, hit: Hit, **options: object) -> None:
    faults.add(kind, method=hit.method, path=re.escape(hit.path), **options)


async def _cut(trial: Trial, hit: Hit) -> None:
    _add(trial.faults, "stdin-cut" if hit.point.is_message else "drop", hit)


async def _lose_answer(trial: Trial, hit: Hit) -> None:
    point = hit.point
    kind = "exec-cut" if point.is_exec else "lost-answer"
    _add(trial.faults, "stdin-lost" if point.is_message else kind, hit)


async def _kill_command(trial: Trial, hit: Hit) -> None:
    _add(trial.faults, "stdin-killed" if hit.point.is_message else "exec-killed", hit)


async def _kill_command_late(trial: Trial, hit: Hit) -> None:
    _add(trial.faults, "exec-killed", hit, amount=1)


async def _no_end(trial: Trial, hit: Hit) -> None:
    _add(trial.faults, "exec-no-status", hit)


def _status(code: int) -> Strike:
    async def strike(trial: Trial, hit: Hit) -> None:
        _add(trial.faults, "status", hit, code=code, seconds=1.0 if code == 429 else 0.0)

    return strike


async def _cut_for_good(trial: Trial, hit: Hit) -> None:
    trial.may_litter = True
    trial.faults.add("drop", count=LONG)
    trial.faults.add("stdin-cut", count=LONG)


async def _forbidden_for_good(trial: Trial, hit: Hit) -> None:
    trial.may_litter = True
    trial.faults.add("status", code=403, count=LONG)


async def _restart_api(trial: Trial, hit: Hit) -> None:
    await trial.faults.do("restart-api", seconds=OUTAGE_SECONDS)


def _newest(trial: Trial) -> str | None:
    """The MiniCluster that is being worked on, and has a lead."""
    names = [name for name in living(trial.stage) if lead_pod(trial.stage, name)]
    return (NEW.name if NEW.name in names else names[0]) if names else None


def _oldest(trial: Trial) -> str | None:
    names = [name for name in living(trial.stage) if name != NEW.name]
    return next((name for name in names if lead_pod(trial.stage, name)), None)


def _kill_lead(which: Callable[[Trial], str | None]) -> Strike:
    async def strike(trial: Trial, hit: Hit) -> None:
        name = which(trial)
        trial.changed_since = True
        if name is not None and trial.stage.sim.state.instance(NAMESPACE, name) is not None:
            await trial.faults.do("kill-lead", namespace=NAMESPACE, minicluster=name)

    return strike


def _evict(which: Callable[[Trial], str | None]) -> Strike:
    async def strike(trial: Trial, hit: Hit) -> None:
        """The pod that this request is for, else the lead."""
        found = re.search(r"/pods/([\w-]+)", hit.path)
        name = which(trial)
        pod = found[1] if found else (lead_pod(trial.stage, name) if name else None)
        trial.give_up(in_archives(trial.stage))
        if pod is not None:
            trial.evict(pod)

    return strike


async def _lose_node(trial: Trial, hit: Hit) -> None:
    trial.give_up(in_archives(trial.stage))
    await trial.faults.do("lose-node", seconds=10.0)


async def _fill_disk(trial: Trial, hit: Hit) -> None:
    await trial.faults.do("fill-disk", path="/data", free=0)


async def _damage(trial: Trial, hit: Hit) -> None:
    """One bit of the newest archive that had a name and a manifest."""
    stage = trial.stage
    names = [name for name in stage.finished() if name.endswith(SUFFIX)]
    with_manifest = [n for n in names if n.removesuffix(SUFFIX) + ".json" in stage.finished()]
    if not with_manifest:
        return
    newest = max(with_manifest)
    data = bytearray(stage.volume.read(f"{FOLDER}/{newest}"))
    data[len(data) // 2] ^= 1
    stage.volume.write(f"{FOLDER}/{newest}", bytes(data))
    trial.damaged.add(newest)
    # A queue that is being deleted already cannot stand for it any more.
    staying = [one.jobs or () for one in living(stage).values() if not one.leaving]
    trial.give_up(in_archives(stage).union(*staying))


async def _rival(trial: Trial, hit: Hit) -> None:
    await trial.rival()


async def _sigkill(trial: Trial, hit: Hit) -> None:
    await trial.kill()
    await _cut(trial, hit)


async def _sigkill_after(trial: Trial, hit: Hit) -> None:
    """The request has its effect, but the program does not live to hear of it."""
    trial.kill_soon()


ALL = (
    Breakage("connection cut before", chosen, _cut),
    Breakage("answer lost", _changes, _lose_answer),
    Breakage("exec killed", _commands, _kill_command),
    Breakage("exec killed late", _changing_execs, _kill_command_late),
    Breakage("exec without an end", _changing_execs, _no_end),
    *(Breakage(f"HTTP {code}", _requests, _status(code)) for code in (403, 409, 410, 429, 500)),
    Breakage("connection lost for good", _steps, _cut_for_good, of_steps=True),
    Breakage("rights lost for good", _steps, _forbidden_for_good, of_steps=True),
    Breakage("API server restart", _steps, _restart_api, of_steps=True),
    Breakage("lead container killed", _steps, _kill_lead(_newest), of_steps=True),
    Breakage("old lead container killed", _steps, _kill_lead(_oldest), of_steps=True),
    Breakage("pod evicted", _steps, _evict(_newest), of_steps=True),
    Breakage("old pod evicted", _steps, _evict(_oldest), of_steps=True),
    Breakage("node gone", _steps, _lose_node, of_steps=True),
    Breakage("disk full", _steps, _fill_disk, of_steps=True),
    Breakage("archive damaged", _steps, _damage, of_steps=True),
    Breakage("second operator", _steps, _rival, of_steps=True),
    Breakage("SIGKILL", _changes_and_steps, _sigkill, kills=True, of_steps=True),
    Breakage("SIGKILL after the effect", _changes, _sigkill_after, kills=True, of_steps=True),
)
BY_NAME = {breakage.name: breakage for breakage in ALL}

# Several at once are what each of them is alone; but a process is killed in all of them at once.
_BULK = ("connection lost for good", "lead container killed", "second operator", "SIGKILL",
         "SIGKILL after the effect")  # fmt: skip


def points(breakage: Breakage, scenario: Scenario, seen: list[Point]) -> list[Point]:
    """Where that fault is tried in that operation; `seen` are the points of a clean run."""
    if breakage.name.startswith("old ") and scenario.name != "migrate beside":
        return []
    if scenario.name.startswith("bulk") and breakage.name not in _BULK:
        return []
    found = breakage.at(seen)
    if breakage.of_steps:
        return found
    return [point for point in found if point.step not in scenario.shares]
