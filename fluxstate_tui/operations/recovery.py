"""What an interrupted operation left behind: looked up in the world, never assumed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.objects import read_by_name
from fluxstate_tui.broker.shell_commands import option, own_line
from fluxstate_tui.errors import FluxstateError, said
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import journal
from fluxstate_tui.operations.archives import is_of_catalog, left_over
from fluxstate_tui.operations.arming import still_armed
from fluxstate_tui.operations.audit import audited
from fluxstate_tui.operations.base import (
    Choices,
    LeftBehind,
    OperationKind,
    Outcome,
    OutcomeKind,
)
from fluxstate_tui.operations.journal import Record
from fluxstate_tui.operations.moves import Move, move_of
from fluxstate_tui.operations.registry import OPERATIONS, OperationSpec
from fluxstate_tui.operations.saving import PARTS, remove_parts
from fluxstate_tui.operations.snapshot import Snapshot, describe, take_snapshot

NONE_THERE = "none_there"
"""The fact that the other cluster was asked, and has no new MiniCluster (any more)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is left of one operation, and the operation that would put it right.

    `asked` is False when the world could not be looked at: then nothing is known to be in order.
    """

    record: Record
    says: tuple[str, ...]
    next: OperationKind | None = None
    asked: bool = True

    @property
    def choices(self) -> Choices:
        """Of `next`: a restore takes the archive that the journal names, not the newest one."""
        restores = self.next is OperationKind.RESTORE
        archive = self.record.facts.get("archive") if restores else ""
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
        move = move_of(record)
        if move is not None and server == move.server:
            return await _look_there(context, record, move)
    except FluxstateError as error:
        return not_asked(record, f"It cannot be asked now: {error.message.rstrip('.')}.")
    return not_asked(record, f"It belongs to another cluster: {record.server}.")


async def _look_here(context: OperationContext, record: Record) -> Finding:
    """In the cluster where its MiniCluster is, or was."""
    try:
        seen = await _seen(context, record.target)
    except NotFound:
        move = _move_from(record)
        if move is not None and move.elsewhere and record.target.uid:
            return not_asked(record, f"The old one is gone. {_go_there(move)}")
        if move is not None:
            return await _look_here(context, replace(record, target=move.target))
        return _absent(record)
    finding = judge(record, seen, interrupted(record))
    return finding if finding.next else await _left_over(context, record) or finding


async def _look_there(context: OperationContext, record: Record, move: Move) -> Finding:
    """In the other cluster, where a migration was going to. The old one cannot be seen from there:
    whether it is gone is known from the journal, which has what was read back."""
    new = replace(record, target=move.target)
    if move.deleted:
        return await _look_here(context, new)
    there = await read_by_name(context, new.target) if move.deleted is None else None
    if there is not None:
        return await _unfinished_beside(context, new)
    old = f"the old one, in its own cluster: {record.server}."
    if move.deleted is None:
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
    await _remove_parts(context, finding.record)
    try:
        close(context, now)
    except FluxstateError as error:  # what was done is done
        why = f"{error.message}. {error.safe} {error.advice}"
        return replace(now, says=(*now.says[:1], why), next=None)
    return None


async def _remove_parts(context: OperationContext, record: Record) -> None:
    """The unfinished files of a save; what cannot be removed now goes by its age."""
    if record.facts.get(PARTS) and context.cluster.server == record.server:
        with suppress(FluxstateError):
            client = await MiniClusterClient.open(context, record.target)
            try:
                await remove_parts(client.files, record)
            finally:
                await client.close()


async def _left_over(context: OperationContext, record: Record) -> Finding | None:
    """A migration that did not get far: the old one goes on, and the new one is there as well."""
    move = _beside(record)
    if move is None:
        return None
    if move.elsewhere:
        return not_asked(record, f"The old one goes on. {_go_there(move)}")
    if await read_by_name(context, move.target) is None:
        return None
    return await _unfinished_beside(context, replace(record, target=move.target))


async def _unfinished_beside(context: OperationContext, record: Record) -> Finding:
    says = f"The old one goes on. The unfinished {record.target} is there as well, with a copy of "
    finding = Finding(record, (interrupted(record), says + "its jobs."), OperationKind.DELETE)
    try:
        seen = await _seen(context, record.target)
    except FluxstateError:  # its brokers do not answer (yet): it can be deleted all the same
        return finding
    if not seen.armed:
        return finding
    # The next one of that name would load it: once it is deleted, nobody looks there any more.
    armed = still_armed(seen.minicluster)
    return replace(finding, says=(*finding.says, armed.says), next=armed.next)


async def _seen(context: OperationContext, ref: ClusterRef) -> Snapshot:
    client = await MiniClusterClient.open(context, ref)
    try:
        return await take_snapshot(client)
    finally:
        await client.close()


def _absent(record: Record) -> Finding:
    """Nothing of that name is there: what was about to be created can still be."""
    gone = LeftBehind("That MiniCluster does not exist any more.")
    return _finding(record, interrupted(record), _own(record, None) or gone)


def judge(record: Record, seen: Snapshot, first: str) -> Finding:
    """The pure part of `look`: what to say and to offer for a MiniCluster that answers."""
    left = _own(record, seen) or _stopped_by_us(record, seen)
    if left is None:
        state = "started" if seen.started else "stopped"
        left = LeftBehind(f"Nothing of it is left: the queue is {state}.")
    return _finding(record, first, left)


def _finding(record: Record, first: str, left: LeftBehind) -> Finding:
    return Finding(record, (first, left.says), left.next)


def _spec(record: Record) -> OperationSpec | None:
    return OPERATIONS.get(record.kind) if record.kind is not None else None


def _own(record: Record, seen: Snapshot | None) -> LeftBehind | None:
    """What only this kind of operation leaves."""
    spec = _spec(record)
    recover = spec.recover if spec is not None else None
    return recover(record, seen) if recover is not None else None


def _stopped_by_us(record: Record, seen: Snapshot) -> LeftBehind | None:
    """What any of them may leave: a queue that it stopped or closed, unless that was asked for."""
    spec = _spec(record)
    if spec is not None and spec.stops_queue:
        return None
    if seen.stopped_by_us:
        says = f"Its queue is still stopped by us: {describe(seen.pending)} wait."
    elif seen.closed_by_us:
        says = "Its queue still refuses new jobs because of us."
    else:
        return None
    move = _beside(record)
    if move is not None:
        beside = f"The unfinished {move.target} may be there as well: delete it."
        says += f" {_go_there(move) if move.elsewhere else beside}"
    return LeftBehind(says, OperationKind.RESUME)


def _move_from(record: Record) -> Move | None:
    """The migration, None when it is none or `record` is looked at where it was going to."""
    move = move_of(record)
    return None if move is None or move.target == record.target else move


def _beside(record: Record) -> Move | None:
    """The migration, if its new one may be there at the same time as the old one."""
    move = _move_from(record)
    if move is None or not move.creating or record.facts.get(NONE_THERE):
        return None
    # Under the same name it is the old one itself that is there.
    return None if move.same_name and not move.elsewhere else move


def _go_there(move: Move) -> str:
    """What to do about a new one that cannot be seen from the old one's cluster."""
    return (
        f"The new one, {move.target}, is in context {move.context}, if it was made: look there "
        f"({own_line('unfinished', *option('--context', move.context))})."
    )


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
