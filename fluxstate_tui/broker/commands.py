"""One flux command, for what is asked once or where the remote program cannot run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import ENOSYS
from typing import TYPE_CHECKING, Any, Protocol

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux import hostlist, idset
from fluxstate_tui.flux.job_json import job_from_json
from fluxstate_tui.flux.queue import Node, Queue

if TYPE_CHECKING:
    from fluxstate_tui.broker.locate import Endpoint
    from fluxstate_tui.flux.job import Job
    from fluxstate_tui.kube.exec import ExecResult


class Executor(Protocol):
    """What runs a command in a container to its end: kube.session.Cluster."""

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float | None = None,
        only_reads: bool = False,
    ) -> ExecResult:
        """See kube.session.Cluster.exec."""
        ...


class FluxFailed(FluxstateError):
    """Flux refused, in its own words. `code` is its exit code, `errno` its error number."""

    def __init__(self, what: str, said: str, *, code: int = 1, errno: int | None = None) -> None:
        super().__init__(f"{what}: {said}" if said else f"{what} failed with exit code {code}.")
        self.said = said
        self.code = code
        self.errno = errno

    @property
    def last_line(self) -> str:
        """What it said last."""
        return self.said.splitlines()[-1] if self.said else self.message

    @property
    def no_active_job(self) -> bool:
        """The job that it should change has ended, or there is none (`flux cancel`)."""
        return "inactive" in self.said or "unknown" in self.said

    @property
    def no_key(self) -> bool:
        """The KVS has no value of that name (`flux kvs get`)."""
        return "No such file or directory" in self.said


class NotServing(FluxFailed):
    """No module of the broker answers to that (yet): it may still be starting."""


def failed(what: str, said: str, *, code: int = 1, errno: int | None = None) -> FluxFailed:
    """The error for what Flux said."""
    kind = NotServing if errno == ENOSYS or "No service matching" in said else FluxFailed
    return kind(what, said, code=code, errno=errno)


async def run_flux(
    executor: Executor,
    endpoint: Endpoint,
    args: Sequence[str],
    *,
    timeout: float = 60.0,
    only_reads: bool = False,
    wrapped: Callable[[list[str]], list[str]] = list,
) -> str:
    """Run `flux ARGS` with the lead's own flux; its output. Raises FluxFailed, or a KubeError.

    `wrapped` makes the command that is run of the one that runs flux.
    """
    result = await executor.exec(
        endpoint.namespace,
        endpoint.pod,
        endpoint.container,
        wrapped(endpoint.flux_argv(args)),
        timeout=timeout,
        only_reads=only_reads,
    )
    if result.code != 0:
        said = result.stderr.decode("utf-8", "replace").strip()
        raise failed(f"flux {' '.join(args[:2])}", said, code=result.code)
    return result.stdout.decode("utf-8", "replace")


# Where the remote program cannot run (no Python bindings, no right to exec a program of ours):
# the flux commands themselves, again and again. It costs the broker 30 times more, so it is rare.

_STATUS = re.compile(
    r"(?:(?P<queue>\S+): )?(?P<what>Job submission|Scheduling) is (?P<word>\w+)(?:: (?P<why>.*))?"
)
LIST_NODES = ("resource", "list", "-no", "{state}|{nnodes}|{ncores}|{ngpus}|{nodelist}|{ranks}")


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
        nodes = parse_nodes(await flux(*LIST_NODES))
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


# `flux queue stop|start|enable|disable` as the flux-core at hand understands it.
#
# Since 0.73 (its commit fe52e4b70; tried on 0.66 and 0.88) a queue is a plain argument and the
# reason comes after -m; before, a queue is named by -q, and what is left over is the reason. One
# command takes one queue, or all.

_PLAIN_NAMES = [0, 73]


def queue_commands(
    version: str, action: str, names: Sequence[str], reason: str = ""
) -> list[list[str]]:
    """The words after `flux`, one list per command. No names, or only '', are all queues."""
    named = [name for name in names if name]
    numbers = [int(part) for part in re.findall(r"\d+", version)[:2]]
    if not numbers or numbers >= _PLAIN_NAMES:
        why = ["-m", reason] if reason else []
        return [["queue", action, *why, name] for name in named or ["--all"]]
    ending = [reason] if reason else []
    each = [["-q", name] for name in named] or [["--all"]]
    return [["queue", action, *which, *ending] for which in each]
