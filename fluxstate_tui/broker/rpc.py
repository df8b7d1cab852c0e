"""Keys of checkpoints."""

from __future__ import annotations

import base64
import binascii
import errno
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fluxstate_tui.broker.commands import FluxFailed
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux import eventlog, idset
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job_json import job_from_rpc
from fluxstate_tui.flux.queue import Node, Queue
from fluxstate_tui.flux.resources import ResourceSet

if TYPE_CHECKING:
    from fluxstate_tui.broker.session import FluxSession
    from fluxstate_tui.flux.job import Job


CHECKPOINT_KEY = "checkpoint.job-manager"


SYNC_KEY = "fluxstate.checkpoint"  # any commit with --sync makes a KVS checkpoint


# What the remote program tells about queues, nodes and counts, in the words of the model.


def queues_of(fact: list[dict[str, Any]]) -> tuple[Queue, ...]:
    """`job-manager.queue-status` per queue. Raises ValueError, KeyError or TypeError."""
    return tuple(
        Queue(
            name=str(queue["name"]),
            enabled=bool(queue["enable"]),
            started=bool(queue["start"]),
            disable_reason=str(queue.get("disable_reason", "")),
            stop_reason=str(queue.get("stop_reason", "")),
        )
        for queue in fact
    )


def nodes_of(status: dict[str, Any]) -> tuple[Node, ...]:
    """`resource.status`: every rank of R with what is known of it.

    A broker that died leaves `online` 0.1 s after `overlay.health` calls it lost (0.88, tried).
    Raises ValueError, KeyError or TypeError.
    """
    online = set(idset.decode(status.get("online", "")))
    drained: dict[int, str] = {}
    for ranks, info in (status.get("drain") or {}).items():
        drained.update(dict.fromkeys(idset.decode(ranks), str(info.get("reason") or "")))
    return tuple(
        Node(
            rank=share.rank,
            host=share.host,
            cores=len(share.cores),
            gpus=len(share.gpus),
            up=share.rank in online,
            drained=share.rank in drained,
            reason=drained.get(share.rank, ""),
        )
        for share in ResourceSet.parse(status["R"]).shares()
    )


def counts_of(stats: Mapping[str, Any]) -> dict[str, int]:
    """`job-list.job-stats`: how many jobs are pending, running and inactive."""
    states = stats["job_states"]
    return {
        "pending": int(states["depend"]) + int(states["priority"]) + int(states["sched"]),
        "running": int(states["run"]) + int(states["cleanup"]),
        "inactive": int(states["inactive"]),
    }


def tallies_of(stats: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """`job-list.job-stats`: how many jobs are pending, running, completed, and ended otherwise.

    The last are all other inactive ones: canceled and timed out ones, too.
    """
    counts, done = counts_of(stats), int(stats.get("successful", 0))
    return counts["pending"], counts["running"], done, counts["inactive"] - done


# Jobs over a session: read them, act on them, follow what they print.

ANY_NODE: Final = 0xFFFFFFFF
WAIT_UNTIL_CREATED: Final = 1  # a job that does not run yet has no output yet
LONGEST_FOLLOW: Final = 30 * 86400.0
"""Seconds: no job is followed for longer."""


async def list_jobs(session: FluxSession, *states: str) -> tuple[Job, ...]:
    """All jobs of all users, or those in these states ("running", "pending" ...)."""
    constraint: dict[str, Any] = {"states": list(states)} if states else {"and": []}
    payload = {"max_entries": 0, "since": 0.0, "attrs": ["all"], "constraint": constraint}
    return tuple(map(job_from_rpc, (await session.rpc("job-list.list", payload))["jobs"]))


async def count_jobs(session: FluxSession) -> dict[str, int]:
    """How many are pending, running and inactive."""
    return counts_of(await session.rpc("job-list.job-stats", {}))


async def raise_exception(
    session: FluxSession, job: int, *, type: str = "cancel", severity: int = 0, note: str = ""
) -> None:
    """Raise an exception (RFC 21): severity 0 ends the job, and without more it is cancelled."""
    payload: dict[str, Any] = {"id": job, "type": type, "severity": severity}
    if note:
        payload["note"] = note
    await session.rpc("job-manager.raise", payload)


async def kill_job(session: FluxSession, job: int, signal: int) -> None:
    """Send a signal to its tasks."""
    await session.rpc("job-manager.kill", {"id": job, "signum": signal})


async def set_urgency(session: FluxSession, job: int, urgency: int) -> None:
    """From 0 (held) to 31."""
    await session.rpc("job-manager.urgency", {"id": job, "urgency": urgency})


async def set_duration(session: FluxSession, job: int, duration: float) -> None:
    """A new time limit, in seconds from its start."""
    updates = {"attributes.system.duration": float(duration)}
    await session.rpc("job-manager.update", {"id": job, "updates": updates})


async def read_eventlog(session: FluxSession, job: int) -> tuple[Event, ...]:
    """What happened to it. ENOENT: there is no such job."""
    return tuple(eventlog.parse((await _lookup(session, job, "eventlog"))[0].encode()))


async def read_jobspec(session: FluxSession, job: int) -> tuple[dict[str, Any], tuple[Event, ...]]:
    """Its jobspec as it is now (RFC 21, `jobspec-update`), and its events. Raises ValueError.

    Flux keeps no environment in it. The lookup's own flag for updates is younger than 0.66.
    """
    text, log = await _lookup(session, job, "jobspec", "eventlog")
    events = tuple(eventlog.parse(log.encode()))
    jobspec = json.loads(text)
    if not isinstance(jobspec, dict):
        raise ValueError("a jobspec that is no JSON object")
    for event in events:
        if event.name == "jobspec-update":
            for path, value in event.context.items():
                _put(jobspec, path.split("."), value)
    return jobspec, events


async def read_resources(session: FluxSession, job: int) -> dict[str, Any] | None:
    """The R (RFC 20) that it got; None if it never got any."""
    try:
        found = json.loads((await _lookup(session, job, "R"))[0])
    except (FluxFailed, ValueError):
        return None
    return found if isinstance(found, dict) else None


async def read_output(session: FluxSession, job: int) -> str:
    """The eventlog (RFC 24) of what it printed until now; '' if it never ran."""
    try:
        return (await _lookup(session, job, "guest.output"))[0]
    except FluxFailed:
        return ""


async def follow_output(session: FluxSession, job: int, listen: Callable[[str], None]) -> None:
    """`listen` gets the eventlog of its output, from the first line on, until the job has ended."""
    payload = {"id": job, "path": "guest.output", "flags": WAIT_UNTIL_CREATED}
    await session.stream(
        "job-info.eventlog-watch",
        payload,
        lambda answer: listen(str(answer["event"])),
        node=ANY_NODE,
        timeout=LONGEST_FOLLOW,
    )


async def _lookup(session: FluxSession, job: int, *keys: str) -> list[str]:
    payload = {"id": job, "keys": list(keys), "flags": 0}
    found = await session.rpc("job-info.lookup", payload)
    return [str(found[key]) for key in keys]


def _put(fields: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set `attributes.system.duration` and the like; None removes it."""
    for key in path[:-1]:
        fields = fields.setdefault(key, {})
    if value is None:
        fields.pop(path[-1], None)
    else:
        fields[path[-1]] = value


# Queues over a session: read them, stop and start them (RPCs of flux-core 0.47 and later).


async def read_queues(session: FluxSession) -> tuple[Queue, ...]:
    """All queues; where none has a name, there is the anonymous one, called ''."""
    names = (await session.rpc("job-manager.queue-list", {}))["queues"] or [""]
    found = []
    for name in names:
        payload = {"name": name} if name else {}
        status = await session.rpc("job-manager.queue-status", payload)
        found.append({**status, "name": name})
    return queues_of(found)


async def requests_outstanding(session: FluxSession) -> int:
    """How many allocations the scheduler still works on."""
    return int((await session.rpc("job-manager.alloc-query", {})).get("alloc_pending") or 0)


async def start_queues(
    session: FluxSession, names: Sequence[str], *, started: bool, reason: str = ""
) -> None:
    """Start or stop (with the reason that `flux queue status` shows) these, or all if none."""
    change = {"start": started, "nocheckpoint": False}
    await _change(session, "job-manager.queue-start", names, change, reason)


async def enable_queues(
    session: FluxSession, names: Sequence[str], *, enabled: bool, reason: str = ""
) -> None:
    """Let these queues, or all if none is named, take new jobs or not."""
    await _change(session, "job-manager.queue-enable", names, {"enable": enabled}, reason)


async def _change(
    session: FluxSession, topic: str, names: Sequence[str], change: dict[str, Any], reason: str
) -> None:
    """One after the other; the watch, if there is one, looks at them at once."""
    if reason:
        change = {**change, "reason": reason}
    for name in names:
        await session.rpc(topic, {**change, "all": False, "name": name})
    if not names:
        await session.rpc(topic, {**change, "all": True})
    if session.watching:
        await session.watch()


# The key value store over a session: values, and checkpoints (RFC 11 tree objects).
#
# A checkpoint is what a broker falls back to that dies without a clean shutdown. A commit with the
# sync flag writes one, also a commit without any change (flux-core 0.88, tried).

SYNC: Final = 4  # FLUX_KVS_SYNC: flush to the backing store, then checkpoint
_NEWEST: Final = "kvs-primary"  # checkpoints had keys once (0.66 refuses to go without: tried)


@dataclass(frozen=True, slots=True)
class KvsState:
    """The root (a blobref), and whether the newest checkpoint has all of it.

    `made` is when that was made, in seconds since the epoch by the broker's clock; None if there
    is none, or if it does not say (flux-core before 0.40).
    """

    root: str
    made: float | None
    fresh: bool


async def read_state(session: FluxSession) -> KvsState:
    """The root, and the newest checkpoint."""
    root = await session.rpc("kvs.getroot", {"namespace": "primary", "flags": 0})
    return await _with_checkpoint(session, root)


async def make_checkpoint(session: FluxSession) -> KvsState:
    """Make one. Raises FluxstateError if it does not read back."""
    return await _commit(session, [])


async def checkpoint_period(session: FluxSession) -> str:
    """`kvs.checkpoint-period`: how often Flux makes one by itself (`30s`), '' for never."""
    kvs = (await session.rpc("config.get", {})).get("kvs")
    return str(kvs.get("checkpoint-period") or "") if isinstance(kvs, dict) else ""


async def keep_checkpoints(session: FluxSession, period: str) -> str:
    """Let Flux make a checkpoint so often by itself, as long as this broker lives.

    A period that somebody has set already stays. Returns the one that is read back. Flux takes it
    while it runs (ARCHITECTURE.md#F112).
    """
    config = await session.rpc("config.get", {})
    kvs = config.get("kvs")
    if not (isinstance(kvs, dict) and kvs.get("checkpoint-period")):
        changed = {**(kvs if isinstance(kvs, dict) else {}), "checkpoint-period": period}
        await session.rpc("config.load", {**config, "kvs": changed})
    return await checkpoint_period(session)


async def read_value(session: FluxSession, key: str) -> str | None:
    """The text of a small value, None if there is none. Raises ValueError for what is no text."""
    payload = {"key": key, "namespace": "primary", "flags": 0}
    try:
        found = (await session.rpc("kvs.lookup", payload))["val"]
    except FluxFailed as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    if found["type"] != "val":
        raise ValueError(f"'{key}' is no small value, but a {found['type']}")
    try:
        return base64.b64decode(found["data"]).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"'{key}' is no text: {error}") from None


async def write_value(session: FluxSession, key: str, value: Any) -> KvsState:
    """Set `key` to JSON data, and make a checkpoint. Raises FluxstateError as that does."""
    data = base64.b64encode(json.dumps(value).encode("utf-8")).decode("ascii")
    entry = {"ver": 1, "type": "val", "data": data}
    return await _commit(session, [{"key": key, "flags": 0, "dirent": entry}])


async def remove_value(session: FluxSession, key: str) -> KvsState:
    """Remove `key` (it need not exist), and make a checkpoint. Raises FluxstateError as that."""
    return await _commit(session, [{"key": key, "flags": 0, "dirent": None}])


async def _commit(session: FluxSession, ops: list[dict[str, Any]]) -> KvsState:
    payload = {"namespace": "primary", "flags": SYNC, "ops": ops}
    state = await _with_checkpoint(session, await session.rpc("kvs.commit", payload))
    if not state.fresh:
        raise FluxstateError("the KVS checkpoint does not read back")
    return state


async def _with_checkpoint(session: FluxSession, root: dict[str, Any]) -> KvsState:
    """Every change makes a root with another `rootref`; a later `sequence` has it too."""
    reference = str(root["rootref"])
    try:
        value = (await session.rpc("content.checkpoint-get", {"key": _NEWEST}))["value"]
    except FluxFailed as error:
        if error.errno == errno.ENOENT:
            return KvsState(reference, None, fresh=False)
        raise
    newest = value[0] if isinstance(value, list) else value  # a list since 0.7x
    later = newest.get("sequence", -1) >= root["rootseq"]
    made = newest.get("timestamp")
    return KvsState(
        reference,
        float(made) if isinstance(made, (int, float)) else None,
        fresh=later or newest["rootref"] == reference,
    )
