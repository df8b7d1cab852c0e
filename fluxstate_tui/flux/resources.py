"""Resource sets, called R (RFC 20): which cores and gpus on which ranks and hosts, until when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fluxstate_tui.flux import hostlist, idset

_MOST_PLACES = 1 << 17


@dataclass(frozen=True, slots=True)
class Share:
    """What one rank gives: core and gpu numbers on that host."""

    rank: int
    host: str
    cores: tuple[int, ...]
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceSet:
    """A parsed R. `ranks` is written like Flux does: `3` or `[0-1]`; `nodelist` as in RFC 29.

    `groups` is R_lite: (ranks, cores, gpus) as idsets. `expiration` and `starttime` are seconds
    since the epoch, 0 = none. `properties` maps a property to the idset of ranks that have it.
    """

    ranks: str
    nodelist: str
    nnodes: int
    ncores: int
    ngpus: int
    starttime: float
    expiration: float
    groups: tuple[tuple[str, str, str], ...]
    properties: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, r: dict[str, Any]) -> ResourceSet:
        """Read a decoded R. Raises ValueError when it lacks what version 1 has (RFC 20)."""
        execution, version = r.get("execution"), r.get("version")
        if not isinstance(execution, dict) or not isinstance(version, int) or version < 1:
            raise ValueError("not an R")
        groups = tuple(_groups(execution.get("R_lite")))
        ranks, nnodes, ncores, ngpus = _totals(groups)
        return cls(
            ranks=ranks,
            nodelist=_nodelist(execution.get("nodelist")),
            nnodes=nnodes,
            ncores=ncores,
            ngpus=ngpus,
            starttime=_seconds(execution.get("starttime")),
            expiration=_seconds(execution.get("expiration")),
            groups=groups,
            properties=_properties(execution.get("properties")),
        )

    def tasks(self, per: tuple[str, int]) -> int:
        """How many tasks run here when there are so many for each "node" or "core"."""
        kind, each = per
        return each * (self.nnodes if kind == "node" else self.ncores)

    def shares(self) -> list[Share]:
        """Per rank, in the order of ranks: the host, its cores and gpus."""
        members: dict[int, tuple[str, str]] = {}
        for ranks, cores, gpus in self.groups:
            members.update(dict.fromkeys(idset.decode(ranks), (cores, gpus)))
        hosts = hostlist.expand(self.nodelist)
        return [
            Share(
                rank,
                hosts[index] if index < len(hosts) else "",
                idset.decode(members[rank][0]),
                idset.decode(members[rank][1]),
            )
            for index, rank in enumerate(sorted(members))
        ]


def places(r: Any) -> tuple[str, ...]:
    """Which cores and gpus of which nodes an allocation has, one line for nodes that are alike.

    Such as `n[0-1] (ranks 0-1): cores 0-3, gpus 0`. Empty when it is no R, or larger than any.
    """
    try:
        found = ResourceSet.parse(r)
        if sum(idset.count(ranks) for ranks, _, _ in found.groups) > _MOST_PLACES:
            return ()
        hosts = {share.rank: share.host for share in found.shares()}
        return tuple(_place(hosts, *group) for group in found.groups)
    except (ValueError, TypeError, AttributeError):
        return ()


def _place(hosts: dict[int, str], ranks: str, cores: str, gpus: str) -> str:
    names = [hosts[rank] for rank in idset.decode(ranks) if hosts[rank]]
    where = f"{'rank' if idset.count(ranks) == 1 else 'ranks'} {ranks}"
    what = [
        f"{noun if idset.count(ids) == 1 else f'{noun}s'} {ids}"
        for noun, ids in (("core", cores), ("gpu", gpus))
        if ids
    ]
    whole = f"{hostlist.compress(names)} ({where})" if names else where
    return f"{whole}: {', '.join(what) or 'no cores'}"


def make_alloc(
    shares: Iterable[Share],
    *,
    starttime: float = 0.0,
    expiration: float = 0.0,
    nslots: int | None = None,
) -> dict[str, Any]:
    """The R of an allocation. Ranks with the same cores and gpus are written together."""
    ordered = sorted(shares, key=lambda share: share.rank)
    alike: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    for share in ordered:
        alike.setdefault((share.cores, share.gpus), []).append(share.rank)
    r_lite = []
    for (cores, gpus), ranks in alike.items():
        children = {"core": idset.encode(cores)}
        if gpus:
            children["gpu"] = idset.encode(gpus)
        r_lite.append({"rank": idset.encode(ranks), "children": children})
    execution: dict[str, Any] = {
        "R_lite": r_lite,
        "starttime": starttime,
        "expiration": expiration,
    }
    if nslots is not None:
        execution["nslots"] = nslots
    execution["nodelist"] = [hostlist.compress(share.host for share in ordered)]
    return {"version": 1, "execution": execution}


def _groups(r_lite: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(r_lite, list):
        raise ValueError("R has no R_lite")
    for group in r_lite:
        children = group.get("children", {}) if isinstance(group, dict) else None
        if not isinstance(children, dict):
            raise ValueError("R_lite has a broken entry")
        texts = (group.get("rank", ""), children.get("core", ""), children.get("gpu", ""))
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("R_lite has a broken entry")
        yield texts


@lru_cache(maxsize=4096)
def _totals(groups: tuple[tuple[str, str, str], ...]) -> tuple[str, int, int, int]:
    """ranks, nnodes, ncores, ngpus. Cached: a queue's jobs share few shapes."""
    ncores = sum(idset.count(ranks) * idset.count(cores) for ranks, cores, _ in groups)
    ngpus = sum(idset.count(ranks) * idset.count(gpus) for ranks, _, gpus in groups)
    merged = idset.merge(span for ranks, _, _ in groups for span in idset.spans(ranks))
    nnodes = sum(last - first + 1 for first, last in merged)
    text = idset.encode_spans(merged)
    return (f"[{text}]" if nnodes > 1 else text), nnodes, ncores, ngpus


def _nodelist(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise ValueError("R has a broken nodelist")
    return _joined(tuple(value))


@lru_cache(maxsize=4096)
def _joined(parts: tuple[str, ...]) -> str:
    """One hostlist of several, written the way Flux does."""
    if len(parts) == 1 and "," not in parts[0]:
        return parts[0]
    return hostlist.compress(hostlist.expand(",".join(parts)))


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        return 0.0
    return float(value)


def _properties(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        return ()
    return tuple((name, ranks) for name, ranks in value.items() if isinstance(ranks, str))
