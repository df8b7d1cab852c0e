"""What the `archives` commands do."""

from __future__ import annotations

import argparse
import json
import posixpath
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fluxstate_tui.archive.manifest import CatalogEntry, Signature
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.archive.verify import Verdict
from fluxstate_tui.broker.context import default_who
from fluxstate_tui.broker.files import RemoteFileMissing, RemoteFiles
from fluxstate_tui.catalog.adopt import Adoption, adopt_archive
from fluxstate_tui.catalog.contents import FUTURE_SECONDS, Contents, Known, Retention, removable
from fluxstate_tui.catalog.local_archive import bring_in, damaged, entry_for, read_local
from fluxstate_tui.catalog.maintenance import (
    choose,
    fetch_archive,
    is_of,
    left_without_backup,
    remove_archive,
    verify_archive,
)
from fluxstate_tui.catalog.ownership import Identity
from fluxstate_tui.catalog.records import (
    NOT_READ,
    foreign_words,
    identity,
    read_known,
    recorded_facts,
    remember_verdict,
)
from fluxstate_tui.catalog.signed import words
from fluxstate_tui.cli.asking import ask, asks
from fluxstate_tui.cli.catalog_place import Alone, Place, open_place
from fluxstate_tui.cli.catalog_tables import entry_json, listing, names, verdict_json
from fluxstate_tui.cli.options import configuration
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.formatting import plain, plural, size
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.operations.restore.spec_source import says_of_spec
from fluxstate_tui.operations.steps import RefusedError


async def list_all(args: argparse.Namespace) -> int:
    """What there is."""
    _names_none(args)
    async with open_place(args) as place:
        entries, armed = await place.entries(), await place.armed()
        facts = await recorded_facts(place.files, entries, place.state_dir)
    if args.json:
        document = {
            "folder": place.folder,
            "archivePath": place.archive_path,
            "armed": armed,
            "archives": [entry_json(entry, facts.get(entry.path)) for entry in entries],
        }
        print(json.dumps(document, indent=2))
        return ExitCode.OK
    print(listing(entries, place.now, facts) if entries else f"No archives in {place.folder}.")
    if armed:
        print(f"ARMED: an archive lies at {place.archive_path}")
    return ExitCode.OK


async def verify(args: argparse.Namespace) -> int:
    """Read out and check; all of them if none is named. The worst one decides the exit code."""
    flux = None if args.no_flux else shutil.which("flux")
    verdicts: dict[str, Verdict | str] = {}
    spec: dict[str, tuple[str, ...]] = {}
    signatures: dict[str, Signature] = {}
    async with open_place(args) as place:
        entries = await place.entries()
        for entry in choose(entries, place.ids) if place.ids else entries:
            verdicts[entry.id] = await _verdict(place, entry, flux)
            if not args.json:
                said = verdicts[entry.id]
                text = said if isinstance(said, str) else said.sentence()
                print(f"{plain(entry.id)}   {plain(text)}", flush=True)
            signatures[entry.id] = entry.signature
            for line in words(entry, saved_here=True) if not args.json else ():
                print(f"    {plain(line)}", flush=True)
            spec[entry.id] = says_of_spec(place.context, place.ref, entry.manifest)
            for line in spec[entry.id] if not args.json else ():
                print(f"    {plain(line)}", flush=True)
    if args.json:
        document = {
            name: {**verdict_json(verdict), "spec": list(spec[name]), "signature": signatures[name]}
            for name, verdict in verdicts.items()
        }
        print(json.dumps({"archives": document}, indent=2))
    bad = [one for one in verdicts.values() if isinstance(one, str) or not one.kind.good]
    forged = Signature.WRONG in signatures.values()
    return ExitCode.VERIFICATION if bad or forged else ExitCode.OK


async def _verdict(place: Place, entry: CatalogEntry, flux: str | None) -> Verdict | str:
    """A verdict, or in words why there can be none."""
    if entry.problem:
        return entry.problem
    try:
        verdict = await verify_archive(place.files, entry, place.state_dir, _progress(entry), flux)
        if verdict.kind.good:
            await remember_verdict(place.state_dir, verdict)
        return verdict
    except RemoteFileMissing as error:
        return error.message


async def fetch(args: argparse.Namespace) -> int:
    """Copy to this computer; what has the name already is never touched."""
    done: list[dict[str, Any]] = []
    with _told(args, "fetched", done):
        async with open_place(args) as place:
            await _fetch_each(args, place, done)
    sound = all(one["good"] for one in done)
    return ExitCode.OK if sound else ExitCode.VERIFICATION


async def _fetch_each(args: argparse.Namespace, place: Place, done: list[dict[str, Any]]) -> None:
    for entry in choose(await place.entries(), _required(place.ids)):
        try:
            verdict = await fetch_archive(
                place.files, entry, args.to, _progress(entry), damaged=args.damaged
            )
        except OSError as error:
            if isinstance(error, FluxstateError):
                raise
            raise _here(error) from error
        target = args.to / posixpath.basename(entry.path)
        done.append({"id": entry.id, "file": str(target), **verdict_json(verdict)})
        if not args.json:
            print(f"{plain(str(target))}   {plain(verdict.sentence())}")


async def remove(args: argparse.Namespace) -> int:
    """Remove the named ones, unless a MiniCluster would be left without any good archive."""
    async with _changing(args, OperationKind.ARCHIVES_REMOVE) as (place, alone):
        entries = await place.entries()
        chosen = choose(entries, _required(place.ids))
        known = await _read(args, place, entries)
        unsaved = left_without_backup(known, chosen)
        unsaid = [name for name in unsaved if name != args.i_know_what_is_lost]
        if unsaid:
            raise RefusedError(
                f"that would remove the last good archive of {unsaid[0]},"
                " or of jobs that no other has",
                safe="Nothing was removed.",
                advice=f"Save first; or say --i-know-what-is-lost {unsaid[0]}",
            )
        return await _remove(args, place, chosen, OperationKind.ARCHIVES_REMOVE, alone, known)


async def prune(args: argparse.Namespace) -> int:
    """Remove what the policy lets go. What stays as the last verified one is read back first."""
    _names_none(args)
    retention = configuration().retention
    said = args.keep_last is not None or args.keep_within is not None
    last = args.keep_last if said else retention.keep_last
    within = args.keep_within if said else retention.keep_within
    if last is None and within is None:
        raise FluxstateError(
            "an empty retention policy would remove everything",
            safe="Nothing was removed.",
            advice="Say --keep-last N or --keep-within 30d, or configure `retention`.",
            exit_code=ExitCode.USAGE,
        )
    async with _changing(args, OperationKind.ARCHIVES_PRUNE) as (place, alone):
        entries = await place.entries()
        known = await _read(args, place, entries)
        _require_sound(known, place.now)
        chosen = removable(known, Retention(last, within), place.now)
        return await _remove(args, place, chosen, OperationKind.ARCHIVES_PRUNE, alone, known)


async def _read(
    args: argparse.Namespace, place: Place, entries: Sequence[CatalogEntry]
) -> tuple[Known, ...]:
    """What all of them hold; on a terminal it says which could not be read."""
    known = await read_known(place.files, entries, place.state_dir)
    for one in known:
        if one.contents is None and one.entry.manifest is not None:
            print(plain(f"{one.entry.id} stays: {one.why}"), file=sys.stderr)
    return known


def _require_sound(known: Sequence[Known], now: float) -> None:
    """Raise FluxstateError when the newest of a MiniCluster, as is said, cannot be read back.

    One that says to be of the future blocks nothing: that cannot be.
    """
    for one in known:
        manifest, owner = one.entry.manifest, one.owner
        unread = one.contents is None and not one.entry.problem and one.why != NOT_READ
        if manifest is None or owner is None or not unread:
            continue
        said = [
            other.entry.manifest.created
            for other in known
            if other.contents and other.entry.manifest and is_of(other, owner)
        ]
        latest = now + FUTURE_SECONDS
        newest = max((when for when in said if when <= latest), default=0.0)
        if newest <= manifest.created <= latest:
            raise FluxstateError(
                f"the archive of {owner.name} that would stay does not read back as it was saved",
                safe="Nothing was removed.",
                advice="Look at them: fluxstate-tui archives verify",
                exit_code=ExitCode.VERIFICATION,
            )


async def adopt(args: argparse.Namespace) -> int:
    """Give manifests to archives that others made; a relative path starts in the catalog."""
    done: list[dict[str, Any]] = []
    with _told(args, "adopted", done):
        async with (
            open_place(args, changes=True) as place,
            place.changing(OperationKind.ARCHIVES_ADOPT) as alone,
        ):
            await _adopt_each(args, place, alone, done)
    return ExitCode.OK


async def _adopt_each(
    args: argparse.Namespace, place: Place, alone: Alone, done: list[dict[str, Any]]
) -> None:
    sources, owner = _required(place.ids), _owner(args, place)
    named = ["--minicluster", owner] if args.folder is not None else []
    with place.journaled(OperationKind.ARCHIVES_ADOPT) as change:
        for path in sources:
            source = posixpath.normpath(posixpath.join(place.folder, path))
            adoption = Adoption(
                minicluster=owner,
                namespace=place.ref.namespace,
                who=default_who(),
                now=place.now,
                raw=place.raw,
                key=await place.key(),
            )
            await alone()
            with change.of(
                source, place.line("adopt", *named, "--yes", names=[source])
            ) as read_back:
                entry, archive = await adopt_archive(
                    place.files, place.folder, source, adoption, place.state_dir, _silent
                )
                read_back.append(f"is {entry.id}")
            # What the file is, not what its new manifest says.
            _warn_of_another(place, replace(entry, manifest=None), archive, source, owner)
            done.append(entry_json(entry))
            if not args.json:
                print(plain(f"{source} is in the catalog as {entry.id}"))


def _owner(args: argparse.Namespace, place: Place) -> str:
    """Whose archives are adopted there. Raises FluxstateError when nobody said it."""
    owner: str = place.ref.name if args.folder is None else args.minicluster
    if not owner:
        raise FluxstateError(
            "whose archive is it?",
            safe="Nothing was done.",
            advice="Say --minicluster NAME.",
            exit_code=ExitCode.USAGE,
        )
    return owner


def _silent(done: int) -> None:
    """Nobody is told how far it is."""


async def put(args: argparse.Namespace) -> int:
    """Upload archives of this computer, each with its manifest, or with a new one."""
    done: list[dict[str, Any]] = []
    with _told(args, "put", done):
        async with (
            open_place(args, changes=True) as place,
            place.changing(OperationKind.ARCHIVES_PUT) as alone,
        ):
            await _put_each(args, place, alone, done)
    return ExitCode.OK


async def _put_each(
    args: argparse.Namespace, place: Place, alone: Alone, done: list[dict[str, Any]]
) -> None:
    files = place.files
    if not isinstance(files, RemoteFiles):
        raise FluxstateError(
            "put is for the volume of a MiniCluster",
            safe="Nothing was done.",
            advice="In a folder of this computer: archives adopt --folder DIR FILE",
            exit_code=ExitCode.USAGE,
        )
    words = _required(place.ids)
    with place.journaled(OperationKind.ARCHIVES_PUT) as change:
        for word in words:
            local = await read_local(Path(word))
            name, now = place.ref.name, place.now
            entries = await place.entries()
            spoilt = await damaged(files, local, entries)
            going = entry_for(local, place.folder, entries, name, now, spoilt)
            adoption = Adoption(
                minicluster=name,
                namespace=place.ref.namespace,
                who=default_who(),
                now=now,
                raw=place.raw,
                key=await place.key(),
            )
            _warn_of_another(place, going, local.archive, word, name)
            await alone()
            with change.of(going.id, place.line("put", "--yes", names=[word])) as read_back:
                entry = await bring_in(files, local, going, adoption, lambda text: None)
                read_back.append(f"is {word}")
            done.append(entry_json(entry))
            if not args.json:
                print(plain(f"{word} is in the catalog as {entry.id}"))


def _warn_of_another(
    place: Place, entry: CatalogEntry, archive: Archive, word: str, name: str
) -> None:
    """Say whose it is: a restore would run that one's jobs."""
    me = Identity(place.ref.namespace, name)
    if place.context is not None:
        me = identity(place.context, place.ref, place.raw)
    whose = foreign_words(entry, archive, me, place.state_dir)
    if whose:
        print(
            f"warning: {plain(word)} is {plain(whose)}, and goes into the catalog of {name}: "
            f"restored, {name} would run its jobs",
            file=sys.stderr,
        )


@asynccontextmanager
async def _changing(
    args: argparse.Namespace, kind: OperationKind
) -> AsyncIterator[tuple[Place, Alone]]:
    """The place to change; only to look at with --dry-run, which --read-only allows, too."""
    dry = args.dry_run
    async with open_place(args, changes=not dry) as place, place.changing(kind, dry_run=dry) as one:
        yield place, one


@contextmanager
def _told(args: argparse.Namespace, word: str, done: list[dict[str, Any]]) -> Iterator[None]:
    """What was done is one JSON document, also when it ended early with some of it done."""
    try:
        yield
    finally:
        if args.json and (done or sys.exception() is None):
            print(json.dumps({word: done}, indent=2))


async def _remove(
    args: argparse.Namespace,
    place: Place,
    chosen: Sequence[CatalogEntry],
    kind: OperationKind,
    alone: Alone,
    known: Sequence[Known],
) -> int:
    """Say what goes, ask, and remove it; what went is read back and logged."""
    out = sys.stderr if args.json else sys.stdout
    facts = {one.entry.path: one.contents for one in known if one.contents is not None}
    print(_what_goes(chosen, would=args.dry_run), file=out)
    if chosen:
        print(listing(chosen, place.now, facts), file=out)
    wanted = bool(chosen) and not args.dry_run
    agreed = wanted and _agreed(args, chosen, facts)
    if agreed:
        await _remove_each(place, chosen, kind, alone)
        print(f"removed {len(chosen)}", file=out)
    elif wanted:
        print("refused: consent is needed (nothing was removed)\n   do: --yes", file=sys.stderr)
    if args.json:
        word = "removed" if agreed else "wouldRemove"
        print(json.dumps({word: [entry_json(entry) for entry in chosen]}, indent=2))
    return ExitCode.REFUSED if wanted and not agreed else ExitCode.OK


def _what_goes(chosen: Sequence[CatalogEntry], *, would: bool) -> str:
    if not chosen:
        return "Nothing would go."
    count, total = plural(len(chosen), "archive"), size(sum(entry.size for entry in chosen))
    return f"{count} would go ({total}); this is a dry run:" if would else f"{count} go ({total}):"


async def _remove_each(
    place: Place, chosen: Sequence[CatalogEntry], kind: OperationKind, alone: Alone
) -> None:
    with place.journaled(kind) as change:
        for entry in chosen:
            await alone()
            with change.of(entry.id, place.line("remove", "--yes", names=[entry.id])) as read_back:
                await remove_archive(place.files, entry)
                read_back.append("removed")
        left = {entry.id for entry in await place.entries()} & {entry.id for entry in chosen}
        if left:
            raise FluxstateError(f"{names(left)} is still listed")


def _agreed(
    args: argparse.Namespace, chosen: Sequence[CatalogEntry], facts: Mapping[str, Contents]
) -> bool:
    if args.yes:
        return True
    if not asks():
        return False
    good = sum(entry.path in facts for entry in chosen)
    question = f"Remove {len(chosen)} archives ({good} of them verified)? [y/N] "
    return ask(question).lower() in ("y", "yes")


def _names_none(args: argparse.Namespace) -> None:
    """Raise FluxstateError for words that the command would silently leave out."""
    words = args.words if args.folder is not None else args.words[1:]
    if words:
        raise FluxstateError(
            f"this is about all archives; it does not take {' '.join(words)}",
            safe="Nothing was done.",
            advice="Name one MiniCluster, or give --folder DIR and no name.",
            exit_code=ExitCode.USAGE,
        )


def _required(ids: Sequence[str]) -> Sequence[str]:
    if not ids:
        raise FluxstateError(
            "no archive was named",
            safe="Nothing was done.",
            advice="fluxstate-tui archives COMMAND NAME ID... (or --folder DIR ID...)",
            exit_code=ExitCode.USAGE,
        )
    return ids


def _here(error: OSError) -> FluxstateError:
    taken = isinstance(error, FileExistsError)
    return FluxstateError(
        str(error) if taken else f"it cannot be written here: {error}",
        safe="Nothing was overwritten; no half file was left.",
        advice="Choose another folder with --to DIR." if taken else "",
        exit_code=ExitCode.REFUSED if taken else ExitCode.FAILURE,
    )


def _progress(entry: CatalogEntry) -> Callable[[int], None]:
    """On a terminal one line that is replaced."""
    if not sys.stderr.isatty():
        return lambda done: None

    def tell(done: int) -> None:
        end = "" if done < entry.size else "\r\x1b[K"
        sys.stderr.write(f"\r\x1b[K{plain(entry.id)}  {done:,} of {entry.size:,}{end}")
        sys.stderr.flush()

    return tell


COMMANDS: dict[str, Callable[[argparse.Namespace], Coroutine[Any, Any, int]]] = {
    "list": list_all,
    "verify": verify,
    "fetch": fetch,
    "remove": remove,
    "prune": prune,
    "adopt": adopt,
    "put": put,
}
