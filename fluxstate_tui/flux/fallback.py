"""Where the remote program cannot run (no Python bindings, no right to exec a program of ours):
the flux commands themselves, again and again. It costs the broker 30 times more, so it is rare.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxstate_tui.flux.command import Executor, FluxFailed, run_flux
from fluxstate_tui.model import hostlist, idset
from fluxstate_tui.model.flux_json import job_from_json
from fluxstate_tui.model.queue import Node, Queue

if TYPE_CHECKING:
    from fluxstate_tui.flux.endpoint import Endpoint
    from fluxstate_tui.model.job import Job

_STATUS = re.compile(
    r"(?:(?P<queue>\S+): )?(?P<what>Job submission|Scheduling) is (?P<word>\w+)(?:: (?P<why>.*))?"
)
_NODES = ("resource", "list", "-no", "{state}|{nnodes}|{ncores}|{ngpus}|{nodelist}|{ranks}")


@dataclass(frozen=True, slots=True)
class Look:
    """All that one look by commands tells."""

    state: str
    version: str
    jobs: tuple[Job, ...]
    queues: tuple[Queue, ...]
    nodes: tuple[Node, ...]


async def look(executor: Executor, endpoint: Endpoint) -> Look:
    """Ask everything once, by commands. Raises FluxFailed in Flux's words, or a KubeError."""

    async def flux(*args: str) -> str:
        return await run_flux(executor, endpoint, args, only_reads=True)

    uptime = parse_uptime(await flux("uptime"))
    version = (await flux("getattr", "version")).strip()
    listing = await flux("jobs", "-a", "-A", "-c0", "--json")
    queues = parse_queue_status(await flux("queue", "status"))
    try:
        nodes = parse_nodes(await flux(*_NODES))
    except FluxFailed:
        nodes = ()  # no scheduler yet
    return Look(uptime, version, parse_jobs(listing), queues, nodes)


def parse_uptime(text: str) -> str:
    """The broker's state: the second word of ` 20:48:07 run 1.7s,  owner root,  depth 0`."""
    words = text.split()
    return words[1] if len(words) > 1 else ""


def parse_queue_status(text: str) -> tuple[Queue, ...]:
    """The lines of `flux queue status`; named queues have their name before each line."""
    found: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        match = _STATUS.fullmatch(line.strip())
        if match is None:
            continue
        queue = found.setdefault(match["queue"] or "", {"enabled": True, "started": True})
        key = "enabled" if match["what"] == "Job submission" else "started"
        queue[key] = match["word"] == key
        reason = "disable_reason" if key == "enabled" else "stop_reason"
        queue[reason] = match["why"] or ""
    return tuple(Queue(name, **fields) for name, fields in found.items())


def parse_jobs(text: str) -> tuple[Job, ...]:
    """`flux jobs --json`; what is no job in it is left out. Raises FluxFailed for other text."""
    try:
        listed = list(json.loads(text)["jobs"])
    except (ValueError, KeyError, TypeError) as error:
        raise FluxFailed("flux jobs --json", f"no JSON list of jobs: {error}") from None
    jobs = []
    for fields in listed:
        try:
            jobs.append(job_from_json(fields))
        except (ValueError, KeyError, TypeError):
            continue
    return tuple(jobs)


def parse_nodes(text: str) -> tuple[Node, ...]:
    """Lines of `flux resource list` in our format: states up, down (drained ones are down)."""
    nodes: dict[int, Node] = {}
    for line in text.splitlines():
        fields = line.strip().split("|")
        if len(fields) != 6 or not fields[5]:
            continue
        state, nnodes, ncores, ngpus, hosts, ranks = fields
        count = max(1, int(nnodes))
        for rank, host in zip(idset.decode(ranks), hostlist.expand(hosts), strict=False):
            cores, gpus = int(ncores) // count, int(ngpus) // count
            up = state not in ("down", "offline") and nodes.get(rank, _UP).up
            nodes[rank] = Node(rank, host, cores, gpus, up)
    return tuple(nodes[rank] for rank in sorted(nodes))


_UP = Node(0, "", 0)
