"""What the `archive` commands do: read, and print what archive/render.py makes of it.

Most is imported where it is used: the JSON of a whole archive takes a third of a second, and
imports would be a good part of that.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fluxstate_tui import termination
from fluxstate_tui.archive.findings import Kind
from fluxstate_tui.archive.reader import Archive, ArchivedJob, read_archive
from fluxstate_tui.archive.render import jobs_json
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.jobid import parse_job_id

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import Part


def show(args: argparse.Namespace) -> int:
    """Print an archive, or one job of it. A broken archive is shown as far as it can be read."""
    archive = read_archive(Path(args.file))
    chosen = archive.jobs if args.job is None else (_find(archive, args.job),)
    if args.json:
        sys.stdout.writelines(jobs_json(archive, chosen, output=args.output))
        return _end(archive)
    archive.refuse_foreign(args.file)

    from fluxstate_tui.archive import render

    if args.output:
        for one in chosen:
            sys.stdout.writelines(render.output_text(one))
    elif args.job is not None:
        _print(render.job_text(archive, chosen[0]))
    else:
        _print(render.summary(archive))
        if chosen:
            _print(("", *render.jobs_table(archive, chosen)))
    return _end(archive)


def verify(args: argparse.Namespace) -> int:
    """Print the verdict; its exit code says the same."""
    from fluxstate_tui.archive import render
    from fluxstate_tui.archive.verify import verify as check

    path = Path(args.file)
    flux = None if args.no_flux else shutil.which("flux")
    verdict = check(path, flux=flux, expected=_expected(path))
    _print((render.verdict_json(verdict),) if args.json else render.verdict_text(verdict))
    return int(verdict.exit_code)


def preview(args: argparse.Namespace) -> int:
    """Print what a restore would do."""
    from fluxstate_tui.archive import render
    from fluxstate_tui.archive.preview import preview as look_ahead

    archive = read_archive(Path(args.file))
    archive.refuse_foreign(args.file)
    found = look_ahead(
        archive,
        size=args.size,
        cores=args.cores,
        max_size=args.max_size,
        name=args.name,
        uid=args.uid,
        queues=args.queue,
    )
    _print((render.preview_json(found),) if args.json else render.preview_text(found))
    return _end(archive)


def diff(args: argparse.Namespace) -> int:
    """Print the differences of two archives, or of an archive and a live queue."""
    from fluxstate_tui.archive import render
    from fluxstate_tui.archive.compare import diff as compare

    if (args.other is None) == (args.live is None):
        raise FluxstateError(
            "Compare with a second archive or with a live queue.",
            advice="archive diff A B, or archive diff A --with NAME",
            exit_code=ExitCode.USAGE,
        )
    archive = read_archive(Path(args.file))
    archive.refuse_foreign(args.file)
    second = read_archive(Path(args.other)) if args.other is not None else None
    jobs = _live_jobs(args) if second is None else [one.job for one in second.jobs]
    found = compare([one.job for one in archive.jobs], jobs)
    _print((render.diff_json(found),) if args.json else render.diff_text(found))
    code = _end(archive)
    return max(code, _end(second)) if second is not None else code


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _end(archive: Archive) -> int:
    """Say on stderr what is wrong with it; the exit code says it, too."""
    if archive.complete:
        return int(ExitCode.OK)

    from fluxstate_tui.archive import render

    for line in render.problems(archive):
        print(line, file=sys.stderr)
    foreign = any(finding.kind is Kind.NOT_AN_ARCHIVE for finding in archive.findings)
    return int(ExitCode.FAILURE if foreign else ExitCode.VERIFICATION)


def _find(archive: Archive, text: str) -> ArchivedJob:
    try:
        found = archive.job(parse_job_id(text))
    except ValueError as error:
        raise FluxstateError(
            f"{error}.",
            advice="Job ids look like ƒ21mNXsm, f21mNXsm, 38570819584 or 0x8fb000000.",
            exit_code=ExitCode.USAGE,
        ) from error
    if found is None:
        raise FluxstateError(
            f"There is no job {text} in this archive.",
            advice="List them: fluxstate-tui archive show FILE",
            exit_code=ExitCode.NOT_FOUND,
        )
    return found


def _expected(path: Path) -> Part | None:
    from fluxstate_tui.archive.manifest import ManifestError, expected_part

    try:
        return expected_part(path)
    except (OSError, ManifestError) as error:
        print(f"the manifest beside it: {error}", file=sys.stderr)
        return None


def _live_jobs(args: argparse.Namespace) -> list[Job]:
    from fluxstate_tui.broker.client import MiniClusterClient
    from fluxstate_tui.broker.find import find_minicluster
    from fluxstate_tui.cli.options import kube_options
    from fluxstate_tui.cli.target import open_context

    async def read() -> list[Job]:
        async with open_context(kube_options(args)) as context:
            found = await find_minicluster(context.cluster, args.live)
            client = await MiniClusterClient.open(context, found.ref)
            try:
                return list(await client.jobs())
            finally:
                await client.close()

    return termination.run(read())
