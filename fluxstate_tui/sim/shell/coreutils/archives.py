"""gzip -t, gunzip -c and tar -t, as people check a dump with them."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime

from fluxstate_tui.archive.container import Entry, iter_entries
from fluxstate_tui.archive.findings import BrokenArchiveError
from fluxstate_tui.sim.shell.coreutils.text import content
from fluxstate_tui.sim.shell.options import parse_options
from fluxstate_tui.sim.shell.process import Process
from fluxstate_tui.sim.shell.streams import MOST_MEMORY, require_memory

GZIP_TRUNCATED = "unexpected end of file"


async def gzip(process: Process) -> int:
    """-t (test) and -dc (to standard output)."""
    options = parse_options(process.args, "t,test d,decompress c,stdout q k v l")
    name = (options.operands or ["-"])[0]
    try:
        data = await content(process, name)
    except OSError as error:
        return await process.fail(f"{name}: {error.strerror}")
    shown = "stdin" if name == "-" else name
    plain, problem = inflate(data)
    if problem:
        await process.err(f"\n{process.name}: {shown}: {problem}\n")
        return 1
    if options.has("stdout") and not options.has("test"):
        await process.stdout.write(plain)
    return 0


def inflate(data: bytes) -> tuple[bytes, str]:
    """All of the plain bytes that can be had, and gzip's words for what is wrong.

    Raises OSError (ENOMEM) where they are too many.
    """
    plain, rest = bytearray(), data
    if not rest:
        return b"", GZIP_TRUNCATED
    while rest:
        if not rest.startswith(b"\x1f\x8b"):
            return bytes(plain), "" if plain else "not in gzip format"
        stream = zlib.decompressobj(31)
        try:
            plain += stream.decompress(rest, MOST_MEMORY + 1 - len(plain))
            require_memory(len(plain))
        except zlib.error as error:
            crc = "crc error" if "check" in str(error) else "format violated"
            return bytes(plain), f"invalid compressed data--{crc}"
        if not stream.eof:
            return bytes(plain), GZIP_TRUNCATED
        rest = stream.unused_data
    return bytes(plain), ""


async def tar(process: Process) -> int:
    """t (list), with v, z, and O (to standard output) for x; f FILE."""
    letters = process.args[0].lstrip("-") if process.args else ""
    operands = [arg for arg in process.args[1:] if not arg.startswith("-")]
    name = operands.pop(0) if "f" in letters and operands else "-"
    try:
        data = await content(process, name)
    except OSError as error:
        await process.err(f"tar: {name}: Cannot open: {error.strerror}\n")
        await process.err("tar: Error is not recoverable: exiting now\n")
        return 2
    if not data:
        return 0
    try:
        for entry in iter_entries(data):
            if "O" in letters and (not operands or entry.name in operands):
                await process.stdout.write(entry.data)
            elif "t" in letters:
                await process.out(_verbose(entry) if "v" in letters else entry.name + "\n")
    except BrokenArchiveError:
        if data.startswith(b"\x1f\x8b"):
            await process.err(f"\ngzip: stdin: {inflate(data)[1] or GZIP_TRUNCATED}\n")
        await process.err("tar: Unexpected EOF in archive\n")
        await process.err("tar: Error is not recoverable: exiting now\n")
        return 2
    return 0


def _verbose(entry: Entry) -> str:
    when = datetime.fromtimestamp(entry.mtime, UTC).strftime("%Y-%m-%d %H:%M")
    if entry.link is not None:
        return f"lrw-r--r-- 0/0 {0:>15} {when} {entry.name} -> {entry.link}\n"
    return f"-rw-r--r-- 0/0 {len(entry.data):>15} {when} {entry.name}\n"


PROGRAMS = {"gunzip": gzip, "gzip": gzip, "tar": tar, "zcat": gzip}
