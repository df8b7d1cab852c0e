"""How well a MiniCluster is guarded against the death of its lead's container, in one line."""

from __future__ import annotations

from fluxstate_tui.store.picture import ClusterPicture
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.words import age


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
    saved = max(filter(None, (guard.saved_at, newest_archive)), default=None)
    said = "no archive" if saved is None else f"archive {age(now - saved)} ago"
    parts += [(" · ", "$muted"), (said, "$foreground")]
    if guard.detail:
        parts += [(" · ", "$muted"), (guard.detail, "$state-warn")]
    return parts
