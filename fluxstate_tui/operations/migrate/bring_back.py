"""Undo of a migration under the same name: the old MiniCluster again, from its archive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from fluxstate_tui.archive.catalogue import folder_of
from fluxstate_tui.feeds.catalogues import read_catalogue
from fluxstate_tui.kube.manifest import for_create
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.operations.catalogue.adopt import Adoption
from fluxstate_tui.operations.catalogue.helper_pod import HelperPod
from fluxstate_tui.operations.catalogue.local_archive import (
    bring_in,
    damaged,
    entry_for,
    read_local,
)
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.migrate.moved_queue import open_queues
from fluxstate_tui.operations.migrate.ship import has
from fluxstate_tui.operations.restore.arming import Version
from fluxstate_tui.operations.restore.plan import Source
from fluxstate_tui.operations.restore.steps import Restoring
from fluxstate_tui.operations.script import Run


async def bring_back(
    context: OperationContext,
    old: MiniCluster,
    source: Source,
    started: Sequence[str],
    run: Run,
    timeout: float,
    copy: Path | None,
) -> str:
    """Create it as it was, account for every job, and start the queues that were started.

    `copy` is the same archive on this computer: it is taken when the one on the volume is gone or
    has gone bad meanwhile. Raises FluxstateError when that fails; nothing stays armed then.
    """
    manifest = for_create(old.raw)
    helper = await HelperPod.start(context, manifest)
    mine = Run(run.journal)
    try:
        source = await _whole(context, helper, source, old, copy)
    except BaseException:
        await helper.remove()
        raise
    again = Restoring(context, helper, source, manifest, timeout)
    try:
        for action in (again.check, again.arm, again.create, again.start):
            await action(mine)
        said = await again.account(mine)
        await again.checkpoint(mine)
        await again.disarm(mine)
        await open_queues(again.world, started)
        return said
    except BaseException as error:
        await mine.put_back(error)
        raise
    finally:
        await again.close()


async def _whole(
    context: OperationContext,
    helper: HelperPod,
    source: Source,
    old: MiniCluster,
    copy: Path | None,
) -> Source:
    """The archive on the volume if it still is what it was, else the copy, brought there anew.

    Without a copy there is only the one on the volume.
    """
    archive, path = source.archive, source.entry.path
    if copy is None or await has(helper.files, Version(path, archive.size, archive.sha256), path):
        return source
    folder = folder_of(old.archive_path)
    local, entries = await read_local(copy), await read_catalogue(helper.files, folder)
    now, ref = context.clock.now(), old.ref
    spoilt = await damaged(helper.files, local, entries)
    going = entry_for(local, folder, entries, ref.name, now, spoilt)
    raw = json.dumps(old.raw, sort_keys=True)
    adoption = Adoption(ref.name, ref.namespace, context.who, now, raw)
    entry = await bring_in(helper.files, local, going, adoption, lambda text: None)
    return Source(entry, archive)
