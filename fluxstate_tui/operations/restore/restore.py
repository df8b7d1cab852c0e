"""Restore: arm a version, create the MiniCluster, account for every job, disarm, checkpoint."""

from __future__ import annotations

import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fluxstate_tui.archive.catalogue import folder_of
from fluxstate_tui.archive.manifest import CatalogueEntry, Manifest
from fluxstate_tui.archive.preview import preview
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.feeds.catalogues import read_catalogue
from fluxstate_tui.flux.files import RemoteFiles
from fluxstate_tui.kube.errors import CrdMissing, Forbidden, NotFound
from fluxstate_tui.kube.manifest import for_create
from fluxstate_tui.model.job import JobState
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue.adopt import Adoption
from fluxstate_tui.operations.catalogue.copies import newest_copy
from fluxstate_tui.operations.catalogue.helper_pod import HelperPod
from fluxstate_tui.operations.catalogue.local_archive import (
    LocalArchive,
    bring_in,
    damaged,
    entry_for,
    read_local,
)
from fluxstate_tui.operations.choices import Choices
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.restore import last_seen
from fluxstate_tui.operations.restore import plan as steps
from fluxstate_tui.operations.restore.neighbours import dangers
from fluxstate_tui.operations.restore.plan import Source
from fluxstate_tui.operations.restore.steps import Restoring
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.save.fetch import fetch
from fluxstate_tui.operations.script import Action, RefusedError, Run, Script


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Look at the volume through a helper pod, read the archive out, and plan.

    `ref.uid` is not used: what is restored is a new object. Raises FluxstateError with the reason
    when the name is taken, no archive is sound, or the manifest would silently be rejected.
    """
    served = (await context.cluster.minicluster_resource()).version
    await _require_free_name(context, ref)
    local = await read_local(choices.from_file) if choices.from_file is not None else None
    manifest = for_create(_template(context, ref, choices, local), size=choices.size)
    manifest["metadata"] |= {"name": ref.name, "namespace": ref.namespace}
    steps.require_valid(manifest, served)
    helper = await HelperPod.start(context, manifest, fresh=local is not None)
    try:
        async with _source(context, helper.files, manifest, choices, local) as source:
            steps.require_sound(source)
            if choices.manifest is None:
                manifest = _as_saved(source, manifest, choices)
                steps.require_valid(manifest, served)
            size = int(manifest["spec"].get("size", 1))
            beside = await _dangers(context, source, manifest)
            fates = preview(source.archive, size=size).lines(source.queues_to_start)
            brought = str(local.path) if local is not None else ""
            planned = steps.plan(source, manifest, (*fates, *beside), brought)
    except BaseException as error:
        await helper.remove()
        if local is None and isinstance(error, FluxstateError):
            error.advice += _copy_here(context, ref, error)
        raise
    bring = _bringing(context, helper, local, source, manifest) if local is not None else None
    restoring = Restoring(context, helper, source, manifest, choices.start_timeout, bring)
    script = Script(
        restoring.tasks(planned),
        success=restoring.success,
        safe=f"The archive {source.entry.id} is untouched in the catalogue.",
        close=restoring.close,
    )
    return Operation(context, planned, script)


def _copy_here(context: OperationContext, ref: ClusterRef, error: FluxstateError) -> str:
    """What to do where the catalogue has no sound archive, but this computer has a copy of one."""
    if error.exit_code not in (ExitCode.NOT_FOUND, ExitCode.VERIFICATION):
        return ""
    copy = newest_copy(context.state_dir, ref)
    if copy is None:
        return ""
    words = ["fluxstate-tui", "restore", ref.name, "-n", ref.namespace, "--from", str(copy)]
    return f" A copy is on this computer: {shlex.join(words)}"


@asynccontextmanager
async def _source(
    context: OperationContext,
    files: RemoteFiles,
    manifest: dict[str, Any],
    choices: Choices,
    local: LocalArchive | None,
) -> AsyncIterator[Source]:
    """What is restored: read out of the volume, or here, where it is not there yet."""
    folder = folder_of(manifest["spec"]["archive"]["path"])
    entries = await read_catalogue(files, folder)
    if local is not None:
        name = manifest["metadata"]["name"]
        spoilt = await damaged(files, local, entries)
        entry = entry_for(local, folder, entries, name, context.clock.now(), spoilt)
        yield Source(entry, local.archive)
        return
    entry = await _choose(files, entries, choices)
    async with fetch(files, entry.path, context.state_dir, _silent) as archive:
        yield Source(entry, archive)


def _bringing(
    context: OperationContext,
    helper: HelperPod,
    local: LocalArchive,
    source: Source,
    manifest: dict[str, Any],
) -> Action:
    """The step that uploads it, and makes it known to the catalogue."""
    metadata = manifest["metadata"]
    now = context.clock.now()
    raw = json.dumps(manifest, sort_keys=True)
    adoption = Adoption(metadata["name"], metadata["namespace"], context.who, now, raw)

    async def bring(run: Run) -> str:
        words = ["fluxstate-tui", "archives", "put", metadata["name"], str(local.path)]
        run.by_hand(shlex.join([*words, "-n", metadata["namespace"]]))
        entry = await bring_in(helper.files, local, source.entry, adoption, run.tell)
        return f"{entry.path}: sha256 {local.archive.sha256[:12]}"

    return bring


async def _require_free_name(context: OperationContext, ref: ClusterRef) -> None:
    resource = await context.cluster.minicluster_resource()
    try:
        await context.cluster.get(resource, ref.name, ref.namespace)
    except CrdMissing:
        raise
    except NotFound:
        return
    raise RefusedError(
        f"{ref} exists",
        safe="Nothing was done.",
        advice=f"Delete it first (fluxstate-tui delete {ref.name} --save): a restore needs the "
        "name, as an archive is only read when a lead container starts.",
    )


async def _dangers(
    context: OperationContext, source: Source, manifest: dict[str, Any]
) -> tuple[str, ...]:
    """What it could do to MiniClusters that live; nothing without the right to list them."""
    resource = await context.cluster.minicluster_resource()
    try:
        living = await context.cluster.list(resource, manifest["metadata"]["namespace"])
    except Forbidden:
        return ()
    saved_from = source.entry.manifest.minicluster if source.entry.manifest else ""
    waiting = sum(job.state is not JobState.INACTIVE for job in source.jobs)
    return dangers(manifest, saved_from, waiting, living)


def _template(
    context: OperationContext, ref: ClusterRef, choices: Choices, local: LocalArchive | None
) -> dict[str, Any]:
    if choices.manifest is not None:
        return choices.manifest
    if local is not None and local.manifest is not None:
        saved = saved_object(local.manifest)
        if saved is not None:
            return saved
    seen = last_seen.recall(context.state_dir, context.cluster.server, ref.namespace, ref.name)
    if seen is None:
        raise FluxstateError(
            f"nothing is known about {ref}: it does not exist and was never seen from here",
            safe="Nothing was done.",
            advice="Give its manifest: --file MANIFEST (its volume says where the archives are).",
            exit_code=ExitCode.NOT_FOUND,
        )
    return seen


def _as_saved(source: Source, manifest: dict[str, Any], choices: Choices) -> dict[str, Any]:
    """The MiniCluster as it was when this archive was saved, if the manifest has it."""
    raw = saved_object(source.entry.manifest) if source.entry.manifest else None
    if raw is None:
        return manifest
    again = for_create(raw, size=choices.size)
    again["apiVersion"] = manifest["apiVersion"]
    again["metadata"] |= {key: manifest["metadata"][key] for key in ("name", "namespace")}
    return again


def saved_object(manifest: Manifest) -> dict[str, Any] | None:
    """The MiniCluster as it was when that archive was saved, if that is known."""
    try:
        raw = json.loads(manifest.extra.get("minicluster") or "null")
    except ValueError:
        return None
    return raw if isinstance(raw, dict) else None


async def _choose(
    files: RemoteFiles, entries: tuple[CatalogueEntry, ...], choices: Choices
) -> CatalogueEntry:
    if choices.archive.startswith("/") and all(item.path != choices.archive for item in entries):
        stat = await files.stat(choices.archive)
        name = choices.archive.rpartition("/")[2]
        entries = (CatalogueEntry(name, choices.archive, stat.size, stat.mtime, None), *entries)
    return steps.choose(entries, choices.archive)


def _silent(text: str) -> None:
    """Nobody watches a prepare()."""
