"""Python's garbage collector, kept away while very many objects are made that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MANY_OBJECTS = 50_000


@contextmanager
def without_collector() -> Iterator[None]:
    """The garbage collector would walk over all objects again and again while they are made.

    Afterwards they are no garbage either: many are moved out of its sight, or its next full walk
    would stop the screen for half a second.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        if gc.get_count()[0] > _MANY_OBJECTS:
            gc.freeze()
    finally:
        if enabled:
            gc.enable()
