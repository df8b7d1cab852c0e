"""What survives the death of a broker: the last KVS checkpoint in its statedir."""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.sim.flux.content import Content


@dataclass(slots=True)
class StateDir:
    """`statedir` of one lead broker (content.sqlite), kept in the pod's emptyDir.

    `checkpoint` is what a new broker starts from; None = nothing there. `when` is the time of
    that checkpoint. A restore truncates it first, so a failed restore leaves nothing behind.
    `free` are the bytes that its file system has left.
    """

    checkpoint: Content | None = None
    when: float = 0.0
    sequence: int = 0
    free: int = 64 << 30

    def size(self, sequence: int) -> int:
        """Bytes of content.sqlite when the KVS root is at `sequence`: a page for each root."""
        return 4096 * (1 + sequence)

    def truncate(self) -> None:
        """As rc1 does before it restores an archive."""
        self.checkpoint = None

    def save(self, content: Content, when: float, sequence: int) -> None:
        """Write a checkpoint: the content, the time, and the KVS root's sequence number."""
        self.checkpoint = content
        self.when = when
        self.sequence = sequence
