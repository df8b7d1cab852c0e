"""How sched-simple gives out resources (flux-core 0.88): worst fit, first come, first served.

A preview and the simulation both ask here what starts, what has to wait and what never can.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from fluxstate_tui.flux import hostlist, idset
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.jobspec import Counts, Jobspec, attribute, counts

_MAX_DEPTH = 32
_EXPEDITE, _EXPEDITED = 31, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Request:
    """What a job asks of the scheduler.

    `slots` of `cores` and `gpus` each: per node if `nodes` is not 0, else on any nodes. It takes
    up to `most` nodes (else slots), all there are if that is None. An `exclusive` one takes whole
    nodes. `constraint` is what its nodes must have (RFC 31) as JSON, '' for nothing.
    """

    nodes: int = 0
    slots: int = 1
    cores: int = 1
    gpus: int = 0
    most: int | None = 1
    exclusive: bool = False
    constraint: str = ""

    @property
    def cores_per_node(self) -> int:
        """How many cores each of its nodes must have, at least."""
        return self.slots * self.cores if self.nodes and not self.exclusive else self.cores

    @property
    def gpus_per_node(self) -> int:
        """How many GPUs each of its nodes must have, at least."""
        return self.slots * self.gpus if self.nodes and not self.exclusive else self.gpus


def request(jobspec: Jobspec) -> Request:
    """What a jobspec asks for; of one that makes no sense, one core."""
    return request_of(counts(jobspec), attribute(jobspec, "constraints"))


def request_of(asked: Counts, constraint: Any = None) -> Request:
    """The same of what was counted already. `constraint` is decoded."""
    text = json.dumps(_cut(constraint, 0), sort_keys=True) if constraint else ""
    if not asked.nslots:
        return Request(constraint=text)
    nodes = asked.nnodes or 0
    slots = asked.nslots // nodes if nodes else asked.nslots
    return Request(
        nodes=nodes,
        slots=slots,
        cores=asked.slot_size,
        gpus=asked.gpus_per_slot,
        most=asked.most,
        exclusive=asked.exclusive,
        constraint=text,
    )


def _cut(value: Any, depth: int) -> Any:
    """What lies deeper than anybody writes is left out; it then matches nothing."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {key: _cut(one, depth + 1) for key, one in value.items()}
    return [_cut(one, depth + 1) for one in value] if isinstance(value, list) else value


def request_of_job(job: Job) -> Request:
    """As far as `flux jobs` tells it: constraints, GPUs and ranges are not known."""
    nodes, tasks = job.nnodes or 0, max(1, job.ntasks or 1)
    if nodes and not job.ncores:
        return Request(nodes=nodes, most=nodes, exclusive=True)
    cores = max(1, job.ncores or tasks)
    slots = max(1, tasks // nodes) if nodes else tasks
    each = max(1, cores // (slots * (nodes or 1)))
    return Request(nodes=nodes, slots=slots, cores=each, most=nodes or slots)


def turn(job: Job) -> tuple[int, int]:
    """Its place in the line: the most urgent first, then the oldest. A held one has none."""
    priority = _EXPEDITED if job.urgency == _EXPEDITE else job.urgency
    return -priority, job.id


class Verdict(Enum):
    """What the scheduler does with the request at the head of the line."""

    STARTS = "starts"
    HAS_TO_WAIT = "has to wait"
    NEVER = "never"


@dataclass(slots=True)
class Place:
    """One rank: what it has, and what of that is free. A drained one counts as down."""

    rank: int
    host: str
    cores: int
    gpus: int = 0
    up: bool = True
    free_cores: int = -1
    free_gpus: int = -1

    def __post_init__(self) -> None:
        if self.free_cores < 0:
            self.free_cores = self.cores
        if self.free_gpus < 0:
            self.free_gpus = self.gpus


class Pool:
    """All ranks of an instance. `properties` maps a property to the ranks that have it."""

    def __init__(
        self, places: Sequence[Place], properties: Mapping[str, frozenset[int]] | None = None
    ) -> None:
        self.places = places
        self._properties = properties or {}
        self._known: dict[str, frozenset[int] | None] = {}
        self._feasible: dict[tuple[Request, bool], bool] = {}
        # Up ranks, those with the most free cores first; among equals the lowest rank.
        self._heap = [_entry(place) for place in places if place.up]
        heapq.heapify(self._heap)

    def bring_up(self, ranks: Iterable[int]) -> None:
        """These ranks come up."""
        for rank in ranks:
            place = self.places[rank]
            if not place.up:
                place.up = True
                heapq.heappush(self._heap, _entry(place))
        self._feasible.clear()

    def allocate(self, wanted: Request) -> Verdict:
        """Take it if it is there."""
        taken = self._nodes(wanted) if wanted.nodes or wanted.exclusive else self._slots(wanted)
        if taken is None:
            return Verdict.HAS_TO_WAIT if self.fits(wanted) else Verdict.NEVER
        for place, cores, gpus in taken:
            place.free_cores -= cores
            place.free_gpus -= gpus
        return Verdict.STARTS

    def fits(self, wanted: Request, *, up: bool = False) -> bool:
        """Whether the empty instance could run it, with all ranks or only with those that are up.

        Flux fails at once what not even all ranks can run, and waits for ranks that are down.
        """
        key = (wanted, up)
        found = self._feasible.get(key)
        if found is None:
            found = self._feasible[key] = self._fits(wanted, up)
        return found

    def _fits(self, wanted: Request, up: bool) -> bool:
        places = [one for one in self._eligible(wanted) if one.up or not up]
        cores, gpus = wanted.cores_per_node, wanted.gpus_per_node
        if wanted.nodes or wanted.exclusive:
            need = max(1, wanted.nodes)
            return sum(one.cores >= cores and one.gpus >= gpus for one in places) >= need
        return sum(_slots(one.cores, one.gpus, wanted) for one in places) >= wanted.slots

    def eligible(self, wanted: Request) -> int:
        """How many ranks have what its constraint names."""
        return sum(1 for _ in self._eligible(wanted))

    def _eligible(self, wanted: Request) -> Iterator[Place]:
        allowed = self._allowed(wanted.constraint)
        return (one for one in self.places if allowed is None or one.rank in allowed)

    def _allowed(self, constraint: str) -> frozenset[int] | None:
        """Ranks that satisfy it; None for all."""
        if not constraint:
            return None
        if constraint not in self._known:
            matches = _matcher(json.loads(constraint), self._properties, 0)
            self._known[constraint] = frozenset(one.rank for one in self.places if matches(one))
        return self._known[constraint]

    def _candidates(self, wanted: Request) -> Generator[Place]:
        """Ranks with room for a slot, in the scheduler's order; each is put back by the caller."""
        allowed = self._allowed(wanted.constraint)
        if allowed is not None:
            ranks = [one for one in self.places if one.up and one.rank in allowed]
            yield from sorted(ranks, key=lambda one: (-one.free_cores, -one.free_gpus))
            return
        popped = []
        try:
            while self._heap:
                entry = heapq.heappop(self._heap)
                place = entry[-1]
                popped.append(place)
                if entry[:2] != (-place.free_cores, -place.free_gpus):
                    heapq.heappush(self._heap, _entry(popped.pop()))  # it was taken from meanwhile
                    continue
                if place.free_cores < wanted.cores and not wanted.exclusive:
                    return
                yield place
        finally:
            self._put_back(popped)

    def _put_back(self, places: Iterable[Place]) -> None:
        for place in places:
            heapq.heappush(self._heap, _entry(place))

    def _slots(self, wanted: Request) -> list[tuple[Place, int, int]] | None:
        taken, missing = [], wanted.most if wanted.most is not None else 1 << 62
        got = 0
        candidates = self._candidates(wanted)
        for place in candidates:
            slots = min(_slots(place.free_cores, place.free_gpus, wanted), missing - got)
            if slots > 0:
                taken.append((place, slots * wanted.cores, slots * wanted.gpus))
                got += slots
            if got >= missing:
                break
        candidates.close()
        return taken if got >= wanted.slots else None

    def _nodes(self, wanted: Request) -> list[tuple[Place, int, int]] | None:
        need, whole = max(1, wanted.nodes), wanted.exclusive
        taken: list[tuple[Place, int, int]] = []
        most = wanted.most if wanted.most is not None else len(self.places)
        cores, gpus = wanted.cores_per_node, wanted.gpus_per_node
        candidates = self._candidates(wanted)
        for place in candidates:
            if place.free_gpus < gpus:
                continue
            if whole:
                if place.free_cores == place.cores:
                    taken.append((place, place.cores, place.free_gpus))
            elif place.free_cores < cores:
                break  # all that follow have as few
            else:
                taken.append((place, cores, gpus))
            if len(taken) >= max(most, need):
                break
        candidates.close()
        return taken if len(taken) >= need else None


def _entry(place: Place) -> tuple[int, int, int, Place]:
    return (-place.free_cores, -place.free_gpus, place.rank, place)


def _slots(cores: int, gpus: int, wanted: Request) -> int:
    """How many slots of it such a rank has."""
    found = cores // max(1, wanted.cores)
    return min(found, gpus // wanted.gpus) if wanted.gpus else found


# Constraints (RFC 31): properties, host lists and ranks, joined by and, or and not.


class Located(Protocol):
    """A rank on its host."""

    @property
    def rank(self) -> int: ...
    @property
    def host(self) -> str: ...


class _Matcher:
    """Whether a rank satisfies a constraint. One that Flux does not know matches no rank."""

    def __init__(self, kind: str, values: Any, below: tuple[_Matcher, ...]) -> None:
        self._kind, self._values, self._below = kind, values, below

    def __call__(self, place: Located) -> bool:
        match self._kind:
            case "properties":
                has, lacks = self._values
                return all(place.rank in one for one in has) and not any(
                    place.rank in one for one in lacks
                )
            case "hostlist":
                return place.host in self._values
            case "ranks":
                return any(first <= place.rank <= last for first, last in self._values)
            case "and":
                return all(one(place) for one in self._below)
            case "or":
                return any(one(place) for one in self._below)
            case "not":
                return not self._below[0](place)
            case _:
                return False


def _matcher(constraint: Any, properties: Mapping[str, frozenset[int]], depth: int) -> _Matcher:
    nothing = _Matcher("", None, ())
    if not isinstance(constraint, dict) or depth > _MAX_DEPTH:
        return nothing
    kind = next((one for one in _KINDS if isinstance(constraint.get(one), list)), "")
    values = constraint.get(kind)
    if not isinstance(values, list):
        return nothing
    if kind in ("and", "or", "not"):
        below = tuple(_matcher(one, properties, depth + 1) for one in values)
        return _Matcher(kind, None, below) if below or kind != "not" else nothing
    if not all(isinstance(one, str) for one in values):
        return nothing
    try:
        if kind == "properties":
            names = [one for one in values if not one.startswith("^")]
            without = [one[1:] for one in values if one.startswith("^")]
            empty: frozenset[int] = frozenset()
            has = [properties.get(one, empty) for one in names]
            return _Matcher(kind, (has, [properties.get(one, empty) for one in without]), ())
        if kind == "hostlist":
            hosts = frozenset(host for one in values for host in hostlist.expand(one))
            return _Matcher(kind, hosts, ())
        spans = idset.merge(span for one in values for span in idset.spans(one))
        return _Matcher(kind, spans, ())
    except ValueError:
        return nothing


def satisfying(constraint: Any, properties: Mapping[str, frozenset[int]]) -> _Matcher:
    """Tells of a rank whether it satisfies a decoded constraint."""
    return _matcher(constraint, properties, 0)


# In the order in which flux-core looks for them.
_KINDS = ("properties", "hostlist", "ranks", "and", "or", "not")


def constraint_words(constraint: str) -> str:
    """`host flux-sample-3`, `property gpu`, `not host a`: what its nodes must have, for people."""
    return _words(json.loads(constraint), 0) if constraint else ""


def _words(constraint: Any, depth: int) -> str:
    if not isinstance(constraint, dict) or depth > _MAX_DEPTH:
        return "what Flux does not know"
    kind = next((one for one in _KINDS if isinstance(constraint.get(one), list)), "")
    if kind in ("and", "or"):
        return f" {kind} ".join(_words(one, depth + 1) for one in constraint[kind])
    if kind == "not":
        return "not " + "".join(_words(one, depth + 1) for one in constraint[kind][:1])
    noun = {"properties": "property", "hostlist": "host", "ranks": "rank"}.get(kind)
    if noun is None:
        return "what Flux does not know"
    return f"{noun} {','.join(map(str, constraint[kind]))}"
