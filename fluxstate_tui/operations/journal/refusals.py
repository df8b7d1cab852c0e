"""What was refused is in the audit log too: somebody wanted it, and why it was not done."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.journal import audit
from fluxstate_tui.operations.script import HelperPodNeededError

REFUSED = "Refused"
_log = logging.getLogger(__name__)


@contextmanager
def logged(context: OperationContext, what: str, ref: ClusterRef) -> Iterator[None]:
    """A refusal inside the block is logged and goes on its way."""
    try:
        yield
    except HelperPodNeededError:  # somebody is going to be asked
        raise
    except FluxstateError as error:
        if error.exit_code in (ExitCode.REFUSED, ExitCode.LOCKED):
            log(context, what, ref, error.message)
        raise


@contextmanager
def said(context: OperationContext, what: str, ref: ClusterRef) -> Iterator[None]:
    """The same for who was asked whether a helper pod may be started, and said no."""
    try:
        yield
    except HelperPodNeededError as error:
        log(context, what, ref, error.message)
        raise


def log(context: OperationContext, what: str, ref: ClusterRef, why: str) -> None:
    """One line. Trouble with the log is no trouble for the refusal."""
    entry = audit.Entry(
        at=context.clock.now(),
        who=context.who,
        what=what,
        namespace=ref.namespace,
        name=ref.name,
        uid=ref.uid,
        server=context.cluster.server,
        outcome=REFUSED,
        reason=why,
    )
    try:
        audit.append(context.state_dir, entry)
    except OSError as error:
        _log.warning("the audit log cannot be written: %s", error)
