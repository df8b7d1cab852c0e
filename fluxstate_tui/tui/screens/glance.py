"""A MiniCluster at a glance, in plain words: queue, throughput, guard, and what is broken."""

from __future__ import annotations

from collections.abc import Iterable

from fluxstate_tui.flux import idset
from fluxstate_tui.flux.queue import Node
from fluxstate_tui.formatting import age, plural, sparkline
from fluxstate_tui.live.outlook import Outlook, Throughput, ended_between
from fluxstate_tui.live.picture import ClusterPicture
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.tui.screens.words import QUEUES
from fluxstate_tui.tui.theme import color
from fluxstate_tui.tui.widgets.lines import Part


def guard_line(picture: ClusterPicture, newest_archive: float | None, now: float) -> list[Part]:
    """When checkpoint and archive were last made, and what is in the way; empty if not known.

    `now`, and the time of the newest archive, are by our clock; checkpoints are dated by the
    cluster's.
    """
    guard = picture.guard
    if guard is None or picture.gone_at is not None:
        return []
    if picture.armed:
        # A restarted container would load the archive and never look at the checkpoint.
        return [
            ("Guard  ", "$muted"),
            ("no use while an archive is armed: disarm it (D)", "$state-bad"),
        ]
    parts: list[Part] = [("Guard  ", "$muted")]
    if guard.checkpoint_at is None:
        parts.append(("no checkpoint yet", "$state-warn"))
    else:
        old = age(picture.cluster_now(now) - guard.checkpoint_at)
        parts.append((f"checkpoint {old} ago", "$foreground"))
    if guard.period:
        parts.append((f", one every {guard.period} by Flux itself", "$muted"))
    saved = max(filter(None, (guard.saved_at, newest_archive)), default=None)
    said = "no archive" if saved is None else f"archive {age(now - saved)} ago"
    parts += [(" · ", "$muted"), (said, "$foreground")]
    if guard.detail:
        parts += [(" · ", "$muted"), (guard.detail, "$state-warn")]
    return parts


def graph_parts(picture: ClusterPicture, width: int) -> list[Part]:
    """Pending, running and ended jobs over the last minutes as three small graphs."""
    if not width or len(picture.history) < 2:
        return []
    each = max(4, width // 3)
    samples = list(picture.history)[-each:]
    return [
        (sparkline([sample.pending for sample in samples]), "$state-wait"),
        (" pend  ", "$muted"),
        (sparkline([sample.running for sample in samples]), "$state-busy"),
        (" run  ", "$muted"),
        (sparkline(ended_between(picture)[-each:]), "$state-ok"),
        (" done", "$muted"),
    ]


def throughput_parts(found: Throughput | None) -> list[Part]:
    """`12.4 jobs ended per minute over the last 5m`."""
    if found is None:
        return [("Throughput is known after a few seconds.", "$muted")]
    if not found.ended:
        return [(f"No job ended over the last {age(found.seconds)}.", "$muted")]
    rate = f"{found.per_minute:.1f}" if found.per_minute < 10 else f"{found.per_minute:.0f}"
    return [
        (f"{rate} jobs", "$foreground bold"),
        (f" ended per minute over the last {age(found.seconds)}", "$muted"),
    ]


def outlook_parts(found: Outlook, started: bool) -> list[Part]:
    """When it will be idle, and by what that is known: `Idle in about 12m: 3 jobs by ...`."""
    known = found.limited + found.guessed
    if not known and not found.unknown:
        head = "Idle now." if started else "Nothing runs now."
        return [(head, "$state-ok"), *_notes(found, started)]
    reasons: list[str] = []
    if found.limited:
        reasons.append(f"{plural(found.limited, 'job')} by time limit")
    if found.guessed:
        reasons.append(f"{plural(found.guessed, 'job')} by history of the same name")
    if found.unknown:
        reasons.append(f"{plural(found.unknown, 'job')} of unknown length")
    if not known:
        head = "When it will be idle is not known"
    elif found.unknown:
        head = f"Idle in {age(found.seconds)} or more"
    elif not found.guessed:
        head = f"Idle in at most about {age(found.seconds)}"
    else:
        head = f"Idle in about {age(found.seconds)}"
    said: list[Part] = [(head, "$foreground bold"), (f": {', '.join(reasons)}", "$muted")]
    return said + _notes(found, started)


def _notes(found: Outlook, started: bool) -> list[Part]:
    notes: list[Part] = []
    if found.held:
        notes.append((f"  {plural(found.held, 'job')} held", "$state-warn"))
    if not started:
        notes.append(("  The queue is stopped: what waits does not start.", "$state-warn"))
    return notes


def broken_rows(nodes: Iterable[Node], size: int) -> list[list[Part]]:
    """Lost and drained ranks in sentences, those with the same fate in one.

    Ranks from `size` on are those that the MiniCluster may grow to.
    """
    lost: list[Node] = []
    spare: list[Node] = []
    drained: dict[str, list[Node]] = {}
    for node in nodes:
        if not node.up:
            (lost if node.rank < size else spare).append(node)
        elif node.drained:
            drained.setdefault(node.reason, []).append(node)
    rows: list[list[Part]] = []
    if lost:
        verb = "is" if len(lost) == 1 else "are"
        said = f" {verb} lost: no broker answers there, and jobs on it fail."
        rows.append([("✗ ", "$state-bad"), (_ranks(lost), ""), (said, "$state-bad")])
    for reason, some in drained.items():
        verb = "is" if len(some) == 1 else "are"
        why = f" ({reason})" if reason else ""
        said = f" {verb} drained{why}: no new job starts there."
        rows.append([("▽ ", "$state-warn"), (_ranks(some), ""), (said, "$state-warn")])
    if spare:
        verb = "has" if len(spare) == 1 else "have"
        said = f" {verb} no pod: its size is {size}, and it may grow."
        rows.append([("○ ", "$muted"), (_ranks(spare), "$muted"), (said, "$muted")])
    return rows


def _ranks(nodes: list[Node]) -> str:
    if len(nodes) == 1:
        return f"Rank {nodes[0].rank}, {nodes[0].host},"
    return f"Ranks {idset.encode(node.rank for node in nodes)}"


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
