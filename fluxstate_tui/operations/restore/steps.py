"""The steps of one restore, each read back, and how it is rolled back."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from fluxstate_tui.archive.compare import (
    Account,
    Accounted,
    BrokerTime,
    RefusalCause,
    RestoreOutcome,
    account,
)
from fluxstate_tui.archive.manifest import folder_of
from fluxstate_tui.archive.preview import RestorePreview
from fluxstate_tui.broker.client import MiniClusterClient, MiniClusterUnreachableError
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.broker.objects import lead_log, left_of_name, read_by_name, read_lead, read_phase
from fluxstate_tui.broker.retry import BROKEN, RetryingFiles, retry, uninterrupted
from fluxstate_tui.broker.rpc import SYNC_KEY
from fluxstate_tui.broker.shell_commands import ShellCommands
from fluxstate_tui.catalog import records
from fluxstate_tui.catalog.catalog import Version
from fluxstate_tui.catalog.helper_pod import HelperPod
from fluxstate_tui.catalog.ownership import RESTORED_FROM, owner_of
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.running_jobs import duration
from fluxstate_tui.formatting import plural
from fluxstate_tui.kube.errors import Conflict, Forbidden, NotFound
from fluxstate_tui.minicluster.minicluster import ClusterRef, Derived, Phase
from fluxstate_tui.minicluster.spec_check import dropped
from fluxstate_tui.operations.arming import (
    ArmedState,
    adopt,
    another_volume,
    arm,
    disarm,
    disarm_original,
    exchanged,
    keep_copy,
    look_armed,
)
from fluxstate_tui.operations.base import Plan
from fluxstate_tui.operations.restore import plan as steps
from fluxstate_tui.operations.restore.old_volumes import in_the_way, old_volumes
from fluxstate_tui.operations.restore.plan import Source
from fluxstate_tui.operations.snapshot import PAUSED_BY_US
from fluxstate_tui.operations.steps import Action, Run, Task, Undo

# After a restore that failed: no armed archive may stay behind unnoticed.


async def roll_back(
    context: OperationContext, ref: ClusterRef, manifest: dict[str, Any], version: Version
) -> str:
    """Disarm through the lead's container if it runs, else through a helper pod.

    A MiniCluster that we created (`ref.uid`) and whose lead container never started is deleted
    first: it holds no state, and disarmed under its feet it would come up with an empty queue.
    """
    path = manifest["spec"]["archive"]["path"]
    found = await read_by_name(context, ref) if ref.uid else None
    if found is None or found.ref.uid != ref.uid:
        return await _by_helper_pod(context, manifest, path, version)
    lead = await read_lead(context, found)
    if not lead.started:
        await _delete(context, ref)
        said = await _by_helper_pod(context, manifest, path, version)
        return f"the MiniCluster that never started is deleted; {said}"
    if lead.running:
        place = (ref.namespace, lead.pod, lead.container)
        files = RetryingFiles(context.cluster, context.clock, place, lead.mounts)
        said = await disarm_original(files, version, path)
    else:
        said = await _by_helper_pod(context, manifest, path, version)
    return f"{said}; {ref} stays: look at its queue, or delete it and restore again"


async def _by_helper_pod(
    context: OperationContext, manifest: dict[str, Any], path: str, version: Version
) -> str:
    helper = await HelperPod.start(context, manifest)
    try:
        return await disarm_original(helper.files, version, path)
    finally:
        await helper.remove()


async def _delete(context: OperationContext, ref: ClusterRef) -> None:
    resource = await context.cluster.minicluster_resource()
    try:
        await context.cluster.delete(resource, ref.name, ref.namespace, uid=ref.uid)
    except NotFound:
        return
    except FluxstateError as error:
        raise FluxstateError(
            f"the new MiniCluster {ref} could not be removed: {error.message}",
            advice="It is still armed: delete it, then restore again.",
        ) from error


# Waiting for a new MiniCluster's broker, with the reasons while it is not there.

_HOPELESS = {Phase.DEAD, Phase.FAILED, Phase.FINISHED, Phase.DELETING}
_ASKABLE = {Phase.STARTING, Phase.QUORUM, Phase.UP, Phase.PAUSED, Phase.DEGRADED}
_LOG_LINES = 40


async def bring_up(
    context: OperationContext, ref: ClusterRef, timeout: float, tell: Callable[[str], None]
) -> MiniClusterClient:
    """Return it as soon as its broker is in state run.

    Raises FluxstateError with the phase and the last words of the lead when it failed or took
    longer than `timeout` seconds.
    """
    begin = context.clock.now()
    while True:
        derived = await retry(context.clock, lambda: read_phase(context, ref))
        tell(f"{derived.phase.value}: {derived.reason}")
        if derived.phase in _HOPELESS:
            raise await _failed(context, ref, derived)
        client = await _running(context, ref, derived, tell)
        if client is not None:
            return client
        if context.clock.now() - begin > timeout:
            raise FluxstateError(
                f"its broker does not run after {duration(timeout)}: {derived.reason}",
                advice="Look at its pods and events; what failed can be restored again.",
            )
        await context.clock.sleep(1.0)


async def _running(
    context: OperationContext,
    ref: ClusterRef,
    derived: Derived,
    tell: Callable[[str], None],
) -> MiniClusterClient | None:
    """The world if its broker is in state run; else says what is in the way."""
    try:
        client = await MiniClusterClient.open(context, ref)
    except BROKEN:
        return None
    except MiniClusterUnreachableError as error:
        if derived.phase in _ASKABLE:
            tell(f"{derived.phase.value}: {error.message}")
        return None
    if client.broker_state == "run":
        return client
    tell(f"broker state {client.broker_state}")
    await client.close()
    return None


async def _failed(context: OperationContext, ref: ClusterRef, derived: Derived) -> FluxstateError:
    """The lead ends as Completed even when the restore failed: its log has the reason."""
    words = [
        line
        for line in await lead_log(context, ref, _LOG_LINES)
        if "flux-restore:" in line or "rc1" in line or ".err[" in line or ".crit[" in line
    ]
    said = f" ({words[0].strip()})" if words else ""
    return FluxstateError(
        f"the MiniCluster is {derived.phase.value}: {derived.reason}{said}",
        advice=f"Delete {ref.name} and restore another version.",
        exit_code=ExitCode.FAILURE,
    )


_MOST_NAMED = 5


def foreign_words(found: Account) -> str:
    """Which jobs nobody vouches for, how far they are, and by what it was judged."""
    foreign = found.foreign
    if not foreign:
        return "Every job that is there was saved, or submitted to this broker"
    named = "; ".join(
        f"{f58(one.job.id)} {one.job.name!r} of user {one.job.userid}, {one.job.status.lower()}, "
        f"{one.reason}"
        for one in foreign[:_MOST_NAMED]
    )
    more = f"; and {len(foreign) - _MOST_NAMED} more" if len(foreign) > _MOST_NAMED else ""
    return f"Nobody vouches for {plural(len(foreign), 'job')}: {named}{more}"


OLD_PODS_SECONDS = 180.0
ACCOUNT_SECONDS = 60.0  # without any further job showing up
REFUSAL_SECONDS = 10.0  # for the scheduler to fail what can never run
_REASONS = 3


Bring = Callable[[Run, RemoteFiles], Awaitable[tuple[Source, tuple[str, ...]]]]
"""What is on the volume then, and what is to be said of others beside it."""


class Restoring:
    """Needs a running helper pod until the MiniCluster is created: a given one, or its own."""

    def __init__(
        self,
        context: OperationContext,
        helper: HelperPod | None,
        source: Source,
        manifest: dict[str, Any],
        start_timeout: float,
        bring: Bring | None = None,
    ) -> None:
        """`bring` puts the archive on the volume, when it is not there yet."""
        self._context = context
        self._helper = helper
        self._source = source
        self._plain = manifest
        self._bring = bring
        self._start_timeout = start_timeout
        self._archive_path: str = manifest["spec"]["archive"]["path"]
        metadata = manifest["metadata"]
        self._ref = ClusterRef(metadata["namespace"], metadata["name"], "")
        self._client: MiniClusterClient | None = None
        self._disarm: Undo | None = None
        self._account: Account | None = None
        self._preview: RestorePreview | None = None
        self._original = source.entry.path
        self._armed_by: HelperPod | None = None
        self._armed_on = ""

    @property
    def _manifest(self) -> dict[str, Any]:
        """What is created: it notes where its queue came from."""
        metadata = self._plain["metadata"]
        notes = {**(metadata.get("annotations") or {}), RESTORED_FROM: self._source.entry.id}
        return {**self._plain, "metadata": {**metadata, "annotations": notes}}

    @property
    def _version(self) -> Version:
        """What is armed, by its original in the catalog."""
        archive = self._source.archive
        return Version(self._original, archive.size, archive.sha256)

    @property
    def client(self) -> MiniClusterClient:
        """The new MiniCluster. Raises FluxstateError before its broker runs."""
        if self._client is None:
            raise FluxstateError("the new MiniCluster does not run yet")
        return self._client

    @property
    def refused(self) -> tuple[Accounted, ...]:
        """Jobs that came back FAILED, once they were accounted for."""
        jobs = self._account.jobs if self._account else ()
        return tuple(one for one in jobs if one.fortune is RestoreOutcome.REFUSED)

    def tasks(self, plan: Plan) -> list[Task]:
        """One task per step of the plan."""
        actions: dict[str, Action] = {
            steps.CHECK.id: self.check,
            steps.ARM.id: self.arm,
            steps.CREATE.id: self.create,
            steps.START.id: self.start,
            steps.ACCOUNT.id: self.account,
            steps.DISARM.id: self.disarm,
            steps.CHECKPOINT.id: self.checkpoint,
            steps.QUEUE.id: self.queue,
        }
        if self._bring is not None:
            actions[steps.BRING.id] = self.bring
        aftercare = {steps.CHECKPOINT.id, steps.QUEUE.id}
        # Once it is created, it must be disarmed whatever happens.
        before = {steps.BRING.id, steps.CHECK.id, steps.ARM.id, steps.CREATE.id}
        return [
            Task(step, actions[step.id], step.id not in aftercare, step.id in before)
            for step in plan.steps
        ]

    def success(self) -> str:
        """The sentence of the completed outcome."""
        assert self._account is not None
        return f"{self._ref} is restored from {self._source.entry.id}: {self._account.explain()}"

    async def close(self) -> None:
        """Remove the helper pod and end the session."""
        if self._helper is not None:
            helper, self._helper = self._helper, None
            await helper.remove()
        if self._client is not None:
            await self._client.close()

    async def bring(self, run: Run) -> str:
        """Start the helper pod, that was agreed to with the plan, and put the archive there."""
        assert self._bring is not None
        if self._helper is None:
            self._helper = await HelperPod.start(self._context, self._plain, fresh=True)
        self._source, beside = await self._bring(run, self._helper.files)
        entry, archive = self._source.entry, self._source.archive
        return "; ".join([f"{entry.path}: sha256 {archive.sha256[:12]}", *beside])

    async def check(self, run: Run) -> str:
        """Server-side dry run, and nothing of an older MiniCluster of that name is left."""
        if self._helper is not None:
            self._helper = await self._helper.renewed()
        cluster = self._context.cluster
        resource = await cluster.minicluster_resource()
        run.shell_commands(ShellCommands.of(self._context).create(self._manifest, dry_run=True))
        stored = await retry(
            self._context.clock,
            lambda: cluster.create(resource, self._manifest, self._ref.namespace, dry_run=True),
        )
        lost = dropped(self._manifest["spec"], stored.get("spec") or {})
        if lost:
            raise FluxstateError(
                f"the API server would drop {', '.join(lost)}",
                safe="Nothing was created.",
                advice="These fields are unknown to this version of the Flux Operator.",
                exit_code=ExitCode.REFUSED,
            )
        clock = self._context.clock
        begin = clock.now()
        while left := await retry(clock, lambda: left_of_name(self._context, self._ref)):
            if clock.now() - begin > OLD_PODS_SECONDS:
                raise FluxstateError(
                    f"still there from before: {', '.join(left)}",
                    safe="Nothing was created.",
                    advice="They share its host names: wait until they are gone.",
                )
            run.tell(f"waiting for the old {', '.join(left[:4])}")
            await clock.sleep(1.0)
        await self._require_volumes(run, begin)
        return "the API server takes it; nothing of an older one is left"

    async def _require_volumes(self, run: Run, begin: float) -> None:
        clock = self._context.clock
        while True:
            try:
                found = await old_volumes(self._context, self._plain)
            except Forbidden:
                return
            if not found:
                return
            for old in found:
                if not old.going or clock.now() - begin > OLD_PODS_SECONDS:
                    raise in_the_way(old)
            run.tell(f"waiting for the old PersistentVolume {found[0].name}")
            await clock.sleep(1.0)

    async def arm(self, run: Run) -> str:
        """Copy the archive to `archive.path` and verify it there."""
        assert self._helper is not None
        run.shell_commands(
            *self._helper.lines(),
            self._helper.line("cp", self._source.entry.path, self._archive_path),
            self._helper.line("sha256sum", self._archive_path),
        )
        files, entry, archive = self._helper.files, self._source.entry, self._source.archive
        version = Version(entry.path, archive.size, archive.sha256)
        self._original = entry.path
        self._armed_by = self._helper
        self._armed_on = str(files.mount_of(self._archive_path) or "")
        run.remember("archive", entry.path)
        run.remember(steps.TO_START, list(self._source.queues_to_start))
        if posixpath.normpath(entry.path) == posixpath.normpath(self._archive_path):
            # It will be removed when it is disarmed: keep it first.
            kept = await keep_copy(files, entry.path, folder_of(entry.path), self._ref.name)
            self._original = kept
            run.tell(f"kept as {kept}")
        self._disarm = run.undo(
            "the archive is disarmed", self._roll_back, f"Remove {self._archive_path} by hand."
        )
        return await arm(files, version, self._archive_path, self._ref.name)

    async def create(self, run: Run) -> str:
        """Create it. A cancel meanwhile waits until it is known what there is to be removed."""
        if self._helper is not None:
            self._helper = await self._helper.renewed()
            state = await look_armed(self._helper.files, self._version, self._archive_path)
            if state is not ArmedState.WHOLE:
                raise exchanged(self._archive_path)
        text, cancelled = await uninterrupted(self._create(run))
        if cancelled:
            raise asyncio.CancelledError
        return text

    async def _create(self, run: Run) -> str:
        """The helper pod goes first, as some volumes mount only once."""
        helper, hand = self._helper, ShellCommands.of(self._context)
        if helper is not None:
            self._helper = None
            await helper.remove()
            run.shell_commands(hand.delete("pod", self._ref.namespace, helper.name))
        run.shell_commands(hand.create(self._manifest))
        try:
            created = await retry(self._context.clock, lambda: self._request(run))
        except BROKEN as error:
            raise FluxstateError(
                f"nobody can say whether {self._ref} was created: {error.message}",
                advice="Look whether it is there, and delete it: it may have an empty queue.",
                exit_code=ExitCode.UNKNOWN,
            ) from error
        self._ref = replace(self._ref, uid=created["metadata"]["uid"])
        run.remember("uid", self._ref.uid)
        self._remember_lineage()
        return f"uid {self._ref.uid}, size {created['spec'].get('size')}"

    def _remember_lineage(self) -> None:
        """Later this computer knows what its queue came from, whatever the volume says then."""
        state_dir, sha256 = self._context.state_dir, self._source.archive.sha256
        known = records.recall(state_dir, sha256)
        owner = owner_of(self._source.entry, known.saved_by if known is not None else None)
        before = owner.uid if owner is not None else ""
        now = self._context.server_now
        records.remember_restored(state_dir, self._ref.uid, sha256, before, now)

    async def _request(self, run: Run) -> dict[str, Any]:
        """Harmless to repeat: only one can have the name, and ours can be told from others'."""
        cluster, ref = self._context.cluster, self._ref
        resource = await cluster.minicluster_resource()
        try:
            return await cluster.create(resource, self._manifest, ref.namespace)
        except BROKEN:
            run.tell("no answer: looking whether it was created")
            raise
        except Conflict as error:
            found = await read_by_name(self._context, ref)
            if found is not None and self._is_ours(found.raw):
                return found.raw
            raise FluxstateError(
                f"somebody else created {ref} meanwhile: {error.message}",
                safe="It was not touched.",
                advice="It may have read the armed archive: look at its queue.",
                exit_code=ExitCode.REFUSED,
            ) from error

    def _is_ours(self, there: dict[str, Any]) -> bool:
        """Whether it has the notes that are ours alone: from which archive, by which migration."""
        notes = there["metadata"].get("annotations") or {}
        return bool(self._manifest["metadata"]["annotations"].items() <= notes.items())

    async def start(self, run: Run) -> str:
        """Until the broker runs; why not, while it does not."""
        self._client = await bring_up(self._context, self._ref, self._start_timeout, run.tell)
        run.shell_commands(
            self._client.flux_line("uptime"),
            self._client.file_line("sha256sum", self._archive_path),
        )
        await self._require_armed(run)
        return f"broker state {self._client.broker_state}, flux-core {self._client.core_version}"

    async def _require_armed(self, run: Run) -> None:
        """What the broker has loaded is what still lies there, if it is what was armed."""
        files = self.client.files
        match await look_armed(files, self._version, self._archive_path):
            case ArmedState.WHOLE:
                return
            case ArmedState.GONE:
                run.problem(
                    f"{self._archive_path} was gone when the broker was up: what it loaded is "
                    "judged by its jobs alone",
                    "Look who can write to the volume.",
                )
            case ArmedState.ELSEWHERE:
                raise another_volume(files, self._version, self._archive_path)
            case ArmedState.EXCHANGED:
                why = f"what lies at {self._archive_path} is not the archive that was armed"
                alarm = await self._alarm(run, why, await self._judged())
                alarm.message = f"{alarm.message}. {await self._put_aside(run)}"
                raise alarm

    async def _put_aside(self, run: Run) -> str:
        """So that no restart of its container loads it once more; as evidence it is kept."""
        files, path = self.client.files, self._archive_path
        try:
            kept = await adopt(files, path, self._ref.name)
        except FluxstateError as error:
            return f"What lies at {path} could NOT be put aside: {error.message}"
        run.shell_commands(self.client.file_line("mv", path, kept))
        return f"What lay there is kept as {kept}, which is not to be restored"

    async def _judged(self) -> Account:
        """Every job that is there, and those that nobody vouches for."""
        client = self.client
        jobs, now = await client.jobs(), await client.cluster_now()
        return account(self._source.jobs, jobs, BrokerTime(client.broker_started, now))

    async def _alarm(self, run: Run, why: str, found: Account) -> FluxstateError:
        """Nothing more may begin: the queue is stopped, and it is said what is there."""
        stopped = await self._stop(run)
        # Read again: what began before it was stopped is told as it is now.
        with contextlib.suppress(FluxstateError):
            found = await self._judged()
        return FluxstateError(
            f"ALARM: {why}. {foreign_words(found)}; so far {found.explain()}. {stopped}",
            safe=f"{self._source.entry.id} is untouched in the catalog, and has every saved job.",
            advice=f"Look who can write to the volume. Then delete {self._ref.name} and restore "
            f"{self._source.entry.id} again; or cancel what is not yours, and resume it.",
            exit_code=ExitCode.VERIFICATION,
        )

    async def _stop(self, run: Run) -> str:
        client = self.client
        reason = f"{PAUSED_BY_US} jobs that no archive had, seen by {self._context.who}"
        try:
            names = [queue.name for queue in await client.queues()]
            run.shell_commands(*client.queue_lines("stop", names, reason))
            await client.stop_queues(names, reason)
            said = await client.read_back_queues(names, started_now=False)
        except FluxstateError as error:
            return f"Its queue could NOT be stopped: {error.message}"
        return f"Its queue is stopped ({said})"

    async def account(self, run: Run) -> str:
        """Every saved job must be there: same, running, finished since or refused; none lost.

        Others must have been submitted to this very broker.
        The list fills from the journal after the start, so a short one is asked for again.
        """
        assert self._client is not None
        run.shell_commands(self._client.flux_line("jobs", "-a", "-A", "-c0", "--json"))
        clock = self._context.clock
        there, since = -1, clock.now()
        while True:
            known = sum((await self._client.counts()).values())
            if known > there:
                there, since = known, clock.now()
            stuck = clock.now() - since > ACCOUNT_SECONDS
            if known < len(self._source.jobs) and not stuck:
                # Listing 50,000 jobs every second would keep the broker from reading its journal.
                run.tell(f"{known} of {len(self._source.jobs)} jobs are there")
                await clock.sleep(1.0)
                continue
            result = await self._judged()
            self._account = result
            if result.foreign:
                why = f"{plural(len(result.foreign), 'job')} came from no archive and from nobody"
                raise await self._alarm(run, why, result)
            late = self._predicted.refused - {one.job.id for one in self.refused}
            if result.balanced and late and clock.now() - since < REFUSAL_SECONDS:
                # The plan said that Flux fails them: the scheduler has not looked at all yet.
                run.tell(f"{result.explain()}; the scheduler has still to look at {len(late)}")
                await clock.sleep(0.5)
                continue
            if result.balanced:
                return result.explain()
            if stuck:
                raise FluxstateError(
                    f"not every job came back: {result.explain()}",
                    safe="The new MiniCluster is left as it is.",
                    advice="Look at the lead's log; the archive can be restored again.",
                    exit_code=ExitCode.VERIFICATION,
                )
            run.tell(result.explain())
            await clock.sleep(1.0)

    async def disarm(self, run: Run) -> str:
        """Remove the armed copy, so that a restarted container keeps its own state."""
        assert self._client is not None
        run.shell_commands(self._client.file_line("rm", self._archive_path))
        text = await disarm_original(self._client.files, self._version, self._archive_path)
        if self._disarm is not None:
            run.discard(self._disarm)
        return text

    async def checkpoint(self, run: Run) -> str:
        """Without one a killed container falls back to the restore and runs jobs twice."""
        assert self._client is not None
        run.shell_commands(self._client.flux_line("kvs", "put", "--sync", f"{SYNC_KEY}=1"))
        root = await self._client.kvs_sync()
        self._refused(run)
        return f"root {root[:20]}"

    async def queue(self, run: Run) -> str:
        """Named queues come up stopped: start those that were started when it was saved."""
        assert self._client is not None
        known = {queue.name for queue in await self._client.queues()}
        names = [name for name in self._source.queues_to_start if name in known]
        gone = [name for name in self._source.queues_to_start if name not in known]
        if gone:
            run.problem(
                f"these queues are not in the new configuration: {', '.join(gone)}",
                "Their jobs wait until there is a queue of that name.",
            )
        if not names:
            return "no queue to start"
        run.shell_commands(*self._client.queue_lines("start", names))
        await self._client.start_queues(names)
        return await self._client.read_back_queues(names, started_now=True)

    def _refused(self, run: Run) -> None:
        refused = self.refused
        if refused:
            causes = Counter(one.cause for one in refused)
            needed = self._predicted.size_needed
            run.problem(
                f"{plural(len(refused), 'job')} came back FAILED: {_cause_words(refused, causes)}",
                _advice(causes, needed if needed > self._size else 0),
            )

    @property
    def _size(self) -> int:
        return int(self._plain["spec"].get("size", 1))

    @property
    def _predicted(self) -> RestorePreview:
        """As the plan said it; of the archive that is on the volume."""
        if self._preview is None:
            self._preview = steps.preview_restore(self._source.archive, self._plain)
        return self._preview

    async def _roll_back(self) -> str:
        """Take the armed copy away again, by whatever pod can do it now."""
        if self._helper is not None:
            self._helper = await self._helper.renewed()
            if self._helper is self._armed_by:  # it sees the very same mount
                return await disarm(
                    self._helper.files, self._archive_path, self._source.archive.sha256
                )
            return await disarm_original(self._helper.files, self._version, self._archive_path)
        try:
            said = await roll_back(self._context, self._ref, self._manifest, self._version)
        except FluxstateError as error:
            if self._disarm is not None:
                on = f" on {self._armed_on}" if self._armed_on else ""
                self._disarm.shell_commands = (
                    f"Not disarmed ({error.message}): look at {self._archive_path}{on}, where it "
                    "was armed, and remove it by hand."
                )
            raise
        if self._client is None:
            return said
        try:
            return f"{said}; KVS checkpoint {(await self._client.kvs_sync())[:20]}"
        except FluxstateError as error:
            return f"{said}; without a KVS checkpoint: {error.message}"


def _cause_words(refused: Iterable[Accounted], causes: Mapping[RefusalCause | None, int]) -> str:
    """`2 ran at the dump (run them again by hand), 1 depended on such jobs`, what Flux said."""
    ran, depended = causes[RefusalCause.RAN], causes[RefusalCause.DEPENDED]
    words = []
    if ran:
        words.append(f"{ran} ran at the dump (run {'it' if ran == 1 else 'them'} again by hand)")
    if depended:
        words.append(f"{depended} depended on {'such jobs' if ran else 'jobs that never started'}")
    known = (RefusalCause.RAN, RefusalCause.DEPENDED)
    reasons = Counter(one.reason for one in refused if one.cause not in known)
    words += [f"{number} {reason}" for reason, number in reasons.most_common(_REASONS)]
    return ", ".join(words)


def _advice(causes: Mapping[RefusalCause | None, int], needed: int) -> str:
    """What helps each of them; `needed` is the size that would do, 0 when none is known to."""
    advice = []
    if causes[RefusalCause.RAN]:
        advice.append("What ran at the dump is submitted again by hand: no size helps it.")
    if causes[RefusalCause.DEPENDED]:
        advice.append("What depended on other jobs is submitted again after those.")
    if causes[RefusalCause.NO_RESOURCES]:
        advice.append(
            "The archive still has them pending: submit them again, or delete this MiniCluster and "
            f"restore the archive onto a larger size ({needed} nodes would do)."
            if needed
            else "No node here has what they ask for: submit them again with other requirements."
        )
    if causes[RefusalCause.OTHER]:
        advice.append("The job's events say why: fluxstate-tui get jobs NAME.")
    return " ".join(advice)
