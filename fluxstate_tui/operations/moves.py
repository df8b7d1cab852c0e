"""Where MiniClusters went that were migrated from this computer, from its own journal."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import journal
from fluxstate_tui.operations.base import OperationKind, StepState
from fluxstate_tui.operations.journal import Record

_log = logging.getLogger(__name__)

MOST_READ = 500
# The steps after which the new one may be there, and the queue lives in it, however it ends.
_CREATE, _DELETE = "create", "delete"


@dataclass(frozen=True, slots=True)
class Move:
    """A migration as its journal has it; `target` has no uid.

    `server` is that of the new one, `context` its name. `creating` says that its creation was
    begun; `deleted` that of the old one's deletion, False when that was begun only, None before.
    """

    source: ClusterRef
    target: ClusterRef
    from_server: str
    server: str
    context: str
    creating: bool
    deleted: bool | None

    @property
    def words(self) -> str:
        """Where it went: the context only if it is another server."""
        place = f" in context {self.context}" if self.elsewhere else ""
        same = self.target.namespace == self.source.namespace and not place
        return self.target.name if same else f"{self.target}{place}"

    @property
    def elsewhere(self) -> bool:
        """Whether it goes to another cluster."""
        return self.server != self.from_server

    @property
    def same_name(self) -> bool:
        """Whether the new one has the old one's name, in the old one's namespace."""
        return str(self.target) == str(self.source)


def move_of(record: Record) -> Move | None:
    """Of the journal of a migration that got so far that it says where it goes."""
    to = record.facts.get("to")
    if record.kind is not OperationKind.MIGRATE or not isinstance(to, list) or len(to) != 2:
        return None
    deletion = record.steps.get(_DELETE)
    return Move(
        record.target,
        ClusterRef(str(to[0]), str(to[1]), ""),
        record.server,
        str(record.facts.get("to_server") or record.server),
        str(record.facts.get("to_context") or ""),
        creating=_CREATE in record.steps,
        deleted=None if deletion is None else deletion == StepState.DONE.value,
    )


def moves(state_dir: Path) -> tuple[Move, ...]:
    """The newest migrations whose old MiniCluster is deleted, oldest first.

    Those in place went nowhere and are left out.
    """
    pattern = f"*-{OperationKind.MIGRATE}-*.jsonl"
    paths = sorted((state_dir / "journal").glob(pattern))[-MOST_READ:]
    found = filter(None, map(_move, paths))
    return tuple(move for move in found if move.deleted and (move.elsewhere or not move.same_name))


def _move(path: Path) -> Move | None:
    try:
        record = journal.read(path)
    except OSError as error:
        _log.warning("the journal %s cannot be read: %s", path, error)
        return None
    return None if record is None else move_of(record)
