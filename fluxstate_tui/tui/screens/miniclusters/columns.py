"""The columns of the list of MiniClusters."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from fluxstate_tui.formatting import age
from fluxstate_tui.live.filters import FilterField
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.tui.screens.words import QUEUES, state_word
from fluxstate_tui.tui.widgets.grid import Column
from fluxstate_tui.tui.widgets.words import PHASES


def queue_text(summary: Summary, now: float) -> str:
    """Started or stopped as read back; `?` and the age when it could not be read lately."""
    if summary.queue is None:
        return "–"
    if summary.queue_since is not None:
        return f"? {age(now - summary.queue_since)}"
    return str(QUEUES[summary.queue])


def archives_text(summary: Summary, now: float) -> str:
    """How many archives there are and how old the newest is; the danger first, if one is armed."""
    if summary.armed:
        return "! armed"
    if summary.archives is None:
        return "–"
    if summary.newest_archive is None:
        return "0"
    newest = age(now - summary.newest_archive)
    return f"{summary.archives} · {newest}"


def _queue_tone(summary: Summary) -> str:
    if summary.queue is None or summary.queue_since is not None:
        return "off"
    return QUEUES[summary.queue].tone


def _nodes_tone(summary: Summary) -> str:
    if summary.deleted or summary.phase in (Phase.FINISHED, Phase.DELETING):
        return "off"
    return "plain" if summary.nodes_up >= summary.size else "warn"


def _count(
    key: str, title: str, width: int, of: Callable[[Summary], int | None], tone: str, rank: int
) -> Column[Summary]:
    def shade(summary: Summary) -> str:
        return tone if of(summary) and summary.queue_since is None else "off"

    def text(summary: Summary, _now: float) -> str:
        found = of(summary)
        return "–" if found is None else str(found)

    return Column(
        key, title, width, text, "right", shade, lambda s: (of(s) is None, of(s) or 0), rank=rank
    )


_NAME: Column[Summary] = Column(
    "name",
    "NAME",
    13,
    lambda s, _: s.ref.name,
    tone=lambda s: "off" if s.deleted else "strong",
    sort=lambda s: (s.ref.name, s.ref.namespace),
    flex=1,
    grow=17,
)
_NAMESPACE: Column[Summary] = Column(
    "namespace",
    "NAMESPACE",
    10,
    lambda s, _: s.ref.namespace,
    tone=lambda _: "off",
    sort=lambda s: (s.ref.namespace, s.ref.name),
    flex=1,
    rank=1,
)
_STATE: tuple[Column[Summary], ...] = (
    Column(
        "state",
        "STATE",
        12,
        lambda s, _: str(state_word(s)),
        tone=lambda s: state_word(s).tone,
        sort=lambda s: list(PHASES).index(s.phase),
    ),
    Column(
        "nodes",
        "NODES",
        5,
        lambda s, _: f"{s.nodes_up}/{s.size}",
        "right",
        _nodes_tone,
        lambda s: s.size,
        rank=3,
    ),
)
_QUEUE: tuple[Column[Summary], ...] = (
    Column(
        "queue",
        "QUEUE",
        9,
        queue_text,
        "left",
        _queue_tone,
        lambda s: s.queue or "~",
        ticks=lambda s: s.queue_since is not None,
    ),
    _count("pend", "PEND", 4, lambda s: s.pending, "wait", 1),
    _count("run", "RUN", 4, lambda s: s.running, "busy", 1),
    _count("done", "DONE", 5, lambda s: s.done, "ok", 2),
    _count("fail", "FAIL", 4, lambda s: s.failed, "bad", 2),
)
_PAST: tuple[Column[Summary], ...] = (
    Column(
        "archives",
        "ARCHIVES",
        8,
        archives_text,
        "right",
        lambda s: "bad" if s.armed else "plain" if s.archives else "off",
        lambda s: s.archives or 0,
        rank=4,
        ticks=lambda _: True,
    ),
    Column(
        "age",
        "AGE",
        4,
        lambda s, now: age(now - s.created),
        "right",
        lambda _: "off",
        lambda s: -s.created,
        rank=5,
        ticks=lambda _: True,
    ),
)
_WHY: Column[Summary] = Column(
    "reason", "WHY", 28, lambda s, _: s.reason, tone=lambda _: "off", flex=6, rank=9
)


def cluster_columns(namespaces: bool) -> tuple[Column[Summary], ...]:
    """All columns; the namespace only when there can be more than one.

    What is equal in the column that they are sorted by is sorted by namespace and name.
    """
    names = (_NAME, _NAMESPACE) if namespaces else (_NAME,)
    return tuple(map(_with_ties, (*names, *_STATE, *_QUEUE, *_PAST, _WHY)))


def _with_ties(column: Column[Summary]) -> Column[Summary]:
    sort = column.sort
    if sort is None:
        return column
    return structs.replace(column, sort=lambda s: (sort(s), s.ref.namespace, s.ref.name))


CLUSTER_FIELDS: dict[str, FilterField[Summary]] = {
    field.name: field
    for field in (
        FilterField[Summary]("name", text=lambda s: s.ref.name),
        FilterField[Summary]("namespace", text=lambda s: s.ref.namespace),
        FilterField[Summary]("state", text=lambda s: state_word(s).word),
        FilterField[Summary]("queue", text=lambda s: s.queue or "", in_plain_text=False),
        FilterField[Summary]("nodes", number=lambda s: s.size),
        FilterField[Summary]("pend", number=lambda s: s.pending),
        FilterField[Summary]("run", number=lambda s: s.running),
        FilterField[Summary]("fail", number=lambda s: s.failed),
        FilterField[Summary]("archives", number=lambda s: s.archives),
    )
}
