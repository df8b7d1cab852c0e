"""flux dump and flux restore, with everything that is dangerous about them."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Iterator

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.sim.flux.background import in_background
from fluxstate_tui.sim.flux.cli.connection import Connection, connect
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.shell.options import Options, parse_options
from fluxstate_tui.sim.shell.process import Process, UsageError

USAGE = """Usage: flux dump [OPTIONS] OUTFILE
Dump KVS snapshot to a portable archive format
  -h, --help             Display this message.
  -v, --verbose          List keys on stderr as they are archived
  -q, --quiet            Don't show periodic progress updates
      --checkpoint       Dump from checkpoint
      --no-cache         Bypass the broker content cache
      --ignore-failed-read
                         Treat content load errors as non-fatal
      --sd-notify        Send status updates to systemd via flux-broker(1)
      --maxreqs=N        Increase number of concurrent requests (default 2)
"""
_SPEC = "h,help v,verbose q,quiet checkpoint no-cache ignore-failed-read sd-notify maxreqs="
_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
SECONDS_PER_JOB = 0.011
CHUNK = 65536
MANY_ENTRIES = 5000


async def dump(process: Process) -> int:
    """Truncates OUTFILE first, writes it in pieces: a failure leaves a cut file behind."""
    options = parse_options(process.args, _SPEC)
    if options.has("help") or len(options.operands) != 1:
        await process.err(USAGE)
        return 0 if options.has("help") else 1
    target = options.operands[0]
    connection = connect(process)
    if target != "-":
        if not target.endswith(_SUFFIXES):
            raise UsageError(f"No such format '{target}'")
        try:
            _require_writable(process, posixpath.dirname(process.path(target)))
            process.files.truncate(process.path(target))
        except OSError:
            raise UsageError(f"Failed to open '{target}'") from None
    return await _write(process, connection, options, target)


def _require_writable(process: Process, folder: str) -> None:
    """Raise PermissionError where the broker's user (v1alpha1: flux) may not make a file."""
    if not process.may(folder, "w"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


async def _write(process: Process, connection: Connection, options: Options, target: str) -> int:
    try:
        await connection.rpc("kvs.getroot")
    except FluxError as error:
        text = f"error fetching current KVS root: {error.message}"
        raise FluxError(error.errno, text) from None
    entries = list(_entries(connection, from_checkpoint=options.has("checkpoint")))
    if not options.has("quiet"):
        await _progress(process, len(entries))
    await process.machine.clock.sleep(_seconds(connection, options))
    suffix = ".tar" if target == "-" else next(s for s in _longest_first() if target.endswith(s))
    data = await in_background(len(entries) > MANY_ENTRIES, write_archive, entries, suffix)
    if target == "-":
        await process.stdout.write(data)
        return 0
    return await _save(process, connection, target, data)


def _longest_first() -> list[str]:
    return sorted(_SUFFIXES, key=len, reverse=True)


def _entries(connection: Connection, *, from_checkpoint: bool) -> Iterator[Entry]:
    instance = connection.instance
    content = instance.statedir.checkpoint if from_checkpoint else instance.content()
    return iter(()) if content is None else content.entries(instance.clock.now())


def _seconds(connection: Connection, options: Options) -> float:
    """11 ms per job by default, half of that with many requests (ARCHITECTURE.md#F14)."""
    seconds = 0.02 + len(connection.instance.jobs.jobs) * SECONDS_PER_JOB
    return seconds / 2 if int(options.get("maxreqs", "2")) > 2 else seconds


async def _progress(process: Process, count: int) -> None:
    shown = [*range(1, min(count, 9) + 1), *range(100, count, 100), count]
    for number in dict.fromkeys(shown):
        await process.err(f"\rflux-dump: archived {number} keys")
    await process.err("\n")


async def _save(process: Process, connection: Connection, target: str, data: bytes) -> int:
    append = process.files.open_append(process.path(target))
    faults = connection.instance.faults
    limit = faults.dump_bytes if faults.dump_error else len(data)
    try:
        for start in range(0, min(limit, len(data)), CHUNK):
            append(data[start : min(start + CHUNK, limit)])
            await process.machine.clock.sleep(0.0)
    except OSError as error:
        word = "Write error" if error.errno == errno.ENOSPC else error.strerror
        raise UsageError(str(word)) from None
    if faults.dump_error:
        raise UsageError(faults.dump_error)
    return 0


async def restore(process: Process) -> int:
    """By hand it can only be refused on a live instance."""
    options = parse_options(process.args, "v,verbose q,quiet checkpoint key= no-cache size-limit=")
    connect(process)
    if options.has("checkpoint"):
        raise UsageError("please unload kvs module before using --checkpoint")
    if not options.has("key"):
        raise UsageError("Please specify a restore target with --checkpoint or --key")
    return 0


COMMANDS = {"dump": dump, "restore": restore}
