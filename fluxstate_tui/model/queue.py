"""The state of a Flux queue and of the broker that serves it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue as `job-manager.queue-status` tells it. The anonymous queue's name is ''."""

    name: str
    enabled: bool
    started: bool
    disable_reason: str = ""
    stop_reason: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One broker rank and what it holds. `reason` says why it is drained, '' if it is not."""

    rank: int
    host: str
    cores: int
    gpus: int = 0
    up: bool = True
    drained: bool = False
    reason: str = ""
