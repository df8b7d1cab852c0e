"""Restore: arm a version, create the MiniCluster, account for every job, disarm, checkpoint."""

from __future__ import annotations

import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fluxstate_tui.archive.catalogue import folder_of
from fluxstate_tui.archive.manifest import CatalogueEntry
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
from fluxstate_tui.operations.catalogue.helper_pod import HelperPod, pod_for, pod_words
from fluxstate_tui.operations.catalogue.local_archive import (
    LocalArchive,
    bring_in,
    damaged,
    entry_for,
    read_local,
)
from fluxstate_tui.operations.catalogue.place import archive_volume
from fluxstate_tui.operations.catalogue.same_volume import running_beside
from fluxstate_tui.operations.choices import Choices
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.plan import Plan
from fluxstate_tui.operations.restore import last_seen
from fluxstate_tui.operations.restore import plan as steps
from fluxstate_tui.operations.restore.neighbours import dangers
from fluxstate_tui.operations.restore.plan import Source
from fluxstate_tui.operations.restore.spec_source import (
    Origin,
    SpecSource,
    choose_spec,
    known_spec,
    unknown,
)
from fluxstate_tui.operations.restore.steps import Bring, Restoring
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.save.fetch import fetch
from fluxstate_tui.operations.script import (
    HelperPodNeededError,
    RefusedError,
    Run,
    Script,
    Task,
)


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
    if choices.dry_run:
        return await _dry_run(context, ref, choices, known, where)
    pod = pod_words(pod_for(where, "", image=context.helper_image))
    if not choices.start_helper_pod:
        raise HelperPodNeededError(pod)
    helper = await HelperPod.start(context, where)
    try:
        path = where["spec"]["archive"]["path"]
        async with _source(context, helper.files, path, choices) as source:
            manifest, planned = await _planned(context, ref, choices, known, source, where)
    except BaseException as error:
        await helper.remove()
        if isinstance(error, FluxstateError):
            error.advice += _copy_here(context, ref, error)
        raise
    restoring = Restoring(context, helper, source, manifest, choices.start_timeout)
    safe = f"The archive {source.entry.id} is untouched in the catalogue."
    return Operation(context, planned, _script(restoring, planned, safe))


async def _planned(
    context: OperationContext,
    ref: ClusterRef,
    choices: Choices,
    known: SpecSource,
    source: Source,
    where: dict[str, Any],
) -> tuple[dict[str, Any], Plan]:
    """What is going to be created from an archive that was read out of its volume."""
    steps.require_sound(source)
    spec = choose_spec(context, ref, known, source.entry.manifest, choices)
    served = (await context.cluster.minicluster_resource()).version
    manifest = _to_create(ref, spec, known, choices, served)
    _require_same_place(where, manifest)
    lines = await _lines(context, source, manifest, spec)
    return manifest, steps.plan(source, manifest, lines, accept_spec=not spec.origin.trusted)


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
    spec = choose_spec(context, ref, known, local.manifest, choices)
    manifest = _to_create(ref, spec, known, choices, served)
    folder = folder_of(manifest["spec"]["archive"]["path"])
    source = Source(entry_for(local, folder, (), ref.name, context.clock.now()), local.archive)
    steps.require_sound(source)
    pod = pod_words(pod_for(manifest, "", fresh=True, image=context.helper_image))
    lines = await _lines(context, source, manifest, spec)
    accept = not spec.origin.trusted
    planned = steps.plan(source, manifest, lines, steps.Bringing(str(local.path), pod), accept)
    bring = _bringing(context, local, manifest)
    restoring = Restoring(context, None, source, manifest, choices.start_timeout, bring)
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
        here = f"A copy is on this computer: --from {shlex.quote(str(copy))}"
        more = (here,) if copy is not None else ()
        planned = steps.blind_plan(where, choices.archive, pod, (*known.asks, *more))
    else:
        async with _source(context, beside.files, beside.archive_path, choices) as source:
            _, planned = await _planned(context, ref, choices, known, source, where)
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
    context: OperationContext, files: RemoteFiles, archive_path: str, choices: Choices
) -> AsyncIterator[Source]:
    """What is restored, read out of the volume."""
    entry = await _choose(files, await read_catalogue(files, folder_of(archive_path)), choices)
    async with fetch(files, entry.path, context.state_dir, _silent) as archive:
        yield Source(entry, archive)


def _bringing(context: OperationContext, local: LocalArchive, manifest: dict[str, Any]) -> Bring:
    """The step that uploads it, and makes it known to the catalogue."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    folder = folder_of(manifest["spec"]["archive"]["path"])
    raw = json.dumps(manifest, sort_keys=True)

    async def bring(run: Run, files: RemoteFiles) -> Source:
        words = [
            "fluxstate-tui",
            "archives",
            "put",
            name,
            str(local.path),
            "-n",
            namespace,
            "--yes",
        ]
        run.by_hand(shlex.join([*words, namespace]))
        now = context.clock.now()
        entries = await read_catalogue(files, folder)
        spoilt = await damaged(files, local, entries)
        going = entry_for(local, folder, entries, name, now, spoilt)
        adoption = Adoption(name, namespace, context.who, now, raw)
        return Source(await bring_in(files, local, going, adoption, run.tell), local.archive)

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


async def _lines(
    context: OperationContext, source: Source, manifest: dict[str, Any], spec: SpecSource
) -> tuple[str, ...]:
    size = int(manifest["spec"].get("size", 1))
    fates = preview(source.archive, size=size).lines(source.queues_to_start)
    return (*fates, *await _dangers(context, source, manifest), *spec.asks)


def _to_create(
    ref: ClusterRef, spec: SpecSource, known: SpecSource | None, choices: Choices, served: str
) -> dict[str, Any]:
    """The object that is sent. Raises FluxstateError when nothing would come of it."""
    manifest = for_create(spec.raw, size=choices.size)
    metadata = manifest["metadata"]
    if spec.origin is not Origin.USER:
        # Of what others may have written, nothing that was not compared and shown.
        metadata = last_seen.metadata_asked(manifest)
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
