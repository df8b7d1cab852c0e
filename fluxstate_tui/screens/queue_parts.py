"""The queue in one line: is it started, and how many jobs there are."""

from __future__ import annotations

from fluxstate_tui.screens.cluster_columns import QUEUES
from fluxstate_tui.store import Summary
from fluxstate_tui.store.picture import ClusterPicture
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.tones import color
from fluxstate_tui.widgets.words import age


def queue_parts(picture: ClusterPicture, summary: Summary, now: float) -> list[Part]:
    """`▶ started  12 pending  3 running  58 done  1 failed`, with the age when it is stale."""
    parts: list[Part] = []
    if summary.queue is not None:
        word = QUEUES[summary.queue]
        parts.append((f"{word}  ", color(word.tone)))
    read = picture.jobs_at is not None or picture.queues_at is not None
    if read and summary.queue_since is not None:
        parts.append((f"as of {age(now - summary.queue_since)} ago  ", "$state-warn"))
    if picture.jobs_at is None:
        return parts
    for count, name, tone in (
        (summary.pending, "pending", "wait"),
        (summary.running, "running", "busy"),
        (summary.done, "done", "ok"),
        (summary.failed, "failed", "bad"),
    ):
        parts += [(f"{count} ", color(tone) if count else "$muted"), (f"{name}  ", "$muted")]
    for queue in picture.queues:
        if not queue.started and queue.stop_reason:
            parts.append((f"“{queue.stop_reason}”", "$muted"))
    return parts
