"""Who holds the lock of a MiniCluster, and how a person may break it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.kube.errors import Conflict, Forbidden, NotFound
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.journal import audit
from fluxstate_tui.operations.plan import OutcomeKind
from fluxstate_tui.operations.world.patience import patiently

_FOLDER = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/fluxstate-{}"


@dataclass(frozen=True, slots=True)
class Holder:
    """`who` is user@host of a living lock, `what` its operation, `since` when it was taken.

    Times are seconds since the epoch by the API server's clock; `version` is the lease as it was
    seen.
    """

    who: str
    what: str
    since: float
    renewed: float
    lasts: float
    version: tuple[str, str]

    def expired(self, now: float) -> bool:
        """Its program has not renewed it for longer than it promised to."""
        return now > self.renewed + self.lasts


async def holder_of(context: OperationContext, ref: ClusterRef) -> Holder | None:
    """Who works on it now. None: nobody, or we may not look."""
    try:
        lease = await patiently(
            context.clock, lambda: context.cluster.request("GET", _path(ref)), seconds=5.0
        )
    except (NotFound, Forbidden):
        return None
    holder = _parse(lease)
    return None if holder is None or holder.expired(context.server_now) else holder


async def break_lock(context: OperationContext, ref: ClusterRef, holder: Holder) -> None:
    """Remove exactly the lease that was seen. Raises FluxstateError when it changed hands.

    Its holder notices it when it renews the lease, and says so in its outcome; who broke it is in
    the audit log.
    """
    for _ in range(3):
        uid, version = holder.version
        body = {"preconditions": {"uid": uid, "resourceVersion": version}}
        try:
            await context.cluster.request("DELETE", _path(ref), body=body)
        except NotFound:
            return
        except Conflict:
            now = await holder_of(context, ref)
            if now is None:
                return
            if (now.who, now.since) != (holder.who, holder.since):
                break
            holder = now  # it was renewed meanwhile
        else:
            _log(context, ref, holder)
            return
    raise FluxstateError(
        f"the lock of {ref} changed hands meanwhile",
        safe="It was not broken, and nothing was done.",
        advice="Look who has it now.",
        exit_code=ExitCode.LOCKED,
    )


def _log(context: OperationContext, ref: ClusterRef, holder: Holder) -> None:
    entry = audit.Entry(
        at=context.clock.now(),
        who=context.who,
        what="break lock",
        namespace=ref.namespace,
        name=ref.name,
        uid=ref.uid,
        server=context.cluster.server,
        outcome=OutcomeKind.COMPLETED.value,
        reason=f"taken from {holder.who} ({holder.what})",
    )
    with contextlib.suppress(OSError):  # the lock is broken, whether that can be written or not
        audit.append(context.state_dir, entry)


def _path(ref: ClusterRef) -> str:
    return _FOLDER.format(ref.namespace, ref.name)


def _parse(lease: dict[str, Any]) -> Holder | None:
    spec, metadata = lease.get("spec") or {}, lease.get("metadata") or {}
    identity = str(spec.get("holderIdentity") or "")
    if not identity:
        return None
    notes = metadata.get("annotations") or {}
    renewed = _seconds(spec.get("renewTime"))
    return Holder(
        who=identity.split("/", maxsplit=1)[0],
        what=str(notes.get("fluxstate/operation") or "an operation"),
        since=_seconds(spec.get("acquireTime")) or renewed,
        renewed=renewed,
        lasts=float(spec.get("leaseDurationSeconds") or 0),
        version=(str(metadata.get("uid", "")), str(metadata.get("resourceVersion", ""))),
    )


def _seconds(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
