"""Names of members: jobs' files, wanted ones, and those that nobody should ever unpack."""

from __future__ import annotations

import re

from fluxstate_tui.archive import tar
from fluxstate_tui.archive.findings import Finding, Kind
from fluxstate_tui.archive.tar import Member

# job/HHHH/HHHH/HHHH/HHHH/: dothex of the id, as flux-core spells it (lower case).
_JOB = re.compile(r"job/[0-9a-f]{4}/[0-9a-f]{4}/[0-9a-f]{4}/[0-9a-f]{4}/", re.ASCII)

EVENTLOG, JOBSPEC, R = "eventlog", "jobspec", "R"
SIGNED_JOBSPEC = "J"
OUTPUT, EXEC_LOG = "guest/output", "guest/exec/eventlog"
GUEST_FILES = frozenset((OUTPUT, EXEC_LOG, "guest/input"))
JOB_FILES = GUEST_FILES | {EVENTLOG, JOBSPEC, R, SIGNED_JOBSPEC}
JOBS = "job"
LOST_AND_FOUND = "job-lost+found/"

ADMIN_EVENTLOG = "admin/eventlog"
INSTANCE_R = "resource/R"
CHECKPOINT = "checkpoint/job-manager"
RESOURCE_EVENTLOG = "resource/eventlog"
INSTANCE_FILES = frozenset((ADMIN_EVENTLOG, INSTANCE_R, CHECKPOINT, RESOURCE_EVENTLOG))

CORE_FILES = frozenset((EVENTLOG, JOBSPEC, R))


def job_id(folder: str) -> int | None:
    """The job whose directory this is, or None."""
    return int(folder[4:].replace("/", ""), 16) if _JOB.fullmatch(folder) else None


def core_wanted(end: str) -> bool:
    """What the first pass reads: three files per job and four of the instance; never `J`."""
    return end in CORE_FILES or end in INSTANCE_FILES


def everything_but_secrets(end: str) -> bool:
    """What a thorough pass reads: every value but the signed jobspecs (users' environments)."""
    return end != SIGNED_JOBSPEC and not end.endswith("/" + SIGNED_JOBSPEC)


def hostile(member: Member) -> Finding | None:
    """Why a member must not be in an archive of flux-dump, or None.

    flux-dump writes files and symlinks only, named after KVS keys. A symlink's target is a KVS
    key, too, such as `job-203893506048::.`.
    """
    name = member.name
    if member.kind == tar.FILE:
        message = _bad_name(name)
    elif member.kind == tar.SYMLINK:
        message = _bad_name(name) or _bad_link(member.link)
    elif member.kind == tar.DIRECTORY:
        message = _bad_name(name.rstrip("/"))
    else:
        message = _KINDS.get(member.kind, "it is of a kind that flux-dump never writes")
    return Finding(Kind.HOSTILE, name, message) if message else None


_KINDS = {
    b"1": "it is a hard link",
    b"3": "it is a character device",
    b"4": "it is a block device",
    b"6": "it is a FIFO",
    b"S": "it is a sparse file",
}


def _bad_name(name: str) -> str:
    if name.startswith("/"):
        return "its name is an absolute path"
    if ".." in name and ".." in name.split("/"):
        return "its name leads out of the archive"
    if not name:
        return "it has no name"
    if not name.isprintable():
        return "its name holds control characters or is not UTF-8"
    return ""


def _bad_link(link: str) -> str:
    if link.startswith("/"):
        return "it links to an absolute path"
    return "it links out of the archive" if ".." in link.split("/") else ""
