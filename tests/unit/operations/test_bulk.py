"""Several at once: whatever keeps one from being planned is its own outcome, and no other's."""

from __future__ import annotations

import errno
import os

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import OperationKind, OutcomeKind
from fluxstate_tui.operations.bulk import Operates, prepare_all

REFS = [ClusterRef("default", name, name) for name in ("full", "unknown")]


async def test_a_full_disk_here_is_the_outcome_of_that_one() -> None:
    async def prepare(ref: ClusterRef) -> Operates:
        if ref.name == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise FluxstateError("no answer", exit_code=ExitCode.UNKNOWN)

    bulk = await prepare_all(OperationKind.SAVE, REFS, prepare)
    full, unknown = (part.outcome for part in bulk.parts)
    assert full is not None
    assert unknown is not None
    assert (full.kind, full.exit_code) == (OutcomeKind.FAILED, ExitCode.FAILURE)
    assert "No space left" in full.reason
    assert (unknown.kind, unknown.exit_code) == (OutcomeKind.UNKNOWN, ExitCode.UNKNOWN)
    assert bulk.worst is unknown
