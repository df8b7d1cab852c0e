"""Coroutines that a widget starts and that end with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode

from fluxstate_tui.widgets.plain import visible

_log = logging.getLogger(__name__)

_SHOWN = 500
_SECONDS = 20.0


def in_background(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], group: str = "default"
) -> None:
    """Start `work`; a newer one of the same group and node replaces it.

    The function is passed, not its coroutine: one that is replaced before it began was never made.
    An error in it is told and ends nothing else: a bug in a preview must not end the program
    while it saves a queue. Without a terminal (in tests) it is raised.
    """

    async def run() -> None:
        try:
            await work()
        except Exception as error:
            _log.exception("beside a screen")
            if node.app.is_headless:
                raise
            node.app.notify(
                visible(f"{type(error).__name__}: {error}"[:_SHOWN]),
                title="A bug in fluxstate-tui: please report it",
                severity="error",
                timeout=_SECONDS,
                markup=False,
            )

    node.run_worker(run, group=group, exclusive=True)  # type: ignore[arg-type]
