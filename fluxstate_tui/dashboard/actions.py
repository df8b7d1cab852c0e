"""What screens ask for, done over the open connection (implements screens.actions.Actions).

Clients, operations and the archive reader are imported by the methods that need them: this module
is there before the first paint.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from fluxstate_tui.dashboard.connection import Connection
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.screens.actions import (
    Interrupted,
    JobDetail,
    JobVerb,
    Kind,
    Operation,
    OutputLine,
    SubmitRequest,
)

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogueEntry
    from fluxstate_tui.archive.reading import Reading
    from fluxstate_tui.archive.verify import Verdict
    from fluxstate_tui.dashboard.copies import ArchiveCopies
    from fluxstate_tui.dashboard.interruptions import Interruptions
    from fluxstate_tui.flux.session import FluxSession
    from fluxstate_tui.operations.choices import Choices

_URGENCY = {"hold": 0, "release": 16}
SIGTERM = 15


class LiveActions:
    """The way from a key to the cluster. Everything it returns was read back."""

    def __init__(self, connection: Connection, read_only: bool) -> None:
        self._connection = connection
        self._read_only = read_only

    def close(self) -> None:
        """Remove the private copies of archives that were looked into."""
        self._copies.close()

    @cached_property
    def _copies(self) -> ArchiveCopies:
        from fluxstate_tui.dashboard.copies import ArchiveCopies

        return ArchiveCopies()

    @cached_property
    def _interruptions(self) -> Interruptions:
        from fluxstate_tui.dashboard.interruptions import Interruptions

        return Interruptions(self._connection)

    async def prepare(self, kind: Kind, ref: ClusterRef, choices: Choices) -> Operation:
        """Read the world and plan an operation."""
        from fluxstate_tui.dashboard.relayed import RelayedOperation
        from fluxstate_tui.operations.prepare import prepare

        operation = await prepare(kind, self._connection.context, ref, choices)
        return RelayedOperation(
            operation,
            lambda: self._connection.look_again(ref),
            lambda outcome: self._interruptions.ended(kind, ref, outcome),
        )

    async def interrupted(self) -> tuple[Interrupted, ...]:
        """Operations whose program was killed, as the world is now."""
        return await self._interruptions.look()

    async def close_interrupted(self, identity: str) -> None:
        """Do not show that one again."""
        self._interruptions.close(identity)

    async def preview_restore(
        self, ref: ClusterRef, archive: str, size: int | None
    ) -> tuple[str, ...]:
        """What a restore onto `size` pods would bring, in plain lines."""
        entry = self._connection.catalogue_entry(ref, archive)
        verdict = await self.open_archive(ref, entry, Reading())
        wanted = size or (entry.manifest.size if entry.manifest else 1)
        from fluxstate_tui.archive.preview import preview

        return preview(verdict.archive, size=wanted).lines()

    async def job_detail(self, ref: ClusterRef, job_id: int) -> JobDetail:
        """Eventlog, jobspec and output of one job, from the broker."""
        session = self._connection.watched(ref).session()
        info = await session.request("job.info", job=job_id, keys=["eventlog", "jobspec"])
        from fluxstate_tui.model import eventlog

        return JobDetail(
            events=tuple(eventlog.parse(str(info["eventlog"]).encode())),
            jobspec=_decoded(info.get("jobspec")),
            output=await _output(session, job_id),
        )

    async def submit(self, ref: ClusterRef, request: SubmitRequest) -> tuple[int, ...]:
        """Submit jobs and return their ids."""
        from fluxstate_tui.flux import submit

        self._refuse_read_only("submit")
        session = self._connection.watched(ref).session()
        wanted = (
            submit.tutorial_loop()
            if request.tutorial
            else (
                submit.SubmitOptions(
                    command=request.command,
                    ntasks=request.tasks,
                    nnodes=request.nodes,
                    copies=request.copies,
                ),
            )
        )
        ids: list[int] = []
        for options in wanted:
            try:
                submitted = await submit.submit(session, options)
            except ValueError as error:
                raise FluxstateError(str(error), safe="Nothing was submitted.") from error
            ids += submitted.ids
            if submitted.errors:
                raise FluxstateError(
                    f"Flux refused {len(submitted.errors)} of the jobs: {submitted.errors[0]}",
                    safe=f"{len(ids)} were submitted: {' '.join(map(f58, ids)) or 'none'}.",
                )
        return tuple(ids)

    async def act_on_jobs(self, ref: ClusterRef, ids: tuple[int, ...], verb: JobVerb) -> str:
        """Cancel, kill, hold or release jobs; says how many Flux took and why it refused others."""
        from fluxstate_tui.flux.command import FluxFailed

        self._refuse_read_only(verb)
        session = self._connection.watched(ref).session()
        refused: list[str] = []
        for job_id in ids:
            try:
                await _act(session, job_id, verb)
            except FluxFailed as error:
                refused.append(f"{f58(job_id)}: {error.said}")
        said = f"{verb}: Flux took {len(ids) - len(refused)} of {len(ids)}"
        return f"{said}; refused {'; '.join(refused[:3])}" if refused else said

    async def refresh_archives(self, ref: ClusterRef) -> None:
        """Read the catalogue again; it comes back through the store."""
        self._connection.watched(ref).catalogue.wake()

    async def open_archive(
        self, ref: ClusterRef, entry: CatalogueEntry, reading: Reading
    ) -> Verdict:
        """Fetch an archive of the catalogue to a private copy, verified, and read it."""
        known = self._copies.known(ref.uid, entry)
        if known is not None:
            return known
        async with self._connection.files(ref) as files:
            return await self._copies.read(ref.uid, entry, files, reading)

    def why_not(self, kind: Kind | Literal["submit"], ref: ClusterRef) -> str:
        """Why that is not possible for this MiniCluster, '' if it is."""
        if self._read_only:
            return f"{kind} would change the cluster, and this is --read-only."
        return self._connection.rights.why_not(kind, ref.namespace)

    def _refuse_read_only(self, what: str) -> None:
        if self._read_only:
            raise FluxstateError(
                f"'{what}' would change the queue, and this is --read-only",
                safe="Nothing was sent.",
            )


async def _act(session: FluxSession, job_id: int, verb: JobVerb) -> None:
    if verb == "cancel":
        await session.request("job.cancel", job=job_id)
    elif verb == "kill":
        await session.request("job.kill", job=job_id, signal=SIGTERM)
    else:
        await session.request("job.urgency", job=job_id, urgency=_URGENCY[verb])


async def _output(session: FluxSession, job_id: int) -> tuple[OutputLine, ...]:
    """What it printed so far; a job that never ran has no output."""
    from fluxstate_tui.flux.command import FluxFailed

    try:
        info = await session.request("job.info", job=job_id, keys=["guest.output"])
    except FluxFailed:
        return ()
    from fluxstate_tui.archive.details import output

    chunks = output(str(info["guest.output"]).encode())
    return tuple(OutputLine(chunk.stream, chunk.rank, chunk.text) for chunk in chunks)


def _decoded(jobspec: Any) -> dict[str, Any] | None:
    if isinstance(jobspec, dict):
        return jobspec
    try:
        decoded = json.loads(str(jobspec))
    except ValueError:
        return None
    return decoded if isinstance(decoded, dict) else None
