"""What an interrupted operation left behind: looked up in the world, never assumed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.objects import read_by_name
from fluxstate_tui.context import OperationContext
from fluxstate_tui.errors import FluxstateError, said
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import journal
from fluxstate_tui.operations.archives import is_of_catalog, left_over
from fluxstate_tui.operations.audit import audited
from fluxstate_tui.operations.base import Choices, Outcome, OutcomeKind, StepState
from fluxstate_tui.operations.delete import DELETE
from fluxstate_tui.operations.journal import Record
from fluxstate_tui.operations.restore.plan import ARM, CREATE, TO_START
from fluxstate_tui.operations.snapshot import Snapshot, describe, queue_words, take_snapshot

NONE_THERE = "none_there"
"""The fact that the other cluster was asked, and has no new MiniCluster (any more)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is left of one operation, and the operation that would put it right ('' = none).

    `asked` is False when the world could not be looked at: then nothing is known to be in order.
    """

    record: Record
    says: tuple[str, ...]
    next: str = ""
    asked: bool = True

    @property
    def choices(self) -> Choices:
        """Of `next`: a restore takes the archive that the journal names, not the newest one."""
        archive = self.record.facts.get("archive") if self.next == "restore" else ""
        return Choices(archive=archive if isinstance(archive, str) else "")


def interrupted(record: Record) -> str:
    """What its journal says, in one sentence."""
    what = f"{record.operation} of {record.target}"
    return f"{what} was interrupted {record.reached} (by {record.who})."


def of_catalog(record: Record) -> Finding:
    """Of a change of a catalog: what its journal says, as nothing has to be asked for that."""
    return Finding(record, (interrupted(record), left_over(record)))


async def look(context: OperationContext, record: Record) -> Finding:
    """Compare a journal without an outcome with the world, as far as this cluster knows it."""
    if is_of_catalog(record):
        return of_catalog(record)
    server = context.cluster.server
    try:
        if server == record.server:
            return await _look_here(context, record)
        if server == record.facts.get("to_server"):
            return await _look_there(context, record)
    except FluxstateError as error:
        return not_asked(record, f"It cannot be asked now: {error.message.rstrip('.')}.")
    return not_asked(record, f"It belongs to another cluster: {record.server}.")


async def _look_here(context: OperationContext, record: Record) -> Finding:
    """In the cluster where its MiniCluster is, or was."""
    try:
        seen = await _seen(context, record.target)
    except NotFound:
        if goes_elsewhere(record) and record.target.uid:
            return not_asked(record, f"The old one is gone. {_go_there(record)}")
        going_to = arrival(record)
        if going_to is not None:
            return await _look_here(context, replace(record, target=going_to))
        return _absent(record)
    finding = judge(record, seen, interrupted(record))
    return finding if finding.next else await _left_over(context, record) or finding


async def _look_there(context: OperationContext, record: Record) -> Finding:
    """In the other cluster, where a migration was going to. The old one cannot be seen from there:
    whether it is gone is known from the journal, which has what was read back."""
    new = replace(record, target=_going_to(record) or record.target)
    state = record.steps.get(DELETE.id)
    if state == StepState.DONE.value:
        return await _look_here(context, new)
    there = await read_by_name(context, new.target) if state is None else None
    if there is not None:
        return await _unfinished_beside(context, new)
    old = f"the old one, in its own cluster: {record.server}."
    if state is None:
        # Who looks at the old one cannot see this: it is kept for them.
        journal.remember_later(record, NONE_THERE, True)
        return not_asked(record, f"There is no {new.target} here. Look at {old}")
    return not_asked(record, f"Look first for {old}")


def not_asked(record: Record, why: str) -> Finding:
    """Only its journal speaks: nothing is known of what it left."""
    return Finding(record, (interrupted(record), why), asked=False)


async def look_again(context: OperationContext, finding: Finding) -> Finding:
    """The same journal once what was offered is done: there may be a second thing to do."""
    return await look(context, journal.read(finding.record.path) or finding.record)


async def settle(context: OperationContext, finding: Finding) -> Finding | None:
    """Close it after what it offered was done. It stays open, and is returned, when something is
    still left, nobody can look, or the journal cannot be written."""
    now = await look_again(context, finding)
    if not now.asked or (now.next and now.next != finding.next):
        return now
    try:
        close(context, now)
    except FluxstateError as error:  # what was done is done
        why = f"{error.message}. {error.safe} {error.advice}"
        return replace(now, says=(*now.says[:1], why), next="")
    return None


async def _left_over(context: OperationContext, record: Record) -> Finding | None:
    """A migration that did not get far: the old one goes on, and the new one is there as well."""
    new = _beside(record)
    if new is None:
        return None
    if goes_elsewhere(record):
        return not_asked(record, f"The old one goes on. {_go_there(record)}")
    if await read_by_name(context, new) is None:
        return None
    return await _unfinished_beside(context, replace(record, target=new))


async def _unfinished_beside(context: OperationContext, record: Record) -> Finding:
    says = f"The old one goes on. The unfinished {record.target} is there as well, with a copy of "
    finding = Finding(record, (interrupted(record), says + "its jobs."), next="delete")
    try:
        seen = await _seen(context, record.target)
    except FluxstateError:  # its brokers do not answer (yet): it can be deleted all the same
        return finding
    if not seen.armed:
        return finding
    # The next one of that name would load it: once it is deleted, nobody looks there any more.
    armed = f"An archive is still armed at {seen.minicluster.archive_path}."
    return replace(finding, says=(*finding.says, armed), next="disarm")


async def _seen(context: OperationContext, ref: ClusterRef) -> Snapshot:
    client = await MiniClusterClient.open(context, ref)
    try:
        return await take_snapshot(client)
    finally:
        await client.close()


def _absent(record: Record) -> Finding:
    """Nothing of that name is there: what was about to be created can still be."""
    first = interrupted(record)
    archive, copy = record.facts.get("archive", ""), record.facts.get("copy")
    if record.operation == "restore" and ARM.id in record.steps:
        says = f"It was not created; its archive {archive} may still be armed."
        return Finding(record, (first, says), next="restore")
    if record.operation == "migrate" and (DELETE.id in record.steps or copy):
        says = f"The old one is gone and no new one is there: {archive} has every job."
        if copy:
            says += f" (And so has a copy on this computer: {copy})"
        return Finding(record, (first, says), next="restore")
    return Finding(record, (first, "That MiniCluster does not exist any more."))


def _going_to(record: Record) -> ClusterRef | None:
    """Where a migration was going to, None when it is none or did not get that far."""
    to = record.facts.get("to")
    if record.operation != "migrate" or not to:
        return None
    namespace, name = to
    return ClusterRef(namespace, name, "")


def arrival(record: Record) -> ClusterRef | None:
    """Where a migration was going to, None when it is no migration or this is that place."""
    there = _going_to(record)
    return None if there == record.target else there


def goes_elsewhere(record: Record) -> bool:
    """Whether it is a migration to another cluster than the one that its journal is of."""
    return bool(record.facts.get("to_server", record.server) != record.server)


def _beside(record: Record) -> ClusterRef | None:
    """The new one, if it may be there at the same time as the old one."""
    new, old = arrival(record), record.target
    if new is None or CREATE.id not in record.steps or record.facts.get(NONE_THERE):
        return None
    # Under the same name it is the old one itself that is there.
    same = (new.namespace, new.name) == (old.namespace, old.name)
    return None if same and not goes_elsewhere(record) else new


def _go_there(record: Record) -> str:
    """What to do about a new one that cannot be seen from the old one's cluster."""
    there = record.facts.get("to_context", "")
    return (
        f"The new one, {_going_to(record)}, is in context {there}, if it was made: look there "
        f"(fluxstate-tui unfinished --context {there})."
    )


def _arrived(record: Record, seen: Snapshot, first: str) -> Finding | None:
    """A migration whose old MiniCluster is gone: this is the new one, perhaps still stopped."""
    if record.operation != "migrate" or record.target.uid:
        return None
    if seen.armed:
        return _still_armed(record, seen, first)
    if not seen.started and record.facts.get("open"):
        says = f"The old one is gone; the queue here is stopped: {describe(seen.pending)} wait."
        return Finding(record, (first, says), next="resume")
    return None


def _restored(record: Record, seen: Snapshot, first: str) -> Finding | None:
    """A restore whose MiniCluster is there: armed before all, then with queues that do not run."""
    if record.operation != "restore":
        return None
    if seen.armed:
        return _still_armed(record, seen, first)
    stopped = {queue.name for queue in seen.queues or () if not queue.started}
    waiting = [name for name in record.facts.get(TO_START, ()) if name in stopped]
    if not waiting:
        return None
    words = queue_words(waiting)
    says = f"Named queues come up stopped, and {words} had been started: "
    return Finding(record, (first, f"{says}{describe(seen.pending)} wait."), next="resume")


def _still_armed(record: Record, seen: Snapshot, first: str) -> Finding:
    path = seen.minicluster.archive_path
    return Finding(record, (first, f"An archive is still armed at {path}."), next="disarm")


def judge(record: Record, seen: Snapshot, first: str) -> Finding:
    """The pure part of `look`: what to say and to offer for a MiniCluster that answers."""
    arrived = _arrived(record, seen, first) or _restored(record, seen, first)
    if arrived is not None:
        return arrived
    if record.operation != "pause" and (seen.stopped_by_us or seen.closed_by_us):
        says = "Its queue still refuses new jobs because of us."
        if seen.stopped_by_us:
            says = f"Its queue is still stopped by us: {describe(seen.pending)} wait."
        new = _beside(record)
        if new is not None:
            beside = f"The unfinished {new} may be there as well: delete it."
            says += f" {_go_there(record) if goes_elsewhere(record) else beside}"
        return Finding(record, (first, says), next="resume")
    state = "started" if seen.started else "stopped"
    return Finding(record, (first, f"Nothing of it is left: the queue is {state}."))


def close(context: OperationContext, finding: Finding) -> None:
    """Write into the journal that it was looked at, so that it is not offered again.

    Raises FluxstateError when that cannot be written.
    """
    close_in(context.state_dir, finding, context.clock.now())


def close_in(state_dir: Path, finding: Finding, now: float) -> None:
    """The same without a cluster; `now` in seconds since the epoch."""
    outcome = Outcome(OutcomeKind.FAILED, "interrupted; " + " ".join(finding.says[1:]))
    try:
        journal.close_unfinished(finding.record, outcome, now)
    except OSError as error:
        raise FluxstateError(
            f"the journal cannot be written: {said(error)}",
            safe="It stays open, and is found again.",
            advice=f"Make room in {state_dir}, or make it writable; see fluxstate-tui unfinished.",
        ) from error
    audited(state_dir, finding.record.path, outcome, now)
