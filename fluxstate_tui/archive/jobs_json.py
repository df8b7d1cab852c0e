"""The jobs of an archive as JSON, as `flux jobs --json` writes them, job by job."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from fluxstate_tui.archive.details import OutputChunk
from fluxstate_tui.archive.reader import Archive, ArchivedJob
from fluxstate_tui.model.flux_json import job_to_json


def jobs_json(archive: Archive, jobs: Iterable[ArchivedJob], *, output: bool) -> Iterator[str]:
    """`{"jobs": [...]}` in pieces, with the fields of `flux jobs --json`, in Flux's order.

    With `output` each job has also `output`: stream, rank and data of each piece.
    """
    yield '{"jobs": ['
    for position, one in enumerate(in_flux_order(jobs)):
        value = job_to_json(one.job, archive.dumped_at or None)
        if output:
            value["output"] = [_piece_json(piece) for piece in one.output()]
        yield (",\n" if position else "\n") + _ascii_json(value)
    if archive.findings:
        yield '], "partial": true, "problems": '
        yield json.dumps([str(finding) for finding in archive.findings]) + "}\n"
    else:
        yield "]}\n"


def _ascii_json(value: dict[str, Any]) -> str:
    """JSON in ASCII, so that no control character of any kind comes through.

    msgspec writes 6 times as fast as json, but leaves what is not ASCII as it is; of that each job
    has the first character of its id.
    """
    try:
        text = msgspec.json.encode(value).decode().replace("ƒ", "\\u0192")
    except UnicodeEncodeError:
        text = "�"
    return text if text.isascii() else json.dumps(value)


def in_flux_order(jobs: Iterable[ArchivedJob]) -> list[ArchivedJob]:
    """Pending by priority, then running, then inactive, the newest first, as `flux jobs` lists."""

    def key(one: ArchivedJob) -> tuple[int, float, int]:
        job = one.job
        if job.state.pending:
            return 0, -(job.priority or 0), job.id
        if job.state.running:
            return 1, -(job.t_run or 0.0), job.id
        return 2, -(job.t_inactive or 0.0), job.id

    return sorted(jobs, key=key)


def _piece_json(piece: OutputChunk) -> dict[str, str]:
    found = {"stream": piece.stream, "rank": piece.rank, "data": piece.text}
    return {**found, "path": piece.redirected} if piece.redirected else found
