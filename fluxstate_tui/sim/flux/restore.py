"""Reading an archive as `flux restore` does, with its error texts (libarchive 3.6.2)."""

from __future__ import annotations

import zlib

from fluxstate_tui.archive.container import Entry, iter_entries
from fluxstate_tui.archive.findings import BrokenArchiveError, Kind
from fluxstate_tui.sim.flux.content import Content, JobContent

_JOB_PARTS = 5
_TAR_BLOCK, _TAR_MAGIC = 512, b"ustar"
_TEXTS = {
    Kind.TRUNCATED: "Truncated tar archive",
    Kind.DAMAGED: "Damaged tar archive",
    Kind.HOSTILE: "Damaged tar archive",
    Kind.NOT_AN_ARCHIVE: "Unrecognized archive format",
}


class RestoreError(Exception):
    """`flux restore` failed; the text is its message."""


def load_content(data: bytes) -> Content:
    """The KVS content of an archive. Zero bytes and a tar without entries are an empty one."""
    if not data:
        return Content()
    _check_gzip(data)
    keys: dict[str, bytes] = {}
    jobs: dict[int, dict[str, Entry]] = {}
    try:
        for entry in iter_entries(data):
            job_id, name = _split(entry.name)
            if job_id is None:
                keys[name] = entry.data
            else:
                jobs.setdefault(job_id, {})[name] = entry
    except BrokenArchiveError as error:
        raise RestoreError(_TEXTS.get(error.finding.kind, "Truncated tar archive")) from error
    found = {job_id: _job(job_id, parts) for job_id, parts in jobs.items() if "eventlog" in parts}
    return Content(keys, found)


def _check_gzip(data: bytes) -> None:
    """libarchive has words of its own for a gzip stream that ends too early."""
    if not data.startswith(b"\x1f\x8b"):
        return
    stream = zlib.decompressobj(31)
    head = b""
    try:
        for start in range(0, len(data), 1 << 20):
            plain = stream.decompress(data[start : start + (1 << 20)])
            head = head or plain[:_TAR_BLOCK]
    except zlib.error:
        return
    if head.strip(b"\0") and _TAR_MAGIC not in head:
        raise RestoreError("Unrecognized archive format")
    if not stream.eof:
        tail = zlib.decompressobj(-15)
        tail.decompress(data[10:])
        raise RestoreError("(null)" if tail.eof else "truncated gzip input")


def _split(name: str) -> tuple[int | None, str]:
    """A member's job id and the name below the job, or (None, key)."""
    parts = name.split("/")
    if parts[0] == "job" and len(parts) > _JOB_PARTS:
        try:
            return int("".join(parts[1:_JOB_PARTS]), 16), "/".join(parts[_JOB_PARTS:])
        except ValueError:
            pass
    return None, ".".join(parts)


def _job(job_id: int, parts: dict[str, Entry]) -> JobContent:
    link = parts.get("guest")
    guest = {
        name.removeprefix("guest/"): entry.data
        for name, entry in parts.items()
        if name.startswith("guest/")
    }
    empty = Entry("")
    resources = parts.get("R")
    return JobContent(
        job_id,
        parts.get("jobspec", empty).data,
        parts["eventlog"].data,
        parts.get("J", empty).data,
        None if resources is None else resources.data,
        None if link is not None and link.link is not None else guest,
    )
