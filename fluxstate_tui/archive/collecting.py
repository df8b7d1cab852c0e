"""Python's garbage collector, kept away while very many objects are made that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY_OBJECTS = 50_000


def hide(objects: int) -> None:
    """Move all that there is out of the collector's sight, if `objects` are many."""
    if objects > MANY_OBJECTS:
        gc.freeze()


@contextmanager
def without_collector(objects: int = 0) -> Iterator[None]:
    """The garbage collector would walk over all objects again and again while they are made.

    Afterwards they are no garbage either: many are moved out of its sight, or its next walks would
    stop the screen for a tenth of a second each. That is also so for a list of many `objects` that
    were there before: the collector looks at every one, though it never collects them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        hide(max(objects, gc.get_count()[0]))
        if enabled:
            gc.enable()
