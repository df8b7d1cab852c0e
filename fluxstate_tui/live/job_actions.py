"""Act on jobs over an open session, and read back from each eventlog that it happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from fluxstate_tui.archive.details import output
from fluxstate_tui.broker import rpc
from fluxstate_tui.broker.commands import FluxFailed
from fluxstate_tui.broker.session import SessionLost
from fluxstate_tui.broker.shell_commands import ShellCommands
from fluxstate_tui.broker.submit import SubmitOptions, Submitted, submit_argv, tutorial_loop
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.jobid import f58, f58_ascii
from fluxstate_tui.flux.resources import places
from fluxstate_tui.live.actions import (
    RELEASED,
    JobAnswer,
    JobDetail,
    JobRequest,
    OutputLine,
    SubmitAnswer,
)
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.base import OutcomeKind
from fluxstate_tui.tasks import Course, work_off

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
    queue: JobQueue, ids: Sequence[int], request: JobRequest, course: Course
) -> tuple[JobAnswer, ...]:
    """`act`, and a line of the audit log whatever comes of it."""
    answers: dict[int, JobAnswer] = {}
    why = "it was cut off before all was answered"
    try:
        await _act_on_all(queue.session, ids, request, queue.context.clock, course, answers)
    except FluxstateError as error:
        why = error.message
        raise
    finally:
        _log(queue, ids, request, tuple(answers.values()), why)
    return tuple(answers.values())


def outcome_of(answers: Sequence[JobAnswer], asked: int | None = None) -> OutcomeKind:
    """How it went with all of them; stopped before all that were asked for have an answer."""
    taken = [answer for answer in answers if answer.taken]
    if not answers or not all(answer.seen for answer in taken):
        return OutcomeKind.UNKNOWN
    if asked is not None and len(answers) < asked:
        return OutcomeKind.CANCELLED
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
        taken = sum(answer.taken for answer in answers)
        lines.append(f"and {len(answers) - MOST_LOGGED} more; Flux took {taken} of {len(ids)}")
    if answers and len(answers) < len(ids):
        lines.append(f"it was stopped: {len(ids) - len(answers)} of {len(ids)} were not asked for")
    asked = " ".join(map(f58_ascii, ids[:MOST_LOGGED]))
    done = [one.id for one in answers if one.taken] if answers else list(ids)
    audit.log(
        queue.context,
        audit_word(request.verb),
        queue.ref,
        "; ".join(lines) or f"{asked}: {why}",
        outcome=outcome_of(answers, len(ids)).value,
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
    session: FluxSession,
    ids: Sequence[int],
    request: JobRequest,
    clock: Clock,
    course: Course | None = None,
) -> tuple[JobAnswer, ...]:
    """One answer per job, in the order of `ids`; less when the course is stopped.

    Raises SessionLost (the outcome is unknown) when it was lost before anything was answered.
    """
    answers: dict[int, JobAnswer] = {}
    await _act_on_all(session, ids, request, clock, course or Course(len(ids)), answers)
    return tuple(answers.values())


async def _act_on_all(
    session: FluxSession,
    ids: Sequence[int],
    request: JobRequest,
    clock: Clock,
    course: Course,
    answers: dict[int, JobAnswer],
) -> None:
    """Fill `answers`, so that what was answered is known whatever comes."""
    lost: list[FluxstateError] = []
    found: dict[int, JobAnswer] = {}

    async def one(job_id: int) -> bool:
        try:
            answer = await _act(session, job_id, request, clock)
        except FluxFailed as error:
            answer = JobAnswer(job_id, False, error.said)
        except FluxstateError as error:
            lost.append(error)
            course.stop()
            answer = JobAnswer(job_id, True, f"no answer: {error.message}", seen=False)
        found[job_id] = answer
        return answer.taken and answer.seen

    try:
        await work_off(ids, one, course, AT_ONCE)
        if lost and len(lost) == len(found):
            raise lost[0]
    finally:
        if not lost or len(lost) < len(found):
            answers.update((job_id, found[job_id]) for job_id in ids if job_id in found)


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


async def submit_and_log(
    queue: QueueFeed, context: OperationContext, request: SubmitRequest, course: Course
) -> SubmitAnswer:
    """`submit_all`, and a line of the audit log whatever comes of it."""
    line = partial(ShellCommands.of(context).flux, queue.endpoint) if queue.endpoint else None
    with logging_submit(context, queue.ref, _all_options(request), line) as log:
        log.answer = await submit_all(queue, request, course)
    return log.answer


async def submit_all(
    queue: QueueFeed, request: SubmitRequest, course: Course | None = None
) -> SubmitAnswer:
    """What came of all of them. Raises FluxstateError when none was submitted."""
    every = _all_options(request)
    course = course or Course()
    course.of = sum(options.copies for options in every)
    answer = SubmitAnswer(course.of, ())
    for options in every:
        if course.stopping:
            break
        try:
            answer = _more(answer, await queue.submit(options, course))
        except ValueError as error:
            raise FluxstateError(str(error), safe="Nothing was submitted.") from error
        except FluxstateError as error:
            if not answer.ids:
                raise
            return replace(answer, unanswered=1, lost=error.message)
        if answer.refused or answer.unanswered:
            break
    if answer.refused and not answer.ids and not answer.unanswered:
        raise FluxstateError(
            f"Flux refused {answer.refused} of the jobs: {answer.why}",
            safe="None was submitted.",
        )
    return answer


def answer_of(of: int, done: Submitted) -> SubmitAnswer:
    """What was submitted, as it is told."""
    return _more(SubmitAnswer(of, ()), done)


def _more(before: SubmitAnswer, done: Submitted) -> SubmitAnswer:
    return replace(
        before,
        ids=before.ids + done.ids,
        refused=before.refused + len(done.errors),
        why=before.why or next(iter(done.errors), ""),
        unanswered=before.unanswered + done.unanswered,
        lost=before.lost or (done.lost.message if done.lost is not None else ""),
    )


def outcome_of_submit(answer: SubmitAnswer) -> OutcomeKind:
    """How it went with all of them."""
    if answer.unanswered:
        return OutcomeKind.UNKNOWN
    if answer.refused:
        return OutcomeKind.PARTIALLY_FAILED if answer.ids else OutcomeKind.FAILED
    return OutcomeKind.CANCELLED if answer.unsent else OutcomeKind.COMPLETED


def submit_lines(answer: SubmitAnswer, write: Callable[[int], str] = f58) -> list[str]:
    """What came of it: how many Flux took, refused and did not answer, and were not sent."""
    of, ids = answer.of, answer.ids
    which = ": " + " ".join(map(write, ids)) if len(ids) <= MOST_LOGGED else ""
    which = which or f": {write(ids[0])} to {write(ids[-1])}"
    lines = [f"{len(ids):,} of {of:,} jobs were submitted{which if ids else ''}."]
    if answer.refused:
        lines.append(f"Flux refused {answer.refused:,}: {answer.why}")
    if answer.unanswered:
        lines.append(
            f"{answer.unanswered:,} have no answer, and may have been submitted or not: "
            f"{answer.lost}"
        )
    if answer.unsent:
        lines.append(f"{answer.unsent:,} were not sent.")
    return lines


class SubmitLog:
    """The line of the audit log that is made when the block ends."""

    answer: SubmitAnswer


@contextmanager
def logging_submit(
    context: OperationContext,
    ref: ClusterRef,
    every: Sequence[SubmitOptions],
    flux_line: Callable[..., str] | None,
) -> Iterator[SubmitLog]:
    """One line of the audit log with `answer`, or with why there is none."""
    log, asked = SubmitLog(), sum(options.copies for options in every)
    outcome, why = OutcomeKind.UNKNOWN, f"{asked} jobs: it was cut off before all was answered"
    try:
        yield log
        outcome, why = outcome_of_submit(log.answer), " ".join(submit_lines(log.answer, f58_ascii))
    except SessionLost as error:
        why = f"{asked} jobs: {error.message}"
        raise
    except FluxstateError as error:
        outcome, why = OutcomeKind.FAILED, f"{asked} jobs: {error.message}"
        raise
    finally:
        commands: tuple[str, ...] = ()
        if flux_line is not None:
            with suppress(ValueError):
                commands = tuple(flux_line(*submit_argv(options)) for options in every)
        audit.log(context, "submit", ref, why, outcome=outcome.value, commands=commands)


def _all_options(request: SubmitRequest) -> tuple[SubmitOptions, ...]:
    return tutorial_loop() if request.tutorial else (_options(request),)


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
