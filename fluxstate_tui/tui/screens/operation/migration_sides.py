"""Both sides of a migration, side by side: what still is here, what already arrived there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal

from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.formatting import plural
from fluxstate_tui.live.picture import ClusterPicture, JobCounts
from fluxstate_tui.live.store import Store
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Arrival
from fluxstate_tui.tui.screens.words import state_word
from fluxstate_tui.tui.text import fit
from fluxstate_tui.tui.theme import color
from fluxstate_tui.tui.widgets.lines import Panel, Part

Row = list[Part]
STATES: Final = (("pending", "wait"), ("running", "busy"), ("done", "ok"), ("failed", "bad"))
LATEST: Final = 6
_LABEL, _NUMBER = 8, 7


class Sides(Horizontal):
    """`say` shows the old one on the left and the new one on the right."""

    DEFAULT_CSS = """
    Sides { height: 8; border-bottom: solid $rule; }
    Sides Panel { width: 1fr; height: 7; text-wrap: nowrap; }
    Sides #new { border-left: solid $rule; }
    """

    def compose(self) -> ComposeResult:
        """Left and right."""
        yield Panel(id="old")
        yield Panel(id="new")

    def say(self, old: Iterable[Row], new: Iterable[Row]) -> None:
        """Show both."""
        self.query_one("#old", Panel).say(old)
        self.query_one("#new", Panel).say(new)

    @property
    def side_width(self) -> int:
        """Cells of one line of the narrower side."""
        return max(20, self.size.width // 2 - 3)


class Watching:
    """What a screen knows of both sides, looked up in their stores.

    The store forgets a MiniCluster that is gone when another of its name comes; here it is kept.
    """

    def __init__(self, here: Store, there: Store, source: ClusterRef, arrival: Arrival) -> None:
        self.here, self.there = here, there
        self.source, self.arrival = source, arrival
        self.latest: deque[int] = deque(maxlen=LATEST)
        self._old: ClusterPicture | None = None
        self._new: ClusterPicture | None = None
        self._seen: set[int] = set()

    @property
    def old(self) -> ClusterPicture | None:
        """The MiniCluster that goes, also when it is gone; the restored one after a stop."""
        self._old = self.here.clusters.get(self.source.uid, self._old)
        new = self.new
        if new is None or self.source.uid in self.here.clusters:
            return self._old
        known = {self.source.uid, new.ref.uid}
        return _living(self.here, self.source, known) or self._old

    @property
    def new(self) -> ClusterPicture | None:
        """The MiniCluster that comes, as soon as it is there; also when it is taken back."""
        if self._new is None:
            self._new = _living(self.there, self.arrival.ref, {self.source.uid})
        else:
            self._new = self.there.clusters.get(self._new.ref.uid, self._new)
        return self._new

    @property
    def expected(self) -> JobCounts:
        """The jobs that shall arrive."""
        return self.old.counts if self.old is not None else JobCounts()

    @property
    def arrived(self) -> int:
        """How many jobs of the old one the new one has."""
        old, new = self.old, self.new
        if old is None or new is None:
            return 0
        if len(new.jobs) != len(self._seen):
            self.latest.extend(sorted(new.jobs.keys() - self._seen)[-LATEST:])
            self._seen = set(new.jobs)
        return len(self._seen & old.jobs.keys())


def old_rows(watching: Watching, width: int) -> list[Row]:
    """The old one: its state, and its jobs by state."""
    picture, ref = watching.old, watching.source
    summary = None if picture is None else watching.here.summaries.get(picture.ref.uid)
    size = picture.minicluster.size if picture is not None else 0
    counts = watching.expected
    foot = f"{plural(_total(counts), 'job')}, {counts.pending + counts.running} not over"
    return [
        _title(ref, size, "", "from", width),
        _state(summary, width, "○ Deleted"),
        *_bars(counts, None, _total(counts), width, gone=summary is None or summary.deleted),
        [(fit(foot, width), "$muted")],
    ]


def new_rows(watching: Watching, width: int, arriving: bool) -> list[Row]:
    """The new one: its state, and its jobs as they arrive. While they do, what is missing is
    drawn in light shade."""
    arrival, picture, expected = watching.arrival, watching.new, watching.expected
    summary = None if picture is None else watching.there.summaries.get(picture.ref.uid)
    counts = picture.counts if picture is not None and picture.jobs_at is not None else None
    come, whole = watching.arrived, _total(expected)
    foot = f"{come} of {whole} arrived"
    if watching.latest:
        foot += ": " + " ".join(f58(job) for job in reversed(watching.latest))
    tone = "$state-ok" if come >= whole and counts is not None else "$muted"
    return [
        _title(arrival.ref, arrival.size, arrival.place, "to", width),
        _state(summary, width, "○ not there yet" if picture is None else "○ Deleted"),
        *_bars(counts or JobCounts(), expected if arriving else None, whole, width),
        [(fit(foot, width), tone)],
    ]


def _title(ref: ClusterRef, size: int, place: str, word: str, width: int) -> Row:
    where = "  " + (f"{place}/" if place else "") + f"{ref.namespace} · {plural(size, 'pod')}"
    name = ref.name[: max(8, width - len(word) - 8)]
    rest = max(0, width - len(word) - 1 - len(name))
    return [(f"{word} ", "$muted"), (name, "$foreground bold"), (fit(where, rest), "$muted")]


def _living(store: Store, wanted: ClusterRef, known: set[str]) -> ClusterPicture | None:
    """One of that name that is there and none of those that are known by uid."""
    for picture in store.clusters.values():
        ref = picture.ref
        same = (ref.namespace, ref.name) == (wanted.namespace, wanted.name)
        if same and ref.uid not in known and picture.gone_at is None:
            return picture
    return None


def _state(summary: Summary | None, width: int, absent: str = "○ not there yet") -> Row:
    if summary is None:
        return [(fit(absent, width), "$muted")]
    word = state_word(summary)
    rest = max(0, width - len(str(word)) - 2)
    return [(str(word), color(word.tone)), ("  ", ""), (fit(summary.reason, rest), "")]


def _bars(
    counts: JobCounts, expected: JobCounts | None, whole: int, width: int, gone: bool = False
) -> Iterable[Row]:
    """One line per state: its name, a bar, its number. What is gone is only a memory."""
    room = max(4, width - _LABEL - _NUMBER)
    for name, alive in STATES:
        tone = "off" if gone else alive
        count = int(getattr(counts, name))
        full = _cells(count, whole, room)
        missing = 0
        if expected is not None:
            missing = max(0, _cells(int(getattr(expected, name)), whole, room) - full)
        yield [
            (name.ljust(_LABEL), "$muted"),
            ("█" * full, color(tone)),
            ("░" * missing, "$muted"),
            (" " * (room - full - missing), ""),
            (f"{count:>{_NUMBER}}", color(tone) if count else "$muted"),
        ]


def _cells(count: int, whole: int, room: int) -> int:
    """At least one cell for anything that is there."""
    return 0 if count <= 0 else min(room, max(1, round(count * room / max(whole, count))))


def _total(counts: JobCounts) -> int:
    return counts.pending + counts.running + counts.done + counts.failed
