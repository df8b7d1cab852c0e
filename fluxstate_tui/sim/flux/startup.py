"""rc1 of the lead broker: what comes up, in what order, and what is restored (flux-core 0.88)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.sim.flux.background import in_background
from fluxstate_tui.sim.flux.content import Content
from fluxstate_tui.sim.flux.job import SimJob
from fluxstate_tui.sim.flux.restore import RestoreError, load_content

if TYPE_CHECKING:
    from fluxstate_tui.sim.flux.instance import FluxInstance


RC1_SECONDS = 0.5
RESTORE_SECONDS_PER_JOB = 0.00125
REPLAY_SECONDS_PER_JOB = 0.0012
JOB_LIST_SECONDS_PER_JOB = 0.00005
LARGE_ARCHIVE = 500_000
JOBS_AT_A_TIME = 100
FIRST_TO_RESTORE_QUEUES = 46  # flux-core 0.46: how its queues were, from the checkpoint

FIRST_TO_HEED_A_STOP = 74  # flux-core 0.74: and also does what it says of its anonymous queue


class _KilledError(Exception):
    """The broker was killed while it started."""


class Startup:
    """One start of an instance."""

    def __init__(self, instance: FluxInstance) -> None:
        self._instance = instance
        self._log = instance.log

    async def run(self) -> bool:
        """Go through the states to quorum. False when rc1 failed."""
        try:
            return await self._start()
        except _KilledError:
            return False

    async def _start(self) -> bool:
        instance = self._instance
        instance.started_at = instance.clock.now()
        instance.set_state("join")
        await self._wait(0.015)
        self._log.add("builtins-success: load-builtins->join 14.795ms")
        self._log.add("parent-none: join->config-sync 0.035527ms")
        self._log.add("sync-none: config-sync->init 0.033482ms")
        instance.set_state("init")
        instance.online.add(0)
        for node in instance.pool.nodes:
            node.up = node.rank in instance.online
        try:
            content = await self._content()
        except RestoreError as error:
            await self._fail(str(error))
            return False
        return await self._load(content)

    async def _wait(self, seconds: float) -> None:
        await self._instance.clock.sleep(seconds)
        if not self._instance.alive:
            raise _KilledError

    async def _content(self) -> Content:
        """What the KVS starts with: the archive, the last checkpoint, or nothing."""
        instance = self._instance
        statedir = instance.statedir
        if not instance.restore_path:
            await self._wait(RC1_SECONDS)
            return statedir.checkpoint or Content()
        statedir.truncate()
        await self._wait(RC1_SECONDS)
        if instance.restore is None:
            return Content()
        many = len(instance.restore) > LARGE_ARCHIVE
        content = await in_background(many, load_content, instance.restore)
        await self._wait(len(content.jobs) * RESTORE_SECONDS_PER_JOB)
        if content.keys or content.jobs:
            statedir.save(content, instance.clock.now(), 1)
        return content

    async def _fail(self, text: str) -> None:
        instance = self._instance
        instance.failed = f"flux-restore: {text}"
        self._log.add(f"rc1.0: flux-restore: {text}", level="err")
        self._log.add("rc1.0: restore: bash: exited with exit status 1", level="err")
        self._log.add(f"rc1.0: restoring content from {instance.restore_path}")
        rc1 = "flux modprobe rc1" if _minor(instance.version) >= 77 else "/etc/flux/rc1"
        self._log.add(f"rc1.0: {rc1} Exited (rc=1) 0.4s", level="err")
        self._log.add("rc1-fail: init->shutdown 0.386944s")
        instance.set_state("shutdown")
        await self._wait(0.2)
        self._log.add("children-none: shutdown->finalize 1.47121ms")
        self._log.add("rc3.0: flux modprobe rc3 Exited (rc=0) 0.2s")
        self._log.add("rc3-success: finalize->goodbye 0.185664s")
        self._log.add("goodbye: goodbye->unload-builtins 0.055243ms")
        self._log.add("builtins-done: unload-builtins->exit 1.76343ms")
        instance.exit(1)

    async def _load(self, content: Content) -> bool:
        instance = self._instance
        instance.kvs.keys.update(content.keys)
        if content.keys:
            when = datetime.fromtimestamp(instance.statedir.when, UTC)
            stamp = when.strftime("%Y-%m-%dT%H:%M:%SZ")
            self._log.add(f"restored KVS from checkpoint on {stamp}", source="kvs")
            if b'"finish"' not in content.keys.get("admin.eventlog", b"").rpartition(b"start")[2]:
                text = "rc1.0: Flux was not shut down properly.  Data may have been lost."
                self._log.add(text)
        start = {"version": 1, "core_version": instance.version}
        instance.append_event("admin.eventlog", "start", start)
        instance.save_resources()
        first = Content(dict(instance.kvs.keys), content.jobs)
        instance.kvs.version = instance.statedir.sequence + 1
        instance.statedir.save(first, instance.clock.now(), instance.sequence)
        instance.append_event("resource.eventlog", "resource-define", {"method": "configuration"})
        await self._wait(len(content.jobs) * REPLAY_SECONDS_PER_JOB)
        await self._load_jobs(content)
        self._finish(len(content.jobs))
        return True

    async def _load_jobs(self, content: Content) -> None:
        jobs = self._instance.jobs
        for number, job_id in enumerate(sorted(content.jobs)):
            jobs.load(SimJob.load(content.jobs[job_id]))
            if number % JOBS_AT_A_TIME == 0:
                await self._wait(0.0)
        running = sum(jobs.jobs[job_id].state.running for job_id in jobs.active)
        self._log.add(f"restart: {len(content.jobs)} jobs", source="job-manager")
        self._log.add(f"restart: {running} running jobs", source="job-manager")
        max_jobid = max(content.jobs, default=0)
        checkpoint = content.keys.get("checkpoint.job-manager")
        if checkpoint is None:
            text = "restart: checkpoint.job-manager not found"
            self._log.add(text, source="job-manager")
        else:
            known = _minor(self._instance.version) >= FIRST_TO_RESTORE_QUEUES
            restored = self._instance.queues.restore(checkpoint, states=known)
            max_jobid = max(max_jobid, restored)
        text = f"restart: max_jobid={f58(max_jobid)}"
        self._log.add(text, source="job-manager", level="debug")
        jobs.begin_ids(self._instance.started_at, max_jobid)

    def _finish(self, count: int) -> None:
        instance, jobs = self._instance, self._instance.jobs
        named = any(queue.name for queue in instance.queues.all())
        heeds_stop = named or _minor(instance.version) >= FIRST_TO_HEED_A_STOP
        jobs.restarted(heeds_stop=heeds_stop)
        for job in jobs.fail_lost_jobs():
            name = f58(job.id)
            text = f"could not recover guest namespace for {name}"
            self._log.add(text, source="job-exec", level="err")
            text = f"job-exception: id={name}: failed to create guest ns: No such file or directory"
            self._log.add(text, source="job-exec")
        if instance.restore_path:
            self._log.add(f"rc1.0: restoring content from {instance.restore_path}")
        instance.job_list.ready_at = instance.clock.now() + count * JOB_LIST_SECONDS_PER_JOB
        jobs.scheduler_online = True
        jobs.plan_pass()
        text = (
            "ready: queue-depth=8 log-level=info pool-class=Rv1Pool Rv1 "
            f"rank[0-{instance.size - 1}]/core[0-{instance.pool.nodes[0].cores - 1}]"
        )
        self._log.add(text, source="sched-simple")
        self._log.add("rc1.0: flux modprobe rc1 Exited (rc=0) 1.3s")
        self._log.add("rc1-success: init->quorum 1.26176s")
        instance.resources.joined(0)
        instance.set_state("quorum")
        instance.check_quorum()


def _minor(version: str) -> int:
    return int(version.split(".")[1])
