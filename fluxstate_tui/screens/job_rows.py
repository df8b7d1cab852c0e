"""One job in lines of text: facts, the timeline of its life, its events, its output."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from fluxstate_tui.model import jobspec as spec
from fluxstate_tui.model.event import Event
from fluxstate_tui.model.job import Job
from fluxstate_tui.screens.actions import JobDetail
from fluxstate_tui.screens.job_columns import ending, info_text, user_text
from fluxstate_tui.widgets.job_words import job_word
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.panel import Row, pairs
from fluxstate_tui.widgets.tones import color
from fluxstate_tui.widgets.words import duration, plural

_PLACES = 4


def head_parts(job: Job, now: float, waits: str = "") -> list[Part]:
    """`▶ RUN  lammps  for 1.717m on flux-sample-3`. What it `waits` for stands below in full."""
    word = job_word(job)
    parts: list[Part] = [(str(word), color(word.tone)), ("  ", ""), (job.name, "$foreground bold")]
    seconds = job.runtime(now)
    if seconds is not None:
        parts.append((f"  {'ran' if job.t_cleanup else 'for'} {duration(seconds)}", "$muted"))
    info = "" if waits else info_text(job)
    if info:
        parts.append((f"  {info}", "$muted"))
    return parts


def fact_rows(job: Job, detail: JobDetail | None, waits: str = "") -> list[Row]:
    """What was asked for, what it waits for, what it got, and how it ended."""
    command = shlex.join(spec.command(detail.jobspec)) if detail and detail.jobspec else ""
    exception = job.exception
    trouble = ""
    if exception is not None:
        trouble = f"{exception.type} (severity {exception.severity}) {exception.note}"
    return pairs(
        (
            ("command", command),
            ("asks for", _asks(job)),
            ("waits", f"{waits[:1].upper()}{waits[1:]}." if waits else ""),
            ("limit", duration(job.duration) if job.duration else "no time limit"),
            ("runs on", f"{job.nodelist} (ranks {job.ranks})" if job.nodelist else ""),
            *_place_pairs(detail.places if detail else ()),
            ("user", user_text(job)),
            ("queue", job.queue),
            ("bank", job.bank),
            ("project", job.project),
            ("cwd", job.cwd),
            ("urgency", f"{job.urgency}{' (held)' if job.urgency == 0 else ''}"),
            ("needs", ", ".join(job.dependencies)),
            ("exception", trouble),
            ("ended", ending(job) if exception is None else ""),
        )
    )


def event_rows(events: Sequence[Event]) -> list[Row]:
    """The eventlog: seconds since submission, name, context."""
    if not events:
        return []
    begin = events[0].timestamp
    return [
        (
            (f"{event.timestamp - begin:>10.3f}  ", "$muted"),
            (f"{event.name:<18} ", ""),
            (json.dumps(event.context, ensure_ascii=False) if event.context else "", "$muted"),
        )
        for event in events[-200:]
    ]


def _place_pairs(places: Sequence[str]) -> list[tuple[str, str]]:
    """The cores that it got: the first lines, as many as leave room for the rest."""
    shown = list(places[:_PLACES])
    if len(places) > _PLACES:
        shown[-1] = f"… and on {len(places) - _PLACES + 1} more groups of nodes"
    return [("got" if number == 0 else " ", text) for number, text in enumerate(shown)]


def _asks(job: Job) -> str:
    parts = [
        plural(number, noun)
        for number, noun in ((job.ntasks, "task"), (job.ncores, "core"), (job.nnodes, "node"))
        if number is not None
    ]
    return ", ".join(parts)
