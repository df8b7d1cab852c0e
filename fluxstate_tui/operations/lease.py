"""One operator at a time: a coordination.k8s.io/v1 Lease per MiniCluster.

The lease holds for 30 s and is renewed every 10 s. It is only taken over after it has expired and
was then seen not to be renewed, so that two clocks which differ do not break a living one; at
once if a journal of this computer says that its holder is dead. Its times are the API server's:
those of two operators may be hours apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.retry import retry
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.errors import Conflict, Forbidden, NotFound
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import audit, journal
from fluxstate_tui.operations.base import OutcomeKind

LOCK = "lock"
"""The fact of a journal that names its lease."""
DURATION = 30
RENEW_EVERY = 10.0
TAKE_SECONDS = 20.0
# Of real time: somebody who pressed Ctrl-C waits for it.
TAKE_BACK_SECONDS = 5.0


class LockedError(FluxstateError):
    """Another operator works on this MiniCluster."""

    exit_code = ExitCode.LOCKED


class LockLostError(LockedError):
    """The lock that an operation had is not its own any more."""


class ClusterLease:
    """The lease of one MiniCluster for one operation.

    `note` says when there could be none; `left` that one may have stayed behind after a cancel.
    `told` is whether `keep` told that it was lost, `refusal` what `require` raised.
    """

    def __init__(self, context: OperationContext, target: ClusterRef, purpose: str) -> None:
        self._context = context
        self._purpose = purpose
        self.identity = f"{context.who}/{os.getpid()}/{secrets.token_hex(3)}"
        self._folder = f"/apis/coordination.k8s.io/v1/namespaces/{target.namespace}/leases"
        self._name = f"fluxstate-{target.name}"
        self._renewing: asyncio.Task[None] | None = None
        self._since = ""
        self._lost = ""
        self._sent: asyncio.Task[dict[str, Any]] | None = None
        self.held = False
        self.note = ""
        self.left = ""
        self.told = False
        self.refusal: LockLostError | None = None

    async def acquire(self) -> None:
        """Take the lease. Raises LockedError; without the right to do so it only leaves a note."""
        try:
            await retry(self._context.clock, self._take, seconds=TAKE_SECONDS)
        except Forbidden as error:
            self.note = f"no lock against a second operator: {error.message}"
        except asyncio.CancelledError:
            if self._sent is not None:
                await self._take_back(self._sent)
            raise

    async def _take_back(self, sent: asyncio.Task[dict[str, Any]]) -> None:
        """Whoever cancels while it is asked for must not lock himself out for 30 s."""
        try:
            async with asyncio.timeout(TAKE_BACK_SECONDS):
                await asyncio.wait({sent})
                await retry(self._context.clock, self._remove)
        except (FluxstateError, TimeoutError):
            self.left = f"Its lock may still be there: it expires after {DURATION} s."
        finally:
            sent.cancel()

    async def _send(self, method: str, path: str, body: dict[str, Any]) -> None:
        """A cancel does not stop a request that may have had its effect."""
        self._sent = asyncio.create_task(self._context.cluster.request(method, path, body=body))
        await asyncio.shield(self._sent)

    def keep(self, lost: Callable[[str], None]) -> None:
        """Renew in the background; `lost` is told when somebody else took the lease."""
        if self.held:
            self._renewing = asyncio.create_task(self._renew(lost))

    async def require(self) -> None:
        """Raise LockLostError when it was taken away."""
        if lost := await self.lost():
            self.refusal = LockLostError(
                lost,
                safe="It was stopped there: nothing more was changed.",
                advice="Look what was done meanwhile, and at `fluxstate-tui unfinished`.",
            )
            raise self.refusal

    async def lost(self) -> str:
        """Who took it away, '' if nobody did; trouble with asking takes nothing away.

        Somebody else may have worked on it since: what would be undone could be theirs.
        """
        if self.held:
            with contextlib.suppress(FluxstateError):
                self._judge(await self._read())
        return self._lost

    def _judge(self, lease: dict[str, Any] | None) -> None:
        if lease is None or _holder(lease) != self.identity:
            self.held = False
            self._lost = f"the lock was taken by {_holder(lease or {}) or 'nobody: it is gone'}"

    async def release(self) -> None:
        """Stop renewing and remove the lease if it is still ours. Never raises."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})  # whatever it died of
        if not self.held:
            return
        self.held = False
        with contextlib.suppress(FluxstateError):
            await retry(self._context.clock, self._remove, seconds=TAKE_SECONDS)

    async def _remove(self) -> None:
        lease = await self._read()
        if lease is None or _holder(lease) != self.identity:
            return
        metadata = lease["metadata"]
        fields = ("uid", "resourceVersion")
        preconditions = {field: metadata[field] for field in fields}
        await self._context.cluster.request(
            "DELETE", f"{self._folder}/{self._name}", body={"preconditions": preconditions}
        )

    async def _take(self) -> None:
        """Harmless to repeat: a lease that was taken by a request whose answer was lost is ours."""
        lease = await self._read()
        if lease is not None and _holder(lease) == self.identity:
            self.held = True
            return
        try:
            if lease is None:
                await self._send("POST", self._folder, self._object())
            else:
                await self._take_over(lease)
        except Conflict:
            raise self._locked(await self._read() or {}) from None
        self.held = True

    async def _take_over(self, lease: dict[str, Any]) -> None:
        if _holder(lease) and not _known_dead(self._context, _holder(lease)):
            if self._context.server_now <= _expires(lease):
                raise self._locked(lease)
            await self._context.clock.sleep(RENEW_EVERY + 1)
            again = await self._read()
            if again is not None and _renewed(again) != _renewed(lease):
                raise self._locked(again)
        version = lease["metadata"]["resourceVersion"]
        await self._send("PUT", f"{self._folder}/{self._name}", self._object(version))

    async def _renew(self, lost: Callable[[str], None]) -> None:
        while True:
            await self._context.clock.sleep(RENEW_EVERY)
            try:
                lease = await self._read()
                self._judge(lease)
                if lease is None or self._lost:
                    self.told = True
                    lost(self._lost)
                    return
                version = lease["metadata"]["resourceVersion"]
                await self._context.cluster.request(
                    "PUT", f"{self._folder}/{self._name}", body=self._object(version)
                )
            except FluxstateError:
                # Trouble with the connection: the next round tries again.
                continue

    async def _read(self) -> dict[str, Any] | None:
        try:
            return await self._context.cluster.request("GET", f"{self._folder}/{self._name}")
        except NotFound:
            return None

    def _object(self, resource_version: str = "") -> dict[str, Any]:
        moment = datetime.fromtimestamp(self._context.server_now, UTC)
        now = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self._since = self._since or now
        metadata: dict[str, Any] = {
            "name": self._name,
            "labels": {"app.kubernetes.io/managed-by": "fluxstate-tui"},
            "annotations": {"fluxstate/operation": self._purpose},
        }
        if resource_version:
            metadata["resourceVersion"] = resource_version
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": DURATION,
                "acquireTime": self._since,
                "renewTime": now,
            },
        }

    def _locked(self, lease: dict[str, Any]) -> LockedError:
        doing = lease.get("metadata", {}).get("annotations", {}).get("fluxstate/operation", "")
        return LockedError(
            f"{_holder(lease) or 'another operator'} works on this MiniCluster"
            + (f" ({doing})" if doing else ""),
            safe="Nothing was done.",
            advice=f"Wait until it is done; a dead operator's lock expires after {DURATION} s.",
        )


def _known_dead(context: OperationContext, identity: str) -> bool:
    """Whether an operation of this computer had that lock, and its process is gone.

    Its journal says so, which a living process keeps locked: a number of a process would not do, as
    another container of the same name has others.
    """
    return any(
        record.facts.get(LOCK) == identity for record in journal.unfinished(context.state_dir)
    )


def _holder(lease: dict[str, Any]) -> str:
    return str(lease.get("spec", {}).get("holderIdentity") or "")


def _renewed(lease: dict[str, Any]) -> str:
    return str(lease.get("spec", {}).get("renewTime") or "")


def _expires(lease: dict[str, Any]) -> float:
    """Seconds since the epoch; 0 when it cannot be read."""
    try:
        renewed = datetime.fromisoformat(_renewed(lease)).timestamp()
    except ValueError:
        return 0.0
    return renewed + float(lease.get("spec", {}).get("leaseDurationSeconds") or DURATION)


# Who holds the lock of a MiniCluster, and how a person may break it.

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
        lease = await retry(
            context.clock, lambda: context.cluster.request("GET", _path(ref)), seconds=5.0
        )
    except (NotFound, Forbidden):
        return None
    holder = _parse(lease)
    if holder is None or holder.expired(context.server_now):
        return None
    return None if _known_dead(context, _holder(lease)) else holder


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
