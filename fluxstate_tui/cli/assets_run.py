"""What the `assets` commands do."""

from __future__ import annotations

import argparse
import json
import posixpath
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from fluxstate_tui.archive.manifest import folder_of
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.find import find_minicluster
from fluxstate_tui.broker.locate import MOUNT_PATH
from fluxstate_tui.broker.objects import Lead, read_lead
from fluxstate_tui.broker.protocol import StreamExecutor
from fluxstate_tui.catalog.assets import (
    AssetFile,
    AssetsClient,
    AssetState,
    Compared,
    Container,
    Excluded,
    Listing,
    Place,
    Problems,
    Progress,
    RestoreChoices,
    Saved,
    Tell,
    place_of,
    store_of,
)
from fluxstate_tui.cli.asking import ask, asks
from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.tables import table
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.formatting import moment, plain, plural, size
from fluxstate_tui.kube.transport import TO_ALLOW
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.archives import AuditContext, Change, journaled
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.operations.lease import ClusterLease
from fluxstate_tui.operations.steps import RefusedError

_SHOWN = 20


@dataclass(frozen=True)
class Assets:
    """One MiniCluster's directories and states. `executor` starts the program in its lead."""

    context: OperationContext
    executor: StreamExecutor
    ref: ClusterRef
    container: Container
    lead: Lead
    archive_path: str

    def place(self, path: str) -> Place:
        """A directory of the lead. Raises FluxstateError when it lies on no volume."""
        return place_of(self.lead.mounts, path)

    def excluded(self, patterns: Sequence[str] = ()) -> Excluded:
        """The archives are no files of jobs: they are left out."""
        return Excluded(tuple(patterns), (folder_of(self.archive_path), self.archive_path))

    @asynccontextmanager
    async def client(self, *, writes: bool = False) -> AsyncIterator[AssetsClient]:
        """The program, as long as the block."""
        store = store_of(self.lead.mounts, self.archive_path)
        opening = AssetsClient.open(self.executor, self.container, store, writes=writes)
        async with opening as client:
            yield client

    def line(self, *words: str) -> str:
        """The line for a shell that runs an `assets` command again."""
        command, *rest = words
        cluster = self.context.cluster
        where = ["-n", self.ref.namespace]
        where += ["--context", cluster.context] if cluster.context else []
        return shlex.join(["fluxstate-tui", "assets", command, self.ref.name, *rest, *where])

    @asynccontextmanager
    async def changing(self, kind: OperationKind) -> AsyncIterator[Change]:
        """Alone with it, in the journal and the audit log."""
        lease = ClusterLease(self.context, self.ref, kind)
        with audit.logged(self.context, kind.value, self.ref):
            await lease.acquire()
        lease.keep(lambda text: None)
        try:
            context = self.context
            where = AuditContext(
                context.state_dir, context.clock, context.who, context.cluster.server, self.ref
            )
            with journaled(where, kind) as change:
                yield change
            if change.trouble:
                print(f"warning: {plain(change.trouble)}", file=sys.stderr)
        finally:
            await lease.release()


Command = Callable[[Assets, argparse.Namespace], Awaitable[int]]


async def run_command(command: Command, args: argparse.Namespace) -> int:
    """Find the MiniCluster and its lead. Raises FluxstateError when that does not run."""
    async with open_context(kube_options(args)) as context:
        found = await find_minicluster(context.cluster, args.minicluster)
        lead = await read_lead(context, found)
        if not lead.running:
            raise FluxstateError(
                f"the lead of {found.ref} does not run, and files are read and written there",
                safe="Nothing was done.",
                advice="Start the MiniCluster first.",
                exit_code=ExitCode.NO_CONNECTION,
            )
        where = Container(found.ref.namespace, lead.pod, lead.container, _view(found))
        path = found.archive_path
        assets = Assets(
            context=context,
            executor=context.cluster,
            ref=found.ref,
            container=where,
            lead=lead,
            archive_path=path,
        )
        return await command(assets, args)


def _view(minicluster: MiniCluster) -> str:
    view = ((minicluster.raw.get("spec") or {}).get("flux") or {}).get("container") or {}
    return str(view.get("mountPath") or MOUNT_PATH)


async def list_all(assets: Assets, args: argparse.Namespace) -> int:
    """The states, and how much directories hold."""
    directories = [assets.place(path) for path in args.directories]
    async with assets.client() as client:
        with _progress() as tell:
            listing = await client.list(directories, assets.excluded(), tell)
    if args.json:
        _print_json(asdict(listing))
        return ExitCode.OK
    if listing.states:
        print(
            table(
                ("STATE", "SAVED", "FILES", "SIZE", "ADDED", "DIRECTORIES"),
                map(_row, listing.states),
            )
        )
    elif not directories:
        print(f"No states of {assets.ref}.")
    _show_sizes(listing, sys.stdout)
    return ExitCode.OK


def _row(state: AssetState) -> tuple[str, ...]:
    if state.problem:
        return (state.id, "?", "?", "?", "?", state.problem)
    mark = "" if state.complete else " (incomplete)"
    roots = " ".join(state.roots) + mark
    return (
        *(state.id, moment(state.started), str(state.files)),
        *(size(state.bytes), size(state.packed), roots),
    )


def _show_sizes(listing: Listing, out: Any) -> None:
    for one in listing.directories:
        newest = f", newest {moment(one.newest)}" if one.newest else ""
        others = f", {one.others} that cannot be stored" if one.others else ""
        text = f"{one.path}: {plural(one.files, 'file')}, {size(one.bytes)}{newest}{others}"
        print(plain(text), file=out)
        _show_problems(one.problems, out)


async def save(assets: Assets, args: argparse.Namespace) -> int:
    """Preview, consent, save, read back."""
    kind = OperationKind.ASSETS_SAVE
    _refuse_read_only(assets, args, kind)
    directories = [assets.place(path) for path in args.directories]
    excluded = assets.excluded(args.exclude)
    out = sys.stderr if args.json else sys.stdout
    async with assets.client() as client:
        with _progress() as tell:
            listing = await client.list(directories, excluded, tell)
    _show_sizes(listing, out)
    room = "unknown" if listing.free is None else size(listing.free)
    changed = sum(one.changed for one in listing.directories)
    store = store_of(assets.lead.mounts, assets.archive_path)
    print(f"at most {size(changed)} go into a new pack on {store.mount}; free: {room}", file=out)
    if not store.mount.lasting:
        print("warning: that volume dies with the pod", file=sys.stderr)
    if listing.free is not None and changed > listing.free:
        raise FluxstateError(
            f"{size(changed)} do not fit into the {room} that are free on {store.mount}",
            safe="Nothing was written.",
            advice="Make room, or leave something out with --exclude.",
        )
    if args.dry_run:
        return _finish(args, {"plan": asdict(listing), "saved": None}, ExitCode.OK)
    if not _agreed(args, "Save them? [y/N] "):
        return _no_consent(assets, args, kind, {"plan": asdict(listing), "saved": None})
    flags = [f"--exclude={one}" for one in args.exclude]
    line = assets.line("save", *args.directories, *flags, "--yes")
    async with assets.changing(kind) as change, assets.client(writes=True) as client:
        with change.of("save of " + " ".join(args.directories), line) as read_back:
            about = {"name": assets.ref.name, "uid": assets.ref.uid, "who": assets.context.who}
            with _progress() as tell:
                saved = await client.save(directories, excluded, about, tell)
            again = await client.verify(saved.id, level=1)
            if again.sha256 != saved.sha256 or again.problems.count:
                raise FluxstateError(
                    f"state {saved.id} does not read back as it was saved",
                    safe="Earlier states were not touched.",
                    advice=f"Look at it: {assets.line('verify', saved.id)}",
                    exit_code=ExitCode.VERIFICATION,
                )
            read_back.append(_saved_words(saved))
    print(plain(_saved_words(saved)), file=out)
    _show_problems(saved.problems, out)
    bad = not saved.complete and not args.allow_incomplete
    code = ExitCode.VERIFICATION if bad else ExitCode.OK
    return _finish(args, {"plan": asdict(listing), "saved": asdict(saved)}, code)


def _saved_words(saved: Saved) -> str:
    whole = "complete" if saved.complete else "INCOMPLETE"
    files = f"{plural(saved.files, 'file')}, {size(saved.bytes)}, {size(saved.new)} of it new"
    return f"state {saved.id}: {whole}, {files}; its list and the sizes of its packs read back"


async def verify(assets: Assets, args: argparse.Namespace) -> int:
    """The worst one decides the exit code."""
    verdicts: dict[str, Any] = {}
    bad = False
    async with assets.client() as client:
        ids = args.states or [one.id for one in (await client.list()).states]
        for state in ids:
            try:
                with _progress() as tell:
                    found = await client.verify(
                        state, level=args.level, percent=args.percent, tell=tell
                    )
            except FluxstateError as error:
                if error.exit_code not in (ExitCode.VERIFICATION, ExitCode.NOT_FOUND):
                    raise
                verdicts[state], bad = {"good": False, "problem": error.message}, True
                _say(args, f"{state}   {error.message}")
                continue
            good = not found.problems.count
            bad = bad or not good
            verdicts[state] = {"good": good, **asdict(found)}
            whole = "" if found.complete else "; it was saved incomplete"
            of = f"{found.hashed} of {plural(found.pieces, 'piece')} hashed"
            problem = plural(found.problems.count, "problem")
            _say(args, f"{state}   {'good' if good else problem}: {of}{whole}")
            if not args.json:
                _show_problems(found.problems, sys.stdout)
    return _finish(args, {"states": verdicts}, ExitCode.VERIFICATION if bad else ExitCode.OK)


async def restore(assets: Assets, args: argparse.Namespace) -> int:
    """Preview by hash, consent, put back."""
    kind = OperationKind.ASSETS_RESTORE
    _refuse_read_only(assets, args, kind)
    out = sys.stderr if args.json else sys.stdout
    async with assets.client() as client:
        state = _chosen(assets, (await client.list()).states, args.state)
        to = _targets(assets, state, args.to)
        with _progress() as tell:
            plan = await client.compare(state.id, to, tell)
    for path, place in to.items():
        print(plain(f"{path} of state {state.id} goes to {place.path} on {place.mount}"), file=out)
    _show_plan(plan, out)
    if args.dry_run:
        return _finish(args, {"plan": asdict(plan), "restored": None}, ExitCode.OK)
    what = "Restore, and overwrite what differs?" if args.overwrite else "Restore what is missing?"
    if not _agreed(args, f"{what} [y/N] "):
        return _no_consent(assets, args, kind, {"plan": asdict(plan), "restored": None})
    flags = [*(["--to", args.to] if args.to else []), *(["--overwrite"] if args.overwrite else [])]
    line = assets.line("restore", state.id, *flags, *(["--set-id"] if args.set_id else []), "--yes")
    choices = RestoreChoices(to, args.overwrite, args.set_id, plan.sha256)
    async with assets.changing(kind) as change, assets.client(writes=True) as client:
        with change.of(state.id, line) as read_back:
            with _progress() as tell:
                done = await client.restore(state.id, choices, tell)
            with _progress() as tell:
                after = await client.compare(state.id, to, tell)
            read_back.append(_restored_words(done, after))
    print(plain(_restored_words(done, after)), file=out)
    if done.aside:
        print(plain(f"what was overwritten is kept in {done.aside} of each directory"), file=out)
    if done.unapplied:
        print(f"{plural(done.unapplied, 'path')} could not get owner, mode or attributes", file=out)
    _show_problems(done.problems, out)
    return _finish(
        args,
        {"plan": asdict(plan), "restored": asdict(done), "after": asdict(after)},
        _restored_code(done, after, overwrite=args.overwrite),
    )


def _restored_words(done: Compared, after: Compared) -> str:
    return (
        f"state {done.id}: {done.new} were missing, {done.changed + done.attributes} differed, "
        f"{done.kept} of those were kept as they are; read back by hash: "
        f"{after.equal + after.attributes} equal, {after.changed} other, {after.new} missing"
    )


def _restored_code(done: Compared, after: Compared, *, overwrite: bool) -> ExitCode:
    if done.problems.count or after.problems.count or after.new or (overwrite and after.changed):
        return ExitCode.VERIFICATION
    return ExitCode.REFUSED if done.kept else ExitCode.OK


def _show_plan(plan: Compared, out: Any) -> None:
    if not plan.complete:
        print("warning: that state is incomplete: files were missing when it was saved", file=out)
    counts = f"{plan.new} new, {plan.changed} changed, {plan.attributes} with other attributes"
    print(f"{counts}, {plan.equal} equal; {size(plan.bytes)} to write", file=out)
    for path in plan.differ[:_SHOWN]:
        print(plain(f"  differs: {path}"), file=out)
    if len(plan.differ) > _SHOWN:
        print(f"  and {plan.changed + plan.attributes - _SHOWN} more", file=out)
    _show_problems(plan.problems, out)


def _chosen(assets: Assets, states: Sequence[AssetState], wanted: str) -> AssetState:
    for state in states:
        if state.id == wanted:
            if state.problem:
                raise FluxstateError(
                    state.problem, safe="Nothing was done.", exit_code=ExitCode.VERIFICATION
                )
            return state
    raise FluxstateError(
        f"{assets.ref} has no state '{wanted}'",
        safe="Nothing was done.",
        advice=f"List them: {assets.line('list')}",
        exit_code=ExitCode.NOT_FOUND,
    )


def _targets(assets: Assets, state: AssetState, to: str) -> dict[str, Place]:
    if not to:
        return {root: assets.place(root) for root in state.roots}
    if len(state.roots) == 1:
        return {state.roots[0]: assets.place(to)}
    return {root: assets.place(posixpath.join(to, root.lstrip("/"))) for root in state.roots}


async def files(assets: Assets, args: argparse.Namespace) -> int:
    """Every path of a state: as it comes, or as one document."""
    found: list[dict[str, Any]] = []

    def take(one: AssetFile) -> None:
        if args.json:
            found.append(asdict(one))
            return
        target = f" -> {one.target}" if one.target else ""
        mark = " (changed while it was read)" if one.unstable else ""
        owner = f"{one.uid}:{one.gid}"
        line = f"{one.mode:04o} {owner:>11} {size(one.size):>7} {moment(one.mtime)}"
        print(f"{one.kind:<7} {line}  {plain(one.path)}{plain(target)}{mark}")

    async with assets.client() as client:
        await client.files(args.state, take)
    return _finish(args, {"state": args.state, "files": found}, ExitCode.OK)


def _refuse_read_only(assets: Assets, args: argparse.Namespace, kind: OperationKind) -> None:
    if assets.context.cluster.read_only and not args.dry_run:
        with audit.logged(assets.context, kind.value, assets.ref):
            raise RefusedError(
                f"'{kind}' would write to a volume, and this is --read-only",
                safe="Nothing was sent to the pod.",
                advice=TO_ALLOW,
            )


def _agreed(args: argparse.Namespace, question: str) -> bool:
    return args.yes or (asks() and ask(question).lower() in ("y", "yes"))


def _no_consent(
    assets: Assets, args: argparse.Namespace, kind: OperationKind, document: dict[str, Any]
) -> int:
    audit.log(assets.context, kind.value, assets.ref, "consent was not given")
    print("refused: consent is needed (nothing was done)", file=sys.stderr)
    print("   do: --yes", file=sys.stderr)
    return _finish(args, document, ExitCode.REFUSED)


def _show_problems(problems: Problems, out: Any) -> None:
    for one in problems.named[:_SHOWN]:
        why = f" ({one.why})" if one.why else ""
        print(plain(f"  {one.kind}: {one.path}{why}"), file=out)
    if problems.count > _SHOWN:
        print(f"  and {problems.count - _SHOWN} more", file=out)


def _say(args: argparse.Namespace, text: str) -> None:
    if not args.json:
        print(plain(text), flush=True)


def _finish(args: argparse.Namespace, document: dict[str, Any], code: ExitCode) -> int:
    if args.json:
        _print_json(document)
    return code


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2))  # ASCII: a name need not be UTF-8


@contextmanager
def _progress() -> Iterator[Tell | None]:
    """On a terminal one line that is replaced."""
    if not sys.stderr.isatty():
        yield None
        return

    def tell(progress: Progress) -> None:
        sys.stderr.write(f"\r\x1b[K{plural(progress.files, 'file')}  {size(progress.bytes)}")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


COMMANDS: dict[str, Command] = {
    "list": list_all,
    "save": save,
    "verify": verify,
    "restore": restore,
    "files": files,
}
