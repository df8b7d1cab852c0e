"""Restore: arm a version, create the MiniCluster, account for every job, disarm, checkpoint."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fluxstate_tui.archive.manifest import CatalogEntry, folder_of
from fluxstate_tui.archive.preview import RestorePreview
from fluxstate_tui.broker import manifest_cache
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.broker.shell_commands import option, own_line
from fluxstate_tui.catalog import records
from fluxstate_tui.catalog.access import running_beside
from fluxstate_tui.catalog.adopt import Adoption
from fluxstate_tui.catalog.catalog import read_catalog
from fluxstate_tui.catalog.contents import Known, contents_of, missing_from
from fluxstate_tui.catalog.helper_pod import HelperPod, HelperPodNeededError, pod_for, pod_words
from fluxstate_tui.catalog.local_archive import (
    LocalArchive,
    bring_in,
    damaged,
    entry_for,
    read_local,
)
from fluxstate_tui.catalog.local_copies import newest_copy
from fluxstate_tui.catalog.ownership import Identity
from fluxstate_tui.catalog.records import identity, maybe_ours, missing_lines, ours, read_known
from fluxstate_tui.catalog.signed import compared, read_signed, signing
from fluxstate_tui.catalog.transfer import fetch
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.errors import CrdMissing, NotFound
from fluxstate_tui.kube.manifest import for_create
from fluxstate_tui.minicluster.archive_volume import archive_volume
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.arming import still_armed
from fluxstate_tui.operations.base import Choices, LeftBehind, OperationKind, Plan
from fluxstate_tui.operations.journal import Record
from fluxstate_tui.operations.restore import plan as steps
from fluxstate_tui.operations.restore.choice import Chosen, choose
from fluxstate_tui.operations.restore.old_volumes import require_free_volumes, volume_lines
from fluxstate_tui.operations.restore.plan import Source, dangers_beside
from fluxstate_tui.operations.restore.spec_source import (
    Origin,
    SpecSource,
    choose_spec,
    known_spec,
    unknown,
)
from fluxstate_tui.operations.restore.steps import Bring, Restoring
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.snapshot import Snapshot, describe, queue_words
from fluxstate_tui.operations.steps import RefusedError, Run, Script, Task


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Read the archive and plan; by a helper pod only if `choices` agree to one.

    `ref.uid` is not used: what is restored is a new object. Raises FluxstateError with the reason
    when the name is taken, no archive is sound, or the manifest would silently be rejected;
    HelperPodNeededError when nothing that runs can read the archives.
    """
    served = (await context.cluster.minicluster_resource()).version
    await _require_free_name(context, ref)
    known = known_spec(context, ref, choices)
    if choices.from_file is not None:
        return await _of_file(context, ref, choices, known, served)
    if known is None:
        raise unknown(ref)
    where = _to_create(ref, known, known, choices, served)
    await require_free_volumes(context, where)
    if choices.dry_run:
        return await _dry_run(context, ref, choices, known, where)
    pod = pod_words(pod_for(where, "", image=context.helper_image))
    if not choices.start_helper_pod:
        raise HelperPodNeededError(pod)
    helper = await HelperPod.start(context, where)
    try:
        path = where["spec"]["archive"]["path"]
        me = _identity(context, ref, known)
        async with _source(context, helper.files, path, choices, me) as (source, chosen):
            manifest, planned = await _planned(context, ref, choices, known, source, chosen, where)
    except BaseException as error:
        await helper.remove()
        if isinstance(error, FluxstateError):
            error.advice += _copy_here(context, ref, error)
        raise
    restoring = Restoring(context, helper, source, manifest, choices.start_timeout)
    safe = f"The archive {source.entry.id} is untouched in the catalog."
    return Operation(context, planned, _script(restoring, planned, safe))


async def _planned(
    context: OperationContext,
    ref: ClusterRef,
    choices: Choices,
    known: SpecSource,
    source: Source,
    chosen: Chosen,
    where: dict[str, Any],
) -> tuple[dict[str, Any], Plan]:
    """What is going to be created from an archive that was read out of its volume."""
    steps.require_sound(source)
    spec = choose_spec(context, ref, known, source.entry.manifest, choices, source.entry.signature)
    served = (await context.cluster.minicluster_resource()).version
    manifest = _to_create(ref, spec, known, choices, served)
    _require_same_place(where, manifest)
    predicted = await asyncio.to_thread(steps.preview_restore, source.archive, manifest)
    lines = await _lines(context, source, chosen, manifest, spec, predicted)
    accept, blocker = not spec.origin.trusted, predicted.blocker
    return manifest, steps.plan(source, manifest, lines, accept_spec=accept, blocker=blocker)


async def _of_file(
    context: OperationContext,
    ref: ClusterRef,
    choices: Choices,
    known: SpecSource | None,
    served: str,
) -> Operation:
    """From an archive of this computer: nothing needs to be started before there is a plan."""
    assert choices.from_file is not None
    local = await read_local(choices.from_file)
    beside = CatalogEntry("", str(local.path), 0, 0.0, local.manifest)
    (beside,) = await compared(context, ref.namespace, [beside])
    spec = choose_spec(context, ref, known, local.manifest, choices, beside.signature)
    manifest = _to_create(ref, spec, known, choices, served)
    await require_free_volumes(context, manifest)
    folder = folder_of(manifest["spec"]["archive"]["path"])
    going = entry_for(local, folder, (), ref.name, context.clock.now())
    source = Source(replace(going, signature=beside.signature), local.archive)
    steps.require_sound(source)
    pod = pod_words(pod_for(manifest, "", fresh=True, image=context.helper_image))
    me = _identity(context, ref, known)
    recorded = records.recall(context.state_dir, local.archive.sha256)
    chosen = Chosen(Known(source.entry, recorded), (), me)
    predicted = await asyncio.to_thread(steps.preview_restore, source.archive, manifest)
    lines = await _lines(context, source, chosen, manifest, spec, predicted)
    planned = steps.plan(
        source,
        manifest,
        lines,
        steps.Bringing(str(local.path), pod),
        accept_spec=not spec.origin.trusted,
        blocker=predicted.blocker,
    )
    bring = _bringing(context, local, manifest, me)
    restoring = Restoring(
        context=context,
        helper=None,
        source=source,
        manifest=manifest,
        start_timeout=choices.start_timeout,
        bring=bring,
    )
    safe = f"{local.path} is untouched."
    return Operation(context, planned, _script(restoring, planned, safe))


async def _dry_run(
    context: OperationContext,
    ref: ClusterRef,
    choices: Choices,
    known: SpecSource,
    where: dict[str, Any],
) -> Operation:
    """By a MiniCluster that runs with the same volume; else without having seen the archives."""
    beside = await running_beside(context, where)
    if beside is None:
        pod = pod_words(pod_for(where, "", image=context.helper_image))
        copy = newest_copy(context.state_dir, ref)
        here = f"A copy is on this computer: {shlex.join(option('--from', str(copy)))}"
        more = (here,) if copy is not None else ()
        planned = steps.blind_plan(where, choices.archive, pod, (*known.asks, *more))
    else:
        me, path = _identity(context, ref, known), beside.archive_path
        async with _source(context, beside.files, path, choices, me) as (source, chosen):
            _, planned = await _planned(context, ref, choices, known, source, chosen, where)
        seen = f"The archives were looked at through {beside.ref}, which has the same volume."
        planned = replace(planned, preview=(*planned.preview, seen))

    async def refuse(run: Run) -> str:
        raise RefusedError("this is a dry run", safe="Nothing was done.")

    tasks = [Task(step, refuse) for step in planned.steps]
    return Operation(context, planned, Script(tasks, success=lambda: "", safe="Nothing was done."))


def _script(restoring: Restoring, planned: Plan, safe: str) -> Script:
    return Script(
        restoring.tasks(planned), success=restoring.success, safe=safe, close=restoring.close
    )


def _copy_here(context: OperationContext, ref: ClusterRef, error: FluxstateError) -> str:
    """What to do where the catalog has no sound archive, but this computer has a copy of one."""
    if error.exit_code not in (ExitCode.NOT_FOUND, ExitCode.VERIFICATION):
        return ""
    copy = newest_copy(context.state_dir, ref)
    if copy is None:
        return ""
    source = option("--from", str(copy))
    line = own_line("restore", ref.name, "-n", ref.namespace, *source)
    return f" A copy is on this computer: {line}"


@asynccontextmanager
async def _source(
    context: OperationContext,
    files: RemoteFiles,
    archive_path: str,
    choices: Choices,
    me: Identity,
) -> AsyncIterator[tuple[Source, Chosen]]:
    """What is restored, read out of the volume, and why it."""
    entries = await read_signed(context, me.namespace, files, folder_of(archive_path))
    entries = await _with_named_file(files, entries, choices.archive)
    chosen = await choose(context, files, entries, me, choices.archive)
    async with fetch(files, chosen.entry.path, context.state_dir, _silent) as archive:
        yield Source(chosen.entry, archive), chosen


def _identity(context: OperationContext, ref: ClusterRef, known: SpecSource | None) -> Identity:
    """Whose archives are its own; what only a manifest says of the MiniCluster decides nothing."""
    return identity(context, ref, known.raw if known is not None else {})


def _bringing(
    context: OperationContext, local: LocalArchive, manifest: dict[str, Any], me: Identity
) -> Bring:
    """The step that uploads it, and makes it known to the catalog."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    folder = folder_of(manifest["spec"]["archive"]["path"])

    async def bring(run: Run, files: RemoteFiles) -> tuple[Source, tuple[str, ...]]:
        words = ("archives", "put", "-n", namespace, "--yes")
        run.shell_commands(own_line(*words, names=(name, str(local.path))))
        now = context.clock.now()
        key = (await signing(context, namespace)).key
        entries = await read_catalog(files, folder)
        spoilt = await damaged(files, local, entries)
        going = entry_for(local, folder, entries, name, now, spoilt)
        adoption = Adoption(name, namespace, context.who, now, manifest, key=key)
        source = Source(await bring_in(files, local, going, adoption, run.tell), local.archive)
        maybe = maybe_ours(entries, me, context.state_dir)
        versions = ours(await read_known(files, maybe, context.state_dir, limit=0), me)
        missing = missing_from(contents_of(local.archive).jobs, versions)
        return source, missing_lines(missing, source.entry.id)

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


async def _lines(
    context: OperationContext,
    source: Source,
    chosen: Chosen,
    manifest: dict[str, Any],
    spec: SpecSource,
    predicted: RestorePreview,
) -> tuple[str, ...]:
    predictions = predicted.lines(source.queues_to_start, with_blocker=False)
    beside = await dangers_beside(context, source, manifest, chosen.known.owner)
    volumes = await volume_lines(context, manifest)
    return (*chosen.lines(source.archive), *predictions, *beside, *volumes, *spec.asks)


def _to_create(
    ref: ClusterRef, spec: SpecSource, known: SpecSource | None, choices: Choices, served: str
) -> dict[str, Any]:
    """The object that is sent. Raises FluxstateError when nothing would come of it."""
    manifest = for_create(spec.raw, size=choices.size)
    metadata = manifest["metadata"]
    if spec.origin is not Origin.USER:
        # Of what others may have written, nothing that was not compared and shown.
        metadata = manifest_cache.metadata_asked(manifest)
        if known is not None:
            manifest["apiVersion"] = known.raw.get("apiVersion")
        manifest = {key: manifest.get(key) for key in ("apiVersion", "kind", "spec")}
    manifest["metadata"] = {**metadata, "name": ref.name, "namespace": ref.namespace}
    steps.require_valid(manifest, served)
    return manifest


def _require_same_place(where: dict[str, Any], manifest: dict[str, Any]) -> None:
    """The archive is armed where it was read: by the same helper pod."""
    one, other = (
        (item["spec"]["archive"]["path"], archive_volume(item["spec"]))
        for item in (where, manifest)
    )
    if one != other:
        raise RefusedError(
            f"the MiniCluster of that archive had its archives elsewhere, at {other[0]}",
            safe="Nothing was created.",
            advice="Give the manifest of the one to create: --file MANIFEST.",
        )


async def _with_named_file(
    files: RemoteFiles, entries: tuple[CatalogEntry, ...], path: str
) -> tuple[CatalogEntry, ...]:
    """A file that lies outside of the catalog may be restored, too, if it is named."""
    if not path.startswith("/") or any(item.path == path for item in entries):
        return entries
    stat = await files.stat(path)
    return (CatalogEntry(path.rpartition("/")[2], path, stat.size, stat.mtime, None), *entries)


def _silent(text: str) -> None:
    """Nobody watches a prepare()."""


def recover(record: Record, seen: Snapshot | None) -> LeftBehind | None:
    """What is left of one that was cut off: armed before all, then queues that do not run."""
    if seen is None:
        if steps.ARM.id not in record.steps:
            return None
        archive = record.facts.get("archive", "")
        says = f"It was not created; its archive {archive} may still be armed."
        return LeftBehind(says, OperationKind.RESTORE)
    if seen.armed:
        return still_armed(seen.minicluster)
    stopped = {queue.name for queue in seen.queues or () if not queue.started}
    waiting = [name for name in record.facts.get(steps.TO_START, ()) if name in stopped]
    if not waiting:
        return None
    says = f"Named queues come up stopped, and {queue_words(waiting)} had been started: "
    return LeftBehind(f"{says}{describe(seen.pending)} wait.", OperationKind.RESUME)
