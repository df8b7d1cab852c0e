"""What a list+watch tells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

Read = TypeVar("Read")


class WatchState(Enum):
    """What a list+watch is doing; the values are those of store.events.Freshness."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Listed(Generic[Read]):
    """The complete set: what is not in it is gone. Also after a 410, so take the difference."""

    items: list[Read]
    resource_version: str


@dataclass(frozen=True, slots=True)
class Changed(Generic[Read]):
    """One object was added or changed."""

    item: Read


@dataclass(frozen=True, slots=True)
class Deleted(Generic[Read]):
    """One object is gone (or no longer matches the selector)."""

    item: Read


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The source became live, stale ... `detail` is one sentence for people, '' when live."""

    state: WatchState
    detail: str = ""


WatchEvent = Listed[Read] | Changed[Read] | Deleted[Read] | StateChanged
