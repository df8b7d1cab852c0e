"""Where the archives of an `archives` command lie, and what that needs around it."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fluxstate_tui.archive.manifest import CatalogEntry, folder_of
from fluxstate_tui.archive.signature import SigningKey
from fluxstate_tui.broker import manifest_cache
from fluxstate_tui.broker.context import OperationContext, default_state_dir, default_who
from fluxstate_tui.broker.find import find_minicluster
from fluxstate_tui.broker.shell_commands import option, own_line
from fluxstate_tui.catalog.access import Reach, volume_files
from fluxstate_tui.catalog.catalog import is_there, read_catalog
from fluxstate_tui.catalog.folder import FolderFiles, LocalFolder
from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.catalog.signed import read_signed, signing
from fluxstate_tui.cli.helper_pod import helper_pod_agreed, require_helper_pod
from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.clock import Clock, SystemClock
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.errors import CrdMissing
from fluxstate_tui.kube.transport import TO_ALLOW
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.archives import AuditContext, Change, journaled
from fluxstate_tui.operations.audit import REFUSED
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.operations.lease import ClusterLease, LockedError
from fluxstate_tui.operations.steps import RefusedError

Alone = Callable[[], Awaitable[None]]


async def _always() -> None:
    """A flock cannot be lost, and a dry run has nothing to lose."""


@dataclass(frozen=True, slots=True)
class Place:
    """A catalog that can be reached. `ids` are the words of the command after its place.

    `archive_path` is '' and `context` None for a folder of this computer; `raw` is the last known
    MiniCluster object.
    """

    files: FolderFiles
    folder: str
    archive_path: str
    ref: ClusterRef
    ids: tuple[str, ...]
    state_dir: Path
    clock: Clock
    context: OperationContext | None = None
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def now(self) -> float:
        """By which its archives are aged: the cluster's time, for a local folder our own."""
        return self.clock.now() if self.context is None else self.context.server_now

    async def entries(self) -> tuple[CatalogEntry, ...]:
        """What lies there, newest first."""
        if self.context is None:
            return await read_catalog(self.files, self.folder)
        return await read_signed(self.context, self.ref.namespace, self.files, self.folder)

    async def key(self) -> SigningKey | None:
        """What manifests are signed with; a folder of this computer has none."""
        if self.context is None:
            return None
        return (await signing(self.context, self.ref.namespace)).key

    async def armed(self) -> bool:
        """Whether an archive lies where a restarted lead would load it."""
        return bool(self.archive_path) and await is_there(self.files, self.archive_path)

    @asynccontextmanager
    async def changing(self, kind: OperationKind, *, dry_run: bool = False) -> AsyncIterator[Alone]:
        """Alone with it: by a Lease on a cluster, by flock in a folder. Raises LockedError.

        What it gives has to be awaited before each change: it raises when the Lease was lost.
        A `dry_run` changes nothing, not even a lock.
        """
        if dry_run:
            yield _always
            return
        try:
            async with self._locked(kind) as alone:
                yield alone
        except FluxstateError as error:
            if error.exit_code in (ExitCode.REFUSED, ExitCode.LOCKED):
                self._refused(kind, error.message)
            raise

    @asynccontextmanager
    async def _locked(self, kind: OperationKind) -> AsyncIterator[Alone]:
        if self.context is None:
            with _alone_in(self.folder):
                yield _always
            return
        lease = ClusterLease(self.context, self.ref, kind)
        await lease.acquire()
        lease.keep(lambda text: None)
        try:
            yield lease.require
        finally:
            await lease.release()

    def line(self, command: str, *options: str, names: Sequence[str]) -> str:
        """The line for a shell that runs an `archives` command here again."""
        if self.context is None:
            where = option("--folder", self.folder)
        else:
            where = ["-n", self.ref.namespace, *option("--context", self.context.cluster.context)]
            names = [self.ref.name, *names]
        return own_line("archives", command, *options, *where, names=names)

    @contextmanager
    def journaled(self, kind: OperationKind) -> Iterator[Change]:
        """In the journal and the audit log. Raises FluxstateError when it cannot begin."""
        audit_context = AuditContext(
            self.state_dir, self.clock, default_who(), self._server, self.ref
        )
        change: Change | None = None
        try:
            with journaled(audit_context, kind) as change:
                yield change
        finally:
            if change is not None and change.trouble:  # what was done is done all the same
                print(f"warning: {change.trouble}", file=sys.stderr)

    @property
    def _server(self) -> str:
        return self.context.cluster.server if self.context is not None else ""

    def _refused(self, kind: OperationKind, why: str) -> None:
        ref = self.ref
        entry = audit.Entry(
            at=self.clock.now(),
            who=default_who(),
            what=kind.value,
            namespace=ref.namespace,
            name=ref.name,
            uid=ref.uid,
            server=self._server,
            outcome=REFUSED,
            reason=why,
        )
        try:
            audit.append(self.state_dir, entry)
        except OSError as error:
            print(f"warning: the audit log could not be written: {error}", file=sys.stderr)


@asynccontextmanager
async def open_place(args: argparse.Namespace, *, changes: bool = False) -> AsyncIterator[Place]:
    """The catalog that the command line names. Raises FluxstateError."""
    if args.folder is not None:
        yield _local(args)
        return
    name, *ids = args.words or [""]
    async with open_context(kube_options(args)) as context:
        if changes and context.cluster.read_only:
            raise RefusedError(
                "this would change the catalog, and this is --read-only",
                safe="Nothing was sent to the cluster.",
                advice=TO_ALLOW,
            )
        found = await _find(context, name)
        ref = found.ref if found else ClusterRef(context.cluster.namespace, name, "")
        async with AsyncExitStack() as stack:
            reach = Reach(helper_pod_agreed(args), changes, bool(getattr(args, "dry_run", False)))
            try:
                opened = volume_files(context, found, name, reach)
                files, path = await stack.enter_async_context(opened)
            except HelperPodNeededError as needed:
                if reach.dry_run:
                    needed.advice = f"A dry run starts nothing. Without it: {needed.pod}."
                    raise
                require_helper_pod(needed)
                opened = volume_files(context, found, name, replace(reach, start_helper_pod=True))
                files, path = await stack.enter_async_context(opened)
            raw = found.raw if found else _recall(context, ref)
            yield Place(
                files=files,
                folder=folder_of(path),
                archive_path=path,
                ref=ref,
                ids=tuple(ids),
                state_dir=context.state_dir,
                clock=context.clock,
                context=context,
                raw=raw or {},
            )


@contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LockedError(
            f"another program works in {folder}",
            safe="Nothing was done.",
            advice="Wait until it is done.",
        ) from None
    finally:
        os.close(descriptor)


def _local(args: argparse.Namespace) -> Place:
    folder: Path = args.folder.absolute()
    if not folder.is_dir():
        raise FluxstateError(
            f"there is no folder {args.folder}",
            safe="Nothing was done.",
            exit_code=ExitCode.NOT_FOUND,
        )
    name = str(getattr(args, "minicluster", ""))
    reference = ClusterRef(args.namespace or "", name or str(folder), "")
    return Place(
        files=LocalFolder(),
        folder=str(folder),
        archive_path="",
        ref=reference,
        ids=tuple(args.words),
        state_dir=default_state_dir(),
        clock=SystemClock(),
    )


async def _find(context: OperationContext, name: str) -> MiniCluster | None:
    try:
        return await find_minicluster(context.cluster, name)
    except CrdMissing:
        raise
    except FluxstateError as error:
        if error.exit_code is not ExitCode.NOT_FOUND or not name:
            raise
        return None


def _recall(context: OperationContext, ref: ClusterRef) -> dict[str, object] | None:
    return manifest_cache.recall(context.state_dir, context.cluster.server, ref.namespace, ref.name)
