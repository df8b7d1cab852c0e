"""The columns of jobs counted in groups, and what jobs can be grouped by."""

from __future__ import annotations

from collections.abc import Callable

from fluxstate_tui.model.job import Job
from fluxstate_tui.screens.job_columns import user_text
from fluxstate_tui.store.filters import FilterField
from fluxstate_tui.store.groups import Group
from fluxstate_tui.widgets.columns import Column

# By the name of the filter field, so that a group can be opened as a filter.
GROUPINGS: dict[str, Callable[[Job], str]] = {
    "state": lambda job: job.status,
    "user": user_text,
    "queue": lambda job: job.queue,
    "name": lambda job: job.name,
}


def _count(key: str, title: str, of: Callable[[Group], int], tone: str) -> Column[Group]:
    return Column(
        key,
        title,
        6,
        lambda group, _: str(of(group)),
        "right",
        lambda group: tone if of(group) else "off",
        of,
    )


GROUP_COLUMNS: tuple[Column[Group], ...] = (
    Column(
        "group",
        "GROUP",
        16,
        lambda group, _: group.name or "(none)",
        tone=lambda _: "strong",
        sort=lambda group: group.name,
        flex=1,
    ),
    _count("jobs", "JOBS", lambda group: group.total, "plain"),
    _count("pend", "PEND", lambda group: group.counts.pending, "wait"),
    _count("run", "RUN", lambda group: group.counts.running, "busy"),
    _count("done", "DONE", lambda group: group.counts.done, "ok"),
    _count("fail", "FAIL", lambda group: group.counts.failed, "bad"),
)

GROUP_FIELDS: dict[str, FilterField[Group]] = {
    field.name: field
    for field in (
        FilterField[Group]("group", text=lambda group: group.name),
        FilterField[Group]("jobs", number=lambda group: group.total),
        FilterField[Group]("fail", number=lambda group: group.counts.failed),
    )
}
