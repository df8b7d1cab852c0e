"""A clean shutdown: cleanup, rc3, and the checkpoint that remembers stopped queues (0.88)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.sim.files import Files

if TYPE_CHECKING:
    from fluxstate_tui.sim.flux.instance import FluxInstance


_CLEANUP = (
    "flux queue stop --quiet --all --nocheckpoint",
    "flux resource acquire-mute",
    "flux cancel --user=all --quiet --states RUN",
    "flux queue idle --quiet",
)


class Shutdown:
    """One shutdown of an instance."""

    def __init__(self, instance: FluxInstance) -> None:
        self._instance = instance

    async def run(self, files: Files | None, dump_path: str) -> None:
        """run -> cleanup -> shutdown -> finalize -> exit, with a dump of the final state."""
        instance = self._instance
        remembered = instance.queues.checkpoint(max(instance.jobs.jobs, default=0))
        await self._cleanup()
        instance.log.add("cleanup-success: cleanup->shutdown 1.04801s")
        instance.set_state("shutdown")
        await instance.clock.sleep(0.2)
        instance.log.add("children-complete: shutdown->finalize 0.26424s")
        instance.kvs.keys["checkpoint.job-manager"] = remembered
        instance.append_event("admin.eventlog", "finish", {"version": 1})
        instance.checkpoint()
        if dump_path and files is not None:
            instance.log.add(f"rc3.0: dumping content to {dump_path}")
            entries = instance.content().entries(instance.clock.now())
            files.write(dump_path, write_archive(entries, dump_path))
        instance.log.add("rc3.0: flux modprobe rc3 Exited (rc=0) 0.4s")
        instance.log.add("rc3-success: finalize->goodbye 0.444875s")
        instance.exit(0)

    async def _cleanup(self) -> None:
        instance = self._instance
        instance.set_state("cleanup")
        for queue in instance.queues.all():
            queue.started = False
        for job_id in list(instance.jobs.active):
            job = instance.jobs.jobs[job_id]
            if job.state.running:
                instance.jobs.raise_exception(job, "cancel", 0, "")
        await instance.control.idle()
        for number, command in enumerate(_CLEANUP):
            instance.log.add(f"cleanup.{number}: {command} Exited (rc=0) 0.2s")
