"""Act on jobs over an open session, and read back from each eventlog that it happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fluxstate_tui.archive.details import output
from fluxstate_tui.broker import rpc
from fluxstate_tui.broker.commands import FluxFailed
from fluxstate_tui.broker.submit import SubmitOptions, tutorial_loop
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.jobid import f58, f58_ascii
from fluxstate_tui.flux.resources import places
from fluxstate_tui.live.actions import RELEASED, JobAnswer, JobDetail, JobRequest, OutputLine
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.base import OutcomeKind
from fluxstate_tui.tasks import together

if TYPE_CHECKING:
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.broker.session import FluxSession
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.live.actions import JobVerb, SubmitRequest
    from fluxstate_tui.live.queue_feed import QueueFeed
    from fluxstate_tui.minicluster.minicluster import ClusterRef


SIGTERM: Final = 15
AT_ONCE: Final = 16
"""Jobs that are asked for at the same time."""
LOOKS: Final = 5
"""The broker answers before the eventlog is written: how often it is looked for."""
PAUSE: Final = 0.2
SUBMIT_TIMEOUT: Final = 30.0
MOST_LOGGED: Final = 20
"""Jobs whose answers are written into the audit log one by one."""


@dataclass(frozen=True, slots=True)
class JobQueue:
    """The queue whose jobs are meant, over an open session; `flux_line` makes lines for a shell."""

    context: OperationContext
    ref: ClusterRef
    session: FluxSession
    flux_line: Callable[..., str]


async def act_and_log(
    queue: JobQueue, ids: Sequence[int], request: JobRequest
) -> tuple[JobAnswer, ...]:
    """`act`, and a line of the audit log whatever comes of it."""
    answers: tuple[JobAnswer, ...] = ()
    why = "it was cut off before all was answered"
    try:
        answers = await act(queue.session, ids, request, queue.context.clock)
    except FluxstateError as error:
        why = error.message
        raise
    finally:
        _log(queue, ids, request, answers, why)
    return answers


def outcome_of(answers: Sequence[JobAnswer]) -> OutcomeKind:
    """How it went with all of them."""
    taken = [answer for answer in answers if answer.taken]
    if not answers or not all(answer.seen for answer in taken):
        return OutcomeKind.UNKNOWN
    if len(taken) == len(answers):
        return OutcomeKind.COMPLETED
    return OutcomeKind.PARTIALLY_FAILED if taken else OutcomeKind.FAILED


def _log(
    queue: JobQueue,
    ids: Sequence[int],
    request: JobRequest,
    answers: Sequence[JobAnswer],
    why: str,
) -> None:
    lines = [f"{f58_ascii(one.id)}: {one.said}" for one in answers[:MOST_LOGGED]]
    if len(answers) > MOST_LOGGED:
        lines.append(f"and {len(answers) - MOST_LOGGED} more")
    asked = " ".join(map(f58_ascii, ids[:MOST_LOGGED]))
    done = [one.id for one in answers if one.taken] if answers else list(ids)
    audit.log(
        queue.context,
        audit_word(request.verb),
        queue.ref,
        "; ".join(lines) or f"{asked}: {why}",
        outcome=outcome_of(answers).value,
        commands=tuple(queue.flux_line(*line) for line in _commands(request, done)),
    )


def audit_word(verb: JobVerb) -> str:
    """What the audit log calls it."""
    return f"job {verb}"


def _commands(request: JobRequest, ids: Sequence[int]) -> list[list[str]]:
    """The commands of flux that do the same; there is none that submits a job again."""
    jobs = [f58_ascii(job) for job in ids]
    note = ["-m", request.note] if request.note else []
    match request.verb:
        case _ if not jobs:
            return []
        case "cancel":
            return [["cancel", *note, *jobs]]
        case "kill":
            return [["job", "kill", "-s", "SIGTERM", *jobs]]
        case "raise":
            kind = ["-s", str(request.severity), "-t", request.type]
            return [["job", "raise", *kind, *note, *jobs]]
        case "limit":
            return [["update", job, f"duration={request.limit:g}s"] for job in jobs]
        case "again":
            return []
    return [["job", "urgency", job, str(_urgency(request))] for job in jobs]


async def act(
    session: FluxSession, ids: Sequence[int], request: JobRequest, clock: Clock
) -> tuple[JobAnswer, ...]:
    """One answer per job, in the order of `ids`. Raises SessionLost (the outcome is unknown)."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(job_id: int) -> JobAnswer:
        async with gate:
            try:
                return await _act(session, job_id, request, clock)
            except FluxFailed as error:
                return JobAnswer(job_id, False, error.said)

    return tuple(await together(*map(one, ids)))


async def _act(session: FluxSession, job_id: int, request: JobRequest, clock: Clock) -> JobAnswer:
    verb = request.verb
    if verb == "again":
        return await _again(session, job_id, clock)
    if verb == "kill":
        await rpc.kill_job(session, job_id, SIGTERM)
        return JobAnswer(job_id, True, "SIGTERM was sent")  # Flux writes no event for a signal
    if verb in ("cancel", "raise"):
        kind = request.type if verb == "raise" else "cancel"
        severity = request.severity if verb == "raise" else 0
        wanted: dict[str, Any] = {"type": kind, "severity": severity}
        await rpc.raise_exception(session, job_id, type=kind, severity=severity, note=request.note)
        return await _read_back(session, job_id, "exception", wanted, clock)
    if verb == "limit":
        await rpc.set_duration(session, job_id, request.limit)
        changed = {"attributes.system.duration": request.limit}
        return await _read_back(session, job_id, "jobspec-update", changed, clock)
    urgency = _urgency(request)
    await rpc.set_urgency(session, job_id, urgency)
    return await _read_back(session, job_id, "urgency", {"urgency": urgency}, clock)


def _urgency(request: JobRequest) -> int:
    return {"hold": 0, "release": RELEASED}.get(request.verb, request.urgency)


async def _again(session: FluxSession, job_id: int, clock: Clock) -> JobAnswer:
    """Submit its jobspec as it is now once more, with its directory and the lead's environment.

    It has the urgency of now as well: one that is held is held again. Flux keeps no environment in
    a jobspec, and the signed one that has it is private.
    """
    try:
        jobspec, events = await rpc.read_jobspec(session, job_id)
    except ValueError as error:
        raise FluxFailed("submit again", f"its jobspec cannot be read: {error}") from None
    urgency = _urgency_of_now(events)
    new = await session.submit(jobspec, urgency, timeout=SUBMIT_TIMEOUT)
    answer = await _read_back(session, new, "submit", {"urgency": urgency}, clock)
    held = " (held, as it is)" if urgency == 0 else ""
    said = f"submitted again as {f58(new)}{held}; {answer.said}"
    return JobAnswer(job_id, True, said, answer.seen, new)


def _urgency_of_now(events: Sequence[Event]) -> int:
    for event in reversed(events):
        if event.name in ("urgency", "submit"):
            found = event.context.get("urgency")
            return found if isinstance(found, int) else RELEASED
    return RELEASED


async def _read_back(
    session: FluxSession, job_id: int, name: str, wanted: dict[str, Any], clock: Clock
) -> JobAnswer:
    """The newest event of that name says what was wanted, or the answer says that it does not."""
    for look in range(LOOKS):
        if look:
            await clock.sleep(PAUSE)
        found = _newest(await rpc.read_eventlog(session, job_id), name, wanted)
        if found is not None:
            said = " ".join(f"{key.split('.')[-1]} {found.context[key]}" for key in wanted)
            return JobAnswer(job_id, True, f"its eventlog says {name}: {said}")
    late = f"Flux took it, but no such {name} is in its eventlog yet"
    return JobAnswer(job_id, True, late, seen=False)


def _newest(events: Sequence[Event], name: str, wanted: dict[str, Any]) -> Event | None:
    for event in reversed(events):
        if event.name == name:
            same = all(event.context.get(key) == value for key, value in wanted.items())
            return event if same else None
    return None


# Read one job over an open session: its details once, its output as it comes.


async def read_detail(session: FluxSession, job_id: int) -> JobDetail:
    """Eventlog, jobspec and the output so far. Raises FluxstateError."""
    try:
        jobspec, events = await rpc.read_jobspec(session, job_id)
    except ValueError:
        jobspec, events = None, await rpc.read_eventlog(session, job_id)
    return JobDetail(
        events=events,
        jobspec=jobspec,
        output=await _output_so_far(session, job_id),
        places=places(await rpc.read_resources(session, job_id)),
    )


@asynccontextmanager
async def follow_output(
    session: FluxSession, job_id: int
) -> AsyncIterator[AsyncIterator[tuple[OutputLine, ...]]]:
    """All pieces of its output that there are and that come, until the job has ended.

    What came together is given together. Leaving the context ends the request. Raises
    FluxstateError while iterating when the session is lost.
    """
    heard: asyncio.Queue[str | None] = asyncio.Queue()

    task = asyncio.create_task(rpc.follow_output(session, job_id, heard.put_nowait))
    task.add_done_callback(lambda _: heard.put_nowait(None))
    try:
        async with aclosing(_pieces(heard, task)) as pieces:
            yield pieces
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _pieces(
    heard: asyncio.Queue[str | None], task: asyncio.Task[None]
) -> AsyncGenerator[tuple[OutputLine, ...], None]:
    while True:
        came = [await heard.get()]
        while not heard.empty():
            came.append(heard.get_nowait())
        text = "".join(event.rstrip("\n") + "\n" for event in came if event is not None)
        lines = tuple(OutputLine(c.stream, c.rank, c.text) for c in output(text.encode()))
        if lines:
            yield lines
        if None in came:
            await task  # how it ended
            return


async def _output_so_far(session: FluxSession, job_id: int) -> tuple[OutputLine, ...]:
    """What it printed so far; a job that never ran has no output."""
    chunks = output((await rpc.read_output(session, job_id)).encode())
    return tuple(OutputLine(chunk.stream, chunk.rank, chunk.text) for chunk in chunks)


# Submit what a user asked for; Flux's own words when it refuses.


async def submit_all(queue: QueueFeed, request: SubmitRequest) -> tuple[int, ...]:
    """The ids of the new jobs. Raises FluxstateError, which says what was submitted until then."""
    ids: list[int] = []
    for options in tutorial_loop() if request.tutorial else (_options(request),):
        try:
            submitted = await queue.submit(options)
        except ValueError as error:
            raise FluxstateError(str(error), safe="Nothing was submitted.") from error
        ids += submitted.ids
        if submitted.errors:
            raise FluxstateError(
                f"Flux refused {len(submitted.errors)} of the jobs: {submitted.errors[0]}",
                safe=f"{len(ids)} were submitted: {' '.join(map(f58, ids)) or 'none'}.",
            )
    return tuple(ids)


def _options(request: SubmitRequest) -> SubmitOptions:
    return SubmitOptions(
        command=request.command,
        ntasks=request.tasks,
        nnodes=request.nodes,
        cores_per_task=request.cores,
        duration=request.limit,
        name=request.name,
        queue=request.queue,
        dependencies=request.dependencies,
        copies=request.copies,
    )
