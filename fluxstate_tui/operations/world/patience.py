"""Trouble that passes: what is harmless to repeat is repeated until it works or lasts too long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fluxstate_tui.clock import Clock
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.endpoint import NoLead
from fluxstate_tui.flux.session import CannotStart, SessionLost
from fluxstate_tui.kube.errors import (
    BadAnswer,
    CannotConnect,
    Forbidden,
    OutcomeUnknown,
    ServerError,
    TooManyRequests,
)
from fluxstate_tui.kube.exec_errors import ExecUnknown

T = TypeVar("T")

BROKEN = (CannotConnect, OutcomeUnknown, ExecUnknown, ServerError, TooManyRequests, BadAnswer)
BROKEN_FLUX = (*BROKEN, SessionLost, CannotStart, NoLead)

PATIENCE = 60.0
# After an API server's start users under RBAC are refused for about 1.7 s (facts/kubernetes-live).
_FORBIDDEN_PATIENCE = 5.0
_FIRST, _MOST = 0.25, 5.0


async def patiently(
    clock: Clock,
    action: Callable[[], Awaitable[T]],
    *,
    trouble: tuple[type[FluxstateError], ...] = BROKEN,
    seconds: float = PATIENCE,
) -> T:
    """The result of `action`, which must be harmless to repeat.

    Raises its last error when the trouble lasts longer than `seconds`, and any other error at once.
    """
    begin = clock.now()
    pause = _FIRST
    while True:
        try:
            return await action()
        except FluxstateError as error:
            if clock.now() - begin + pause > _patience(error, trouble, seconds):
                raise
        await clock.sleep(pause)
        pause = min(pause * 2, _MOST)


def _patience(
    error: FluxstateError, trouble: tuple[type[FluxstateError], ...], seconds: float
) -> float:
    if isinstance(error, Forbidden):
        return min(seconds, _FORBIDDEN_PATIENCE)
    return seconds if isinstance(error, trouble) else 0.0
