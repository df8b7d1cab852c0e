"""Delete: only what a verified archive of this very MiniCluster has, or what the user typed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fluxstate_tui.broker.client import MiniClusterClient, MiniClusterUnreachableError
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.objects import (
    find,
    going_claim,
    is_alive,
    read_minicluster,
    read_queue_end,
)
from fluxstate_tui.broker.retry import BROKEN, retry, too_late_to_stop
from fluxstate_tui.broker.shell_commands import ShellCommands
from fluxstate_tui.catalog.access import Reach
from fluxstate_tui.catalog.local_copies import keep_copy
from fluxstate_tui.catalog.maintenance import NotSoundError, queue_part
from fluxstate_tui.errors import ExitCode, FluxstateError, said
from fluxstate_tui.flux.job import Job
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.errors import Conflict, Forbidden, NotFound
from fluxstate_tui.kube.objects import CONFIGMAPS, JOBS, PODS, SERVICES
from fluxstate_tui.minicluster.archive_volume import dies_with_it
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import saving as save_plan
from fluxstate_tui.operations.base import (
    Choices,
    Consent,
    ConsentKind,
    OperationKind,
    Plan,
    Running,
    Step,
)
from fluxstate_tui.operations.data_loss import (
    BackupCoverage,
    DataLoss,
    find_coverage,
    loss,
    not_lasting,
)
from fluxstate_tui.operations.queue_control import resume_by_hand, start_again
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.saving import Saving, paused
from fluxstate_tui.operations.snapshot import (
    PAUSED_BY_US,
    Snapshot,
    describe,
    take_snapshot,
    unreachable,
)
from fluxstate_tui.operations.steps import Action, RefusedError, Run, Script, Task

# What a delete is going to do and what would be lost: pure functions of what was seen.

CLOSE = Step("close", "Stop the queue and refuse new jobs", "flux queue disable --all -m REASON")
COMPARE = Step("compare", "Compare the live queue with the archive", "flux jobs -a -c0 --json")
DELETE = Step("delete", "Delete the MiniCluster", "kubectl delete minicluster NAME")
GONE = Step("gone", "Wait until everything it owned is gone", "kubectl get pods,jobs,cm,svc")


def plan(seen: Snapshot, coverage: BackupCoverage, choices: Choices) -> Plan:
    """The steps of a delete. Without a complete cover the name must be typed."""
    ref = seen.minicluster.ref
    steps = [CLOSE, COMPARE, DELETE, GONE]
    if seen.jobs is None:
        steps = [DELETE, GONE]
    if choices.save_first:
        # Raises when it cannot be saved: then there is nothing to offer.
        save_plan.require_saveable(seen)
        steps = [*saving_steps(), COMPARE, DELETE, GONE]
    return Plan(
        OperationKind.DELETE,
        ref,
        tuple(steps),
        preview(seen, coverage, choices),
        _consent(seen, coverage, choices),
    )


def saving_steps() -> list[Step]:
    """A save before a delete. No new job is accepted from before the dump on: none is missed."""
    steps = [save_plan.PAUSE, save_plan.WAIT, CLOSE]
    return [
        *steps,
        save_plan.COMMIT,
        save_plan.DUMP,
        save_plan.VERIFY,
        save_plan.ENTER,
        save_plan.MANIFEST,
    ]


def preview(seen: Snapshot, coverage: BackupCoverage, choices: Choices) -> tuple[str, ...]:
    """What will be gone, by state, and what stays."""
    ref = seen.minicluster.ref
    lines = [f"Delete {ref} (uid {ref.uid[:8]}): its pods, its brokers and its live queue."]
    if coverage.end is not None:
        return (
            f"Delete {ref} (uid {ref.uid[:8]}): {coverage.end.value}.",
            "No job is lost by that.",
            _volume_line(seen),
        )
    if seen.jobs is None:
        lines.append(f"Its queue cannot be read ({seen.unreachable}): what is lost is UNKNOWN.")
    if choices.save_first:
        lines += save_plan.preview_of_dump(seen, choices)
        lines += save_plan.preview_of_restore(seen, choices)
        lines.append("It is deleted only if every job was read back out of that archive.")
    elif coverage.complete and coverage.entry is not None:
        jobs = describe(seen.jobs or ())
        what = "Nothing of the live queue" if coverage.beyond else "Nothing"
        lines.append(f"{what} is lost: {coverage.entry.id} has every job as it is now ({jobs}).")
    else:
        lines += [coverage.problem] if coverage.problem else []
        if coverage.entry is not None:
            lines.append(f"The verified archive that has most of it is {coverage.entry.id}:")
        lines += coverage.loss.explain()
    lines += coverage.beyond
    lines.append(_volume_line(seen))
    return tuple(lines)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


def _volume_line(seen: Snapshot) -> str:
    if seen.going_claim:
        return (
            f"DANGER: the volume claim {seen.going_claim} is being deleted. It goes with the last "
            "pod, and every archive may go with it. Copy them first: fluxstate-tui archives fetch."
        )
    if not _volume_dies(seen):
        return "The volume and the catalog stay."
    return (
        "DANGER: the volume belongs to the MiniCluster (v1alpha1): the operator removes it with "
        "every archive on it, unless its storage keeps the files. Copy them first."
    )


def _volume_dies(seen: Snapshot) -> bool:
    return bool(seen.going_claim) or dies_with_it(seen.minicluster.raw.get("spec") or {})


def _consent(seen: Snapshot, coverage: BackupCoverage, choices: Choices) -> Consent:
    ref = seen.minicluster.ref
    if _volume_dies(seen):
        what = f"Deleting {ref} removes the volume with its archives."
        return Consent(ConsentKind.TYPE_NAME, what, ref.name, None)
    if coverage.end is not None:
        return Consent(ConsentKind.CONFIRM, f"Delete {ref}? {_sentence(coverage.end.value)}")
    if choices.save_first:
        if seen.running and choices.running in (Running.CANCEL, Running.LEAVE):
            loses = save_plan.cancelled(seen, choices)
            loses = loses or f"leaves {len(seen.running)} running jobs, which come back FAILED"
            question = f"Deleting {ref} {loses}."
            return Consent(ConsentKind.TYPE_NAME, question, ref.name, len(seen.running))
        return Consent(ConsentKind.CONFIRM, f"Save {ref} and then delete it?")
    if coverage.complete:
        return Consent(ConsentKind.CONFIRM, f"Delete {ref}? Every job is in a verified archive.")
    lost = None if seen.jobs is None else len(coverage.loss.ids)
    what = coverage.loss.words or "its unsaved state that no archive has"
    if lost is None:
        what = "an unknown number of jobs that no archive has"
    return Consent(
        ConsentKind.TYPE_NAME,
        f"Deleting {ref} loses {what}.",
        ref.name,
        lost,
    )


# What a MiniCluster owns, found by owner uids (ARCHITECTURE.md#F60).

Object = dict[str, Any]


class Owned:
    """Lists what is left of one MiniCluster. Remembers its Jobs, as their pods outlive them.

    `blind` names the kinds that may not be listed: of those nothing can be said.
    """

    def __init__(self, cluster: Cluster, ref: ClusterRef) -> None:
        self._cluster = cluster
        self._ref = ref
        self._owners = {ref.uid}
        self.blind: set[str] = set()

    async def left(self) -> list[str]:
        """`kind/name` of everything that is still there. Raises KubeError."""
        found: list[str] = []
        for resource in (JOBS, CONFIGMAPS, SERVICES, PODS):
            try:
                items = await self._cluster.list(resource, self._ref.namespace)
            except Forbidden:
                if resource is PODS:
                    raise
                self.blind.add(resource.plural)
                continue
            mine = list(owned_by(items, self._owners))
            if resource is JOBS:
                self._owners |= {item["metadata"]["uid"] for item in mine}
            found += [f"{resource.plural}/{item['metadata']['name']}" for item in mine]
        return found


def owned_by(items: Iterable[Object], owners: set[str]) -> Iterable[Object]:
    """The items that one of these uids owns."""
    for item in items:
        references = item.get("metadata", {}).get("ownerReferences") or []
        if any(reference.get("uid") in owners for reference in references):
            yield item


GONE_SECONDS = 300.0
END_SECONDS = 15.0
DELETE_SECONDS = 20.0
SAFE = "The archives in the catalog are untouched."


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Read the world, find the archive that covers it, and plan.

    Raises FluxstateError when `save_first` was chosen and it cannot be saved.
    """
    client: MiniClusterClient | None = None
    try:
        client = await MiniClusterClient.open(context, ref)
        seen = await take_snapshot(client)
    except MiniClusterUnreachableError as error:
        if client is not None:
            await client.close()
            client = None
        seen = unreachable(await read_minicluster(context, ref), context.server_now, error)
    except BaseException:
        if client is not None:
            await client.close()
        raise
    reach = Reach(choices.start_helper_pod, dry_run=choices.dry_run)
    try:
        seen = replace(seen, going_claim=await going_claim(context, seen.minicluster))
        if client is not None and choices.save_first:
            _require_lasting(client, seen.minicluster.archive_path)
        end = None if client is not None else await read_queue_end(context, seen.minicluster)
        if end is None:
            coverage, saved = await find_coverage(context, client, seen, reach)
        else:
            coverage, saved = BackupCoverage(None, DataLoss(), end=end), ()
        planned = plan(seen, coverage, choices)
    except BaseException:
        if client is not None:
            await client.close()
        raise
    deleting = Deleting(context, seen, client, coverage, saved)
    deleting.add_tasks(planned, choices)
    return Operation(context, planned, deleting.script)


class Deleting:
    """The steps of one delete. `copy` is where the archive lies on this computer, once it does."""

    def __init__(
        self,
        context: OperationContext,
        seen: Snapshot,
        client: MiniClusterClient | None,
        coverage: BackupCoverage,
        saved: tuple[Job, ...],
        saving: Saving | None = None,
        why: str = "",
    ) -> None:
        self._context = context
        self._client = client
        self._coverage = coverage
        self._saved = saved
        self._running = seen.running
        self._ref = seen.minicluster.ref
        self._owned = Owned(context.cluster, self._ref)
        self._saving = saving
        self._agreed = coverage.loss.ids
        self._lost: tuple[str, ...] = ()
        self.copy: Path | None = None
        self._why = f"{PAUSED_BY_US} {why or f'deleted by {context.who}'}"
        self.script = Script(
            [], self.success, safe=SAFE, close=client.close if client is not None else None
        )

    def add_tasks(self, plan: Plan, choices: Choices) -> None:
        """One task per step of the plan, those of the save first."""
        actions = self.actions()
        if choices.save_first and self._client is not None:
            saving = Saving(
                self._context, self._client, paused(choices), self._running, settle_pause=False
            )
            leaves = choices.running is Running.LEAVE
            self._agreed = frozenset(job.id for job in self._running if leaves)
            self._saving = saving
            actions |= saving.actions()
        self.script.tasks += [
            Task(step, actions[step.id], alone=step is not GONE) for step in plan.steps
        ]

    def actions(self) -> dict[str, Action]:
        """What to do at which step."""
        return {
            CLOSE.id: self.shut,
            COMPARE.id: self.secure,
            DELETE.id: self.delete,
            GONE.id: self.gone,
        }

    def success(self) -> str:
        """The sentence of the completed outcome: what is kept, and what was lost as agreed."""
        unseen = self._client is None and self._coverage.end is None
        lost = self._lost or (("what no archive has of it is lost",) if unseen else ())
        return "; ".join(filter(None, (f"{self._ref} is deleted", self._archive_words(), *lost)))

    def _archive_words(self) -> str:
        if self._saving is not None:
            return f"its queue is saved as {self._saving.saved.id}"
        if self._coverage.entry is not None and self._coverage.complete:
            return f"its queue is saved as {self._coverage.entry.id}"
        return ""

    async def shut(self, run: Run) -> str:
        """From here on the queue cannot change: nothing starts, nothing is submitted."""
        assert self._client is not None
        client = self._client
        queues = await client.queues()
        started = [queue.name for queue in queues if queue.started]
        enabled = [queue.name for queue in queues if queue.enabled]
        run.remember("started", started)
        run.remember("enabled", enabled)

        async def roll_back() -> str:
            if enabled:
                await client.enable_queues(enabled)
            accepts = "Job submission is enabled" if enabled else "it refuses jobs, as before"
            return f"{await start_again(client, started)}; {accepts}"

        shell_commands = resume_by_hand(self._ref)
        run.undo("the queue is as it was", roll_back, shell_commands)
        if started:
            run.shell_commands(*client.queue_lines("stop", started, self._why))
            await client.stop_queues(started, self._why)
        if enabled:
            run.shell_commands(*client.queue_lines("disable", enabled, self._why))
            await client.disable_queues(enabled, self._why)
        queues = await client.queues()  # all of them: others may have opened one meanwhile
        still = [queue.name or "the queue" for queue in queues if queue.started or queue.enabled]
        if still:
            raise FluxstateError(f"still started or enabled: {', '.join(still)}")
        return "no job starts, no new job is accepted"

    async def compare(self, run: Run) -> str:
        """Refuse when more would be lost now than what was agreed to."""
        assert self._client is not None
        saved = self._saving.saved.jobs if self._saving is not None else self._saved
        run.shell_commands(self._client.flux_line("jobs", "-a", "-A", "-c0", "--json"))
        live = await self._client.jobs()
        now = loss(live, saved)
        more = now.ids - self._agreed
        if more:
            raise RefusedError(
                f"{len(more)} jobs changed since: " + "; ".join(now.explain()),
                safe="The MiniCluster is not deleted.",
                advice="Save again, then delete.",
            )
        await self._still_sound()
        self._lost = now.explain()
        return f"{describe(live)}; " + ("; ".join(self._lost) or "every job is in the archive")

    async def secure(self, run: Run) -> str:
        """Compare, and copy the archive here: soon nothing else has these jobs."""
        text = await self.compare(run)
        assert self._client is not None
        entry = self._saving.entry if self._saving is not None else self._coverage.entry
        if entry is None:
            return text
        try:
            files = self._client.files
            copied = await keep_copy(self._context, files, entry, self._ref, run.tell)
        except NotSoundError:
            raise _changed(entry.path) from None
        self.copy = copied.path
        run.remember("copy", str(copied.path or ""))
        return "; ".join(filter(None, (text, copied.words)))

    async def _still_sound(self) -> None:
        """The archive on which the delete relies, read once more: disks and people change files."""
        assert self._client is not None
        if self._saving is not None:
            path, sha256 = self._saving.saved.path, self._saving.saved.sha256
        elif self._coverage.entry is not None and (part := queue_part(self._coverage.entry)):
            path, sha256 = self._coverage.entry.path, part.sha256
        else:
            return
        try:
            same = (await self._client.files.stat(path)).sha256 == sha256
        except FileNotFoundError:
            same = False
        if not same:
            raise _changed(path)

    async def delete(self, run: Run) -> str:
        """The point of no return: a cancel while it is on its way comes too late."""
        await self._require_no_queue()
        text = await too_late_to_stop(self.delete_now(run))
        self.script.safe = f"{self._ref} is being deleted: that goes on by itself. {SAFE}"
        return text

    async def _require_no_queue(self) -> None:
        """What was deleted because it had no queue must not have got one since."""
        if self._coverage.end is None or self._saving is not None:
            return
        found = await find(self._context, self._ref)
        if found is not None and await read_queue_end(self._context, found) is None:
            raise RefusedError(
                f"a broker of {self._ref} may run by now",
                safe="The MiniCluster is not deleted.",
                advice="Look at it again, and delete it then.",
            )

    async def delete_now(self, run: Run) -> str:
        """Delete exactly this object (uid and resourceVersion), in the background."""
        ref = self._ref
        run.shell_commands(
            ShellCommands.of(self._context).delete("minicluster", ref.namespace, ref.name)
        )
        await self._owned.left()  # remember the Jobs while they can be found
        try:
            # A conflict: the operator writes the status now and then.
            await retry(
                self._context.clock,
                lambda: self._request(run),
                trouble=(*BROKEN, Conflict),
                seconds=DELETE_SECONDS,
            )
        except BROKEN as error:
            await self._require_going(error)
        run.undos.clear()  # there is nothing left to put back
        return "; ".join(
            filter(None, (f"uid {ref.uid} is being deleted", await self._end_flux(run)))
        )

    async def _end_flux(self, run: Run) -> str:
        """Let Flux end, and its containers with it, which ignore SIGTERM for 30 s. What came of it.

        See ARCHITECTURE.md#F111; it is no reason to fail any more. Not where jobs run, for it would
        cancel them, nor where the broker's state directory outlives the pods: there it would be
        written that the queue is stopped and closed.
        """
        if self._client is None:
            return ""
        slow = "its pods take some 30 s to go"
        try:
            async with asyncio.timeout(END_SECONDS):
                if (await self._client.counts())["running"]:
                    return f"jobs still run, so Flux was not shut down: {slow}"
                mount = self._client.files.mount_of(await self._client.state_dir())
                if mount is not None and mount.lasting:
                    return f"Flux keeps its state on {mount}, so it was not shut down: {slow}"
                run.shell_commands(self._client.flux_line("shutdown", "--background"))
                await self._client.shut_down()
        except (FluxstateError, TimeoutError) as error:
            return f"Flux could not be shut down ({said(error)}): {slow}"
        return "Flux shuts down"

    async def _request(self, run: Run) -> None:
        """Harmless to repeat. One that is gone was deleted by us, or by somebody else."""
        cluster, ref = self._context.cluster, self._ref
        found = await find(self._context, ref)
        if found is None:
            return
        version = found.resource_version
        try:
            await cluster.delete(
                await cluster.minicluster_resource(),
                ref.name,
                ref.namespace,
                uid=ref.uid,
                resource_version=version,
            )
        except NotFound:
            return
        except BROKEN:
            run.tell("no answer: looking whether it is deleted")
            raise

    async def _require_going(self, error: FluxstateError) -> None:
        """No request was answered: raise FluxstateError (exit 8) unless one was carried out."""
        try:
            going = not await is_alive(self._context, self._ref)
        except FluxstateError:
            raise FluxstateError(
                f"nobody can say whether {self._ref} is being deleted: {error.message}",
                advice="Look again when the API server answers.",
                exit_code=ExitCode.UNKNOWN,
            ) from error
        if not going:
            raise FluxstateError(
                f"{self._ref} is not being deleted: no request was answered",
                safe="It is still there.",
                advice="A request that is still on its way may delete it: look again.",
                exit_code=ExitCode.UNKNOWN,
            ) from error

    async def gone(self, run: Run) -> str:
        """Until nothing that it owned is left (its pods stay about 32 s)."""
        clock, ref = self._context.clock, self._ref
        look = ("get", "pods,jobs", "-n", ref.namespace, "-l", f"job-name={ref.name}")
        run.shell_commands(ShellCommands.of(self._context).kubectl(*look))
        begin = clock.now()
        while True:
            try:
                left = await retry(clock, self._owned.left)
                if not left and await find(self._context, ref) is None:
                    break
            except BROKEN as error:
                raise FluxstateError(
                    f"nobody can say whether all of it is gone: {error.message}",
                    advice="Look again when the API server answers.",
                    exit_code=ExitCode.UNKNOWN,
                ) from error
            if clock.now() - begin > GONE_SECONDS:
                raise FluxstateError(
                    f"still there after {GONE_SECONDS:.0f} s: {', '.join(left) or self._ref.name}",
                    advice="Look for finalizers or an unreachable node: kubectl describe.",
                    exit_code=ExitCode.UNKNOWN,
                )
            run.tell("waiting for " + (", ".join(left[:4]) or "the MiniCluster"))
            await clock.sleep(1.0)
        blind = (
            f"; may not list {', '.join(sorted(self._owned.blind))}" if self._owned.blind else ""
        )
        self.script.safe = SAFE  # nothing goes on any more
        return "no pod, Job, ConfigMap or Service of it is left" + blind


def _require_lasting(client: MiniClusterClient, path: str) -> None:
    if why := not_lasting(client, path):
        raise FluxstateError(
            why,
            safe="Nothing was done.",
            advice="Migrate it to a MiniCluster whose spec.archive.path is on a volume, or save"
            " and `archives fetch`, then delete it without a save.",
            exit_code=ExitCode.REFUSED,
        )


def _changed(path: str) -> RefusedError:
    return RefusedError(
        f"{path} is not any more what it was when it was verified",
        safe="The MiniCluster is not deleted.",
        advice="Save again, then delete.",
    )
