"""What an interrupted operation left behind: looked up in the world, never assumed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue.journaled import is_of_catalogue, left_over
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.delete.plan import DELETE
from fluxstate_tui.operations.journal import journal
from fluxstate_tui.operations.journal.audited import audited
from fluxstate_tui.operations.journal.journal import Record
from fluxstate_tui.operations.plan import Outcome, OutcomeKind
from fluxstate_tui.operations.restore.plan import ARM
from fluxstate_tui.operations.world.observation import Observation, describe
from fluxstate_tui.operations.world.observe import observe
from fluxstate_tui.operations.world.read_cluster import read_by_name
from fluxstate_tui.operations.world.world import World


@dataclass(frozen=True, slots=True)
class Finding:
    """What is left of one operation, and the operation that would put it right ('' = none)."""

    record: Record
    says: tuple[str, ...]
    next: str = ""


def interrupted(record: Record) -> str:
    """What its journal says, in one sentence."""
    return (
        f"{record.operation} of {record.target} was interrupted at step "
        f"'{record.last_step or 'none'}' (by {record.who})."
    )


def of_catalogue(record: Record) -> Finding:
    """Of a change of a catalogue: what its journal says, as nothing has to be asked for that."""
    return Finding(record, (interrupted(record), left_over(record)))


async def look(context: OperationContext, record: Record) -> Finding:
    """Compare a journal without an outcome with the world."""
    first = interrupted(record)
    if is_of_catalogue(record):
        return of_catalogue(record)
    if record.server != context.cluster.server:
        return Finding(record, (first, f"It belongs to another cluster: {record.server}."))
    try:
        world = await World.open(context, record.target)
        try:
            seen = await observe(world)
        finally:
            await world.close()
    except NotFound:
        going_to = arrival(record)
        if going_to is not None:
            return await look(context, replace(record, target=going_to))
        return _absent(record, first)
    except FluxstateError as error:
        return Finding(record, (first, f"It cannot be asked now: {error.message}."))
    finding = judge(record, seen, first)
    if finding.next:
        return finding
    try:
        return await _left_over(context, record, first) or finding
    except FluxstateError as error:
        return Finding(record, (first, f"The new one cannot be asked for now: {error.message}."))


async def look_again(context: OperationContext, finding: Finding) -> Finding:
    """The same journal once what was offered is done: there may be a second thing to do."""
    return await look(context, journal.read(finding.record.path) or finding.record)


async def settle(context: OperationContext, finding: Finding) -> Finding | None:
    """Close it after what it offered was done; what is still left is returned and stays open."""
    now = await look_again(context, finding)
    if now.next and now.next != finding.next:
        return now
    close(context, now)
    return None


async def _left_over(context: OperationContext, record: Record, first: str) -> Finding | None:
    """A migration that did not get far: the old one goes on, and the new one is there as well."""
    new, old = arrival(record), record.target
    if new is None or (new.namespace, new.name) == (old.namespace, old.name):
        return None  # under the same name it is the old one itself that is there
    if await read_by_name(context, new) is None:
        return None
    says = f"The old one goes on. The unfinished {new} is there as well, with a copy of its jobs."
    return Finding(replace(record, target=new), (first, says), next="delete")


def _absent(record: Record, first: str) -> Finding:
    """Nothing of that name is there: what was about to be created can still be."""
    archive = record.facts.get("archive", "")
    if record.operation == "restore" and ARM.id in record.steps:
        says = f"It was not created; its archive {archive} may still be armed."
        return Finding(record, (first, says), next="restore")
    if record.operation == "migrate" and DELETE.id in record.steps:
        says = f"The old one is gone and no new one is there: {archive} has every job."
        if record.facts.get("copy"):
            says += f" (And so has a copy on this computer: {record.facts['copy']})"
        return Finding(record, (first, says), next="restore")
    return Finding(record, (first, "That MiniCluster does not exist any more."))


def arrival(record: Record) -> ClusterRef | None:
    """Where a migration was going to, None when it is no migration or this is that place."""
    to = record.facts.get("to")
    if record.operation != "migrate" or not to:
        return None
    namespace, name = to
    there = ClusterRef(namespace, name, "")
    return None if there == record.target else there


def _arrived(record: Record, seen: Observation, first: str) -> Finding | None:
    """A migration whose old MiniCluster is gone: this is the new one, perhaps still stopped."""
    if record.operation != "migrate" or record.target.uid:
        return None
    if seen.armed:
        path = seen.minicluster.archive_path
        return Finding(record, (first, f"An archive is still armed at {path}."), next="disarm")
    if not seen.started and record.facts.get("open"):
        says = f"The old one is gone; the queue here is stopped: {describe(seen.pending)} wait."
        return Finding(record, (first, says), next="resume")
    return None


def judge(record: Record, seen: Observation, first: str) -> Finding:
    """The pure part of `look`: what to say and to offer for a MiniCluster that answers."""
    arrived = _arrived(record, seen, first)
    if arrived is not None:
        return arrived
    if record.operation != "pause" and (seen.stopped_by_us or seen.closed_by_us):
        says = "Its queue still refuses new jobs because of us."
        if seen.stopped_by_us:
            says = f"Its queue is still stopped by us: {describe(seen.pending)} wait."
        new = arrival(record)
        if new is not None:
            says += f" The unfinished {new} may be there as well: delete it."
        return Finding(record, (first, says), next="resume")
    if seen.armed and record.operation == "restore":
        path = seen.minicluster.archive_path
        return Finding(record, (first, f"An archive is still armed at {path}."), next="disarm")
    state = "started" if seen.started else "stopped"
    return Finding(record, (first, f"Nothing of it is left: the queue is {state}."))


def close(context: OperationContext, finding: Finding) -> None:
    """Write into the journal that it was looked at, so that it is not offered again."""
    close_in(context.state_dir, finding, context.clock.now())


def close_in(state_dir: Path, finding: Finding, now: float) -> None:
    """The same without a cluster; `now` in seconds since the epoch."""
    outcome = Outcome(OutcomeKind.FAILED, "interrupted; " + " ".join(finding.says[1:]))
    journal.close_unfinished(finding.record, outcome, now)
    audited(state_dir, finding.record.path, outcome, now)
    copy = finding.record.facts.get("copy")
    if copy and not finding.next:  # a migration's own; every job is in a MiniCluster again
        Path(copy).unlink(missing_ok=True)
