"""Writing archives in flux-dump's own layout, so that real Flux opens them (0.88, libarchive)."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import time
import zipfile
from collections.abc import Callable, Iterable

from fluxstate_tui.archive.container import Entry

_BLOCK = 512
_ZERO_TIME = (1980, 1, 1, 0, 0, 0)


def write_archive(entries: Iterable[Entry], suffix: str) -> bytes:
    """An archive as bytes. `suffix` is a file name or its end, such as `.tar.gz`.

    Raises ValueError with flux-dump's words for a suffix that it does not know, too
    (`.tar.zst`, `.TAR.GZ`, no suffix), and for cpio and iso, which only flux-dump writes.
    """
    if suffix.endswith(".zip"):
        return _zip(entries)
    for ending, compress in _COMPRESSIONS.items():
        if suffix.endswith(ending):
            return compress(_tar(entries))
    raise ValueError(f"No such format '{suffix}'")


def tar_member(entry: Entry) -> bytes:
    """The header and the padded data of one member (POSIX ustar; pax where names are long)."""
    kind, data = (b"0", entry.data) if entry.link is None else (b"2", b"")
    name = entry.name.encode("utf-8", "surrogateescape")
    link = (entry.link or "").encode("utf-8", "surrogateescape")
    extended = b""
    if len(name) > 100:
        extended += _pax_record(b"path", name)
    if len(link) > 100:
        extended += _pax_record(b"linkpath", link)
    if len(data) >= 8**11:
        extended += _pax_record(b"size", b"%d" % len(data))
    prefix = b""
    if extended:
        prefix = _header(b"PaxHeader", b"x", b"", len(extended), entry.mtime) + _padded(extended)
    size = len(data) if len(data) < 8**11 else 0
    return prefix + _header(name[:100], kind, link[:100], size, entry.mtime) + _padded(data)


def _tar(entries: Iterable[Entry]) -> bytes:
    return b"".join([*map(tar_member, entries), bytes(2 * _BLOCK)])


def _header(name: bytes, kind: bytes, link: bytes, size: int, mtime: int) -> bytes:
    """One ustar header: owner root, mode 0644, like flux-dump run by the instance owner."""
    head = b"%s%s" % (
        name.ljust(100, b"\x00"),
        b"000644 \x00000000 \x00000000 \x00%011o %011o " % (size, max(0, mtime)),
    )
    tail = b"%s%s%s" % (
        kind,
        link.ljust(100, b"\x00"),
        b"ustar\x0000".ljust(72, b"\x00") + b"000000 \x00000000 \x00",
    )
    checksum = sum(head) + sum(tail) + 8 * 32
    return (head + b"%06o\x00 " % checksum + tail).ljust(_BLOCK, b"\x00")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def _pax_record(key: bytes, value: bytes) -> bytes:
    body = b" %s=%s\n" % (key, value)
    length = len(body) + 1
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return b"%d%s" % (length, body)


def _zip(entries: Iterable[Entry]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            stamp = time.gmtime(entry.mtime)[:6]
            info = zipfile.ZipInfo(entry.name, max(stamp, _ZERO_TIME))
            info.create_system = 3
            mode = 0o100644 if entry.link is None else 0o120644
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            link = (entry.link or "").encode("utf-8", "surrogateescape")
            archive.writestr(info, entry.data if entry.link is None else link)
    return buffer.getvalue()


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)


_COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": lambda data: data,
    ".tar.gz": _gzip,
    ".tgz": _gzip,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
}
