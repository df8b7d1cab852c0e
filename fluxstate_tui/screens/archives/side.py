"""The second side of a comparison: where its jobs come from, and how sure they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fluxstate_tui.archive.reading import Reading
from fluxstate_tui.model.job import Job
from fluxstate_tui.screens.archives.opened import prepare, read_file
from fluxstate_tui.store.freshness import Freshness
from fluxstate_tui.widgets.words import age, plural, size

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogueEntry
    from fluxstate_tui.archive.verify import Verdict
    from fluxstate_tui.model.reference import ClusterRef
    from fluxstate_tui.screens.services import Services
    from fluxstate_tui.store.picture import ClusterPicture


@dataclass(frozen=True, slots=True)
class Jobs:
    """Jobs by id. `doubt` says why there may be more than these, '' if these are all."""

    by_id: Mapping[int, Job]
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """Something to compare with. `load` raises FluxstateError. `live` = it goes on changing."""

    name: str
    about: str
    load: Callable[[Reading], Awaitable[Jobs]]
    live: bool = False


def of_file(path: Path) -> Side:
    """An archive of this machine."""

    async def load(reading: Reading) -> Jobs:
        return await _jobs(path.name, await read_file(path, reading), reading)

    return Side(path.name, f"file, {_size(path)}", load)


def of_entry(services: Services, ref: ClusterRef, entry: CatalogueEntry) -> Side:
    """Another archive of the catalogue."""

    async def load(reading: Reading) -> Jobs:
        verdict = await services.actions.open_archive(ref, entry, reading)
        return await _jobs(entry.id, verdict, reading)

    return Side(entry.id, f"catalogue of {ref.name}, {size(entry.size)}", load)


def of_live(services: Services, picture: ClusterPicture) -> Side:
    """A queue as the store has it now."""

    async def load(_: Reading) -> Jobs:
        return Jobs(dict(picture.jobs), _doubt(services, picture))

    what = "the queue as it was last seen" if picture.gone_at is not None else "the live queue"
    about = f"{what}, {plural(len(picture.jobs), 'job')}"
    return Side(picture.ref.name, about, load, live=True)


async def _jobs(name: str, verdict: Verdict, reading: Reading) -> Jobs:
    opened = await reading.in_thread(lambda: prepare(name, verdict))
    return Jobs(opened.jobs, f"{name} is {verdict.kind.value}" if opened.partial else "")


def _doubt(services: Services, picture: ClusterPicture) -> str:
    if picture.gone_at is not None:
        return f"{picture.ref.name} is deleted; this is its last picture"
    source = services.store.source(f"queue:{picture.ref.uid}")
    if source is None or source.freshness is Freshness.LIVE:
        return ""
    seconds = source.age(services.clock.now())
    old = f" and {age(seconds)} old" if seconds is not None else ""
    return f"the queue of {picture.ref.name} is {source.freshness.value}{old}"


def _size(path: Path) -> str:
    try:
        return size(path.stat().st_size)
    except OSError:
        return "unknown size"
