"""What an archive holds, as it was read: which of several is the newest, and which may go.

A manifest is written by anybody who can mount the volume, so nothing here looks at what one says
of times, counts or levels. A job is its id together with the time at which it was submitted: ids
begin anew in every queue that begins empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxstate_tui.catalog.ownership import Owner, owner_of
from fluxstate_tui.flux.job import Job, JobState

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogEntry
    from fluxstate_tui.archive.reader import Archive


# Clocks differ a little; an archive from beyond that has a time that cannot be.
FUTURE_SECONDS = 3600.0

JobKey = tuple[int, float]


def key_of(job: Job) -> JobKey:
    """Its id and when it was submitted (seconds since the epoch)."""
    return job.id, job.t_submit


@dataclass(frozen=True, slots=True)
class Contents:
    """A sound archive. `made` is when it was dumped (seconds since the epoch, 0 = unknown).

    `active` are the jobs that were not over. `level` is what this computer verified. `saved_by` is
    the MiniCluster that this computer saved it from, None if it was only read here. `parent` is
    the sha256 of the archive that its queue was restored from by this computer, at `born`.
    """

    sha256: str
    size: int
    made: float
    level: str
    jobs: frozenset[JobKey]
    active: frozenset[JobKey]
    saved_by: Owner | None = None
    parent: str = ""
    born: float = 0.0

    @property
    def span(self) -> tuple[float, float]:
        """When its first and its last job were submitted; zeros without any job."""
        times = [submitted for _, submitted in self.jobs]
        return (min(times), max(times)) if times else (0.0, 0.0)


def contents_of(archive: Archive, level: str = "L2") -> Contents:
    """From an archive without findings that was read whole."""
    jobs = [one.job for one in archive.jobs]
    return Contents(
        sha256=archive.sha256,
        size=archive.size,
        made=archive.dumped_at
        or max((job.t_inactive or job.t_submit for job in jobs), default=0.0),
        level=level,
        jobs=frozenset(map(key_of, jobs)),
        active=frozenset(key_of(job) for job in jobs if job.state is not JobState.INACTIVE),
    )


@dataclass(frozen=True, slots=True)
class Known:
    """An archive with what was read of it; `contents` None: it could not be read, or was not."""

    entry: CatalogEntry
    contents: Contents | None = None
    why: str = ""

    @property
    def owner(self) -> Owner | None:
        """The MiniCluster it was saved from."""
        recorded = self.contents.saved_by if self.contents is not None else None
        return owner_of(self.entry, recorded)


def follows(newer: Contents, older: Contents) -> bool:
    """Whether the queue of `newer` can have come from that of `older` by going on.

    Flux may purge jobs that are over, the oldest first; one that was active, or the newest, is not
    gone unless the queue went back. What existed when an archive was restored here, and was not
    that archive, was set aside by a decision.
    """
    if newer.parent and older.made <= newer.born and older.sha256 != newer.parent:
        return True
    gone = older.jobs - newer.jobs
    return not gone or (not gone & older.active and max(older.jobs) not in gone)


class NoDefaultError(ValueError):
    """Nothing says which of several archives is meant. `newest` lacks what `other` has."""

    def __init__(self, newest: Known, other: Known) -> None:
        super().__init__(f"{newest.entry.id} does not follow {other.entry.id}")
        self.newest = newest
        self.other = other


def newest_first(found: Iterable[Known], now: float) -> list[tuple[Known, Contents]]:
    """Those that were read and whose time can be, by their own time."""
    read = [
        (one, one.contents)
        for one in found
        if one.contents is not None and one.contents.made <= now + FUTURE_SECONDS
    ]
    return sorted(read, key=_age_key, reverse=True)


def _age_key(pair: tuple[Known, Contents]) -> tuple[float, int, float, str]:
    """Of those of one second the one with more jobs came later, if they are of one queue.

    Only where that is the same, too, what a manifest says may order them: they are alike.
    """
    known, contents = pair
    manifest = known.entry.manifest
    says = manifest.created if manifest is not None else 0.0
    return contents.made, len(contents.jobs), says, known.entry.id


def default(found: Iterable[Known], now: float) -> Known | None:
    """The newest archive whose queue did not go back, None when none was read.

    One that went back is passed over if an older one has all that it has; if each has what the
    other has not, NoDefaultError is raised.
    """
    ordered = newest_first(found, now)
    for at, (known, contents) in enumerate(ordered):
        if not all(follows(contents, older) for _, older in ordered[at + 1 :]):
            continue
        for other, more in ordered[:at]:
            if more.jobs - contents.jobs:
                raise NoDefaultError(other, known)
        return known
    return None


@dataclass(frozen=True, slots=True)
class Missing:
    """Another archive, and how many jobs it holds that the one in question does not."""

    known: Known
    jobs: int


def missing_from(jobs: Iterable[JobKey], others: Iterable[Known]) -> tuple[Missing, ...]:
    """What others hold that `jobs` have not; each job counts once, with the first that has it."""
    have = set(jobs)
    found = []
    for other in others:
        more = (other.contents.jobs if other.contents is not None else frozenset()) - have
        if more:
            found.append(Missing(other, len(more)))
            have |= more
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Retention:
    """What to keep: the newest `last`, and all younger than `within` seconds (None = no rule)."""

    last: int | None = None
    within: float | None = None

    def __post_init__(self) -> None:
        if self.last is None and self.within is None:
            raise ValueError("an empty retention policy would remove everything")
        if (self.last is not None and self.last < 1) or (
            self.within is not None and self.within < 0
        ):
            raise ValueError("a retention policy needs positive numbers")

    def keeps(self, newer: int, age: float) -> bool:
        """Whether one of that age (seconds), of which `newer` others came since, stays."""
        kept = self.last is not None and newer < self.last
        return kept or (self.within is not None and age <= self.within)


def removable(found: Sequence[Known], policy: Retention, now: float) -> tuple[CatalogEntry, ...]:
    """Which archives a policy lets go, newest first. Nothing is removed here.

    Only one that was read goes, and only when newer ones of its MiniCluster that stay have every
    job of it: so the newest archive that has each job always stays. One that this computer saved
    goes for others that it saved, for what others wrote may hold anything under these ids. A file
    without a manifest, or with a problem, is never chosen: somebody has to look at it.
    """
    gone: list[tuple[Known, Contents]] = []
    for versions in _by_owner(newest_first(found, now)):
        kept: list[Contents] = []
        for at, (known, contents) in enumerate(versions):
            stands = _standing_for(contents)
            newer = sum(stands(one) and follows(one, contents) for _, one in versions[:at])
            covered = contents.jobs <= _all_jobs(filter(stands, kept))
            if not newer or not covered or policy.keeps(newer, now - contents.made):
                kept.append(contents)
            else:
                gone.append((known, contents))
    return tuple(known.entry for known, _ in newest_first([known for known, _ in gone], now))


def _standing_for(contents: Contents) -> Callable[[Contents], bool]:
    """Which others may stand for it when it goes."""
    return lambda other: other.saved_by is not None or contents.saved_by is None


def _all_jobs(several: Iterable[Contents]) -> frozenset[JobKey]:
    return frozenset().union(*(one.jobs for one in several))


def _by_owner(
    ordered: Iterable[tuple[Known, Contents]],
) -> list[list[tuple[Known, Contents]]]:
    groups: dict[tuple[str, str], list[tuple[Known, Contents]]] = {}
    for known, contents in ordered:
        owner = known.owner
        if owner is not None and known.entry.manifest is not None and not known.entry.problem:
            groups.setdefault((owner.namespace, owner.name), []).append((known, contents))
    return list(groups.values())
