"""Coroutines that a widget starts and that end with it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode


def in_background(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], group: str = "default"
) -> None:
    """Start `work`; a newer one of the same group and node replaces it.

    The function is passed, not its coroutine: one that is replaced before it began was never made.
    """

    async def run() -> None:  # Textual asks for a coroutine function; a lambda is none
        await work()

    node.run_worker(run, group=group, exclusive=True)  # type: ignore[arg-type]
