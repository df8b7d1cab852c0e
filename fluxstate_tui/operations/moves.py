"""Where MiniClusters went that were migrated from this computer, from its own journal."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import journal
from fluxstate_tui.operations.base import StepState

_log = logging.getLogger(__name__)

MOST_READ = 500
DELETED = "delete"  # the step after which the queue lives in the new one, however it ends


@dataclass(frozen=True, slots=True)
class Move:
    """One migration whose old MiniCluster is deleted.

    `server` is that of the new one, `context` its name.
    """

    source: ClusterRef
    target: ClusterRef
    from_server: str
    server: str
    context: str

    @property
    def words(self) -> str:
        """Where it went: the context only if it is another server."""
        place = f" in context {self.context}" if self.server != self.from_server else ""
        same = self.target.namespace == self.source.namespace and not place
        return self.target.name if same else f"{self.target}{place}"


def moves(state_dir: Path) -> tuple[Move, ...]:
    """The newest migrations, oldest first; those in place went nowhere and are left out."""
    paths = sorted((state_dir / "journal").glob("*-migrate-*.jsonl"))[-MOST_READ:]
    return tuple(filter(None, map(_move, paths)))


def _move(path: Path) -> Move | None:
    try:
        record = journal.read(path)
    except OSError as error:
        _log.warning("the journal %s cannot be read: %s", path, error)
        return None
    if record is None or record.operation != "migrate":
        return None
    to = record.facts.get("to")
    if record.steps.get(DELETED) != StepState.DONE.value or not isinstance(to, list):
        return None
    if len(to) != 2:
        return None
    target = ClusterRef(str(to[0]), str(to[1]), "")
    server = str(record.facts.get("to_server") or record.server)
    source = record.target
    if (server, str(target)) == (record.server, str(source)):
        return None
    return Move(source, target, record.server, server, str(record.facts.get("to_context") or ""))
