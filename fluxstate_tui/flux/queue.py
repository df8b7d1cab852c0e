"""The state of a Flux queue and of the broker that serves it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NAMED_SINCE = [0, 46]
# Before, the anonymous queue was said to be stopped while its jobs ran (flux-core #6792; seen on
# 0.66): they had asked for resources by the time that it was stopped.
_ANONYMOUS_SINCE = [0, 74]


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


def restores_stopped(core_version: str, queues: Iterable[Queue]) -> bool:
    """Whether no job of these queues runs in a restore of them as stopped, by that flux-core.

    An unknown version is taken to be a new one.
    """
    numbers = [int(part) for part in re.findall(r"\d+", core_version)[:2]]
    named = any(queue.name for queue in queues)
    return not numbers or numbers >= (_NAMED_SINCE if named else _ANONYMOUS_SINCE)
