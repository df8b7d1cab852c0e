"""The program that saves and restores directories inside a pod (Python 3.6 or later).

It is sent as it stands (catalog/assets.py) and needs the standard library only. Stdin has requests,
stdout progress and answers, each a line of JSON:

    {"id": 1, "do": "save", "store": ["/data", "/data/archives/assets"], "roots": [...]}
    {"t": "progress", "id": 1, "files": 512, "bytes": 1048576}
    {"t": "reply", "id": 1, "ok": true, "result": {...}}

Closing stdin cancels: what was begun is removed. A path travels as UTF-8 with surrogate escapes, so
that it comes back as the bytes that it was. A directory is `[MOUNT, PATH]`: the mount point is the
pod's own, and below it nothing is reached over a link.

The store is a folder with `packs/` (pax archives of contents that no earlier pack has, each with an
index beside it) and `states/` (one file of JSON lines each: a head, an entry for each path in the
order of the walk, an end with the checksum of all lines before). A state is written last. Whatever
is read from the store is a claim: it is parsed within limits, and contents are hashed again.
"""

import base64
import binascii
import errno
import fcntl
import fnmatch
import hashlib
import itertools
import json
import os
import re
import signal
import stat
import sys
import threading
import time
from collections import deque
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    FrozenSet,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Tuple,
    Union,
)

PROTOCOL = 1
VERSION = 1  # of a state's file
CHUNK = 1024 * 1024  # bytes to read at once
BLOCK = 8 * 1024 * 1024  # large files are stored in blocks of this size
LARGE = 64 * 1024 * 1024  # what is larger is stored in blocks
GAP = 64 * 1024  # shorter holes are stored as the zeros that they read as
TRIES = 3  # so often a file that changes while it is read is read
RACY = 2 * 10**9  # ns: what changed so shortly before a save is read again by the next one
DEPTH = 900  # directories above each other
LINE = 64 * 1024 * 1024  # bytes of one line of a state
REQUEST = 1024 * 1024  # bytes of one line of stdin
SHOWN = 200  # problems that an answer names; the rest is counted
TICK = 0.5  # seconds between two lines of progress
BATCH = 200  # entries in one line of `files`
RECORD = 48  # bytes of an index: sha256, offset, size
NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,80}\Z")  # of a pack or a state
HEX = re.compile(r"[0-9a-f]{64}\Z")
ASIDE = b".fluxstate-aside-"
PART = b".fluxstate-part-"
USTAR = sum(b"ustar00") + 8 * 32  # what is the same in the checksums of all headers
KEPT_XATTRS = (b"user.", b"system.posix_acl_")
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
OTHERS = {
    stat.S_IFSOCK: "socket",
    stat.S_IFIFO: "fifo",
    stat.S_IFBLK: "device",
    stat.S_IFCHR: "device",
}

# (offset in the file, size, sha256, pack, offset in the pack)
Piece = Tuple[int, int, str, str, int]


class RequestError(Exception):
    """What was asked cannot be done. `kind` is for the other side, the words are for people."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind
        self.words = words


class CancelledError(Exception):
    """Stdin was closed, or nobody reads what is said."""


def shown(path: bytes) -> str:
    """As it travels."""
    return path.decode("utf-8", "surrogateescape")


def taken(path: Any) -> bytes:
    """A path that came, as the bytes that it was."""
    if not isinstance(path, str):
        raise RequestError("damaged", "a path is no text")
    return path.encode("utf-8", "surrogateescape")


def words(error: OSError) -> str:
    """The system's own words."""
    return str(error.strerror or error)


class Channel:
    """Both directions: a thread reads stdin, so that its end is noticed in the middle of work."""

    def __init__(self) -> None:
        self.closed = False
        self.request = 0
        self.files = self.octets = 0
        self._told = 0.0
        self._lines: Deque[bytes] = deque()
        self._ready = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        while True:
            try:
                data = os.read(0, 65536)
            except OSError:
                data = b""
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            with self._ready:
                self._lines.extend(line for line in lines if line.strip())
                self.closed = self.closed or not data or len(rest) > REQUEST
                self._ready.notify()
            if self.closed:
                return

    def next(self) -> Optional[bytes]:
        """The next request; None at the end."""
        with self._ready:
            while not self._lines and not self.closed:
                self._ready.wait(1.0)  # so that a signal is handled
            return self._lines.popleft() if self._lines else None

    def check(self) -> None:
        """Raise CancelledError when nobody waits for it any more."""
        if self.closed:
            raise CancelledError()

    def send(self, line: str, **fields: Any) -> None:
        """Write one line, whole (ASCII, so that no transport can spoil it)."""
        fields.update(t=line, id=self.request)
        rest = json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            while rest:
                rest = rest[os.write(1, rest) :]
        except OSError:
            self.closed = True
            raise CancelledError()

    def begin(self, request: int) -> None:
        """From now on it is about that request."""
        self.request, self.files, self.octets, self._told = request, 0, 0, 0.0

    def count(self, files: int, octets: int) -> None:
        """So much more was done; that is said at once, and then now and then."""
        self.files += files
        self.octets += octets
        now = time.monotonic()
        if now - self._told >= TICK:
            self._told = now
            self.send("progress", files=self.files, bytes=self.octets)
        self.check()


class Trouble:
    """What could not be done to single paths: counted, and the first ones named."""

    def __init__(self) -> None:
        self.count = 0
        self.named: List[Dict[str, str]] = []

    def note(self, kind: str, path: bytes, why: str = "") -> None:
        """One more."""
        self.count += 1
        if len(self.named) < SHOWN:
            self.named.append({"kind": kind, "path": shown(path), "why": why})


# -- directories ------------------------------------------------------------------------------


def components(path: bytes) -> List[bytes]:
    """Of an absolute path in its shortest form. Raises RequestError for any other one."""
    parts = path.split(b"/")
    if parts[0] or b"\0" in path:
        raise RequestError("path", "%s is no absolute path" % shown(path))
    if path == b"/":
        return []
    if any(part in (b"", b".", b"..") for part in parts[1:]):
        raise RequestError("path", "%s has a part that leads elsewhere" % shown(path))
    return parts[1:]


def below(mount: bytes, path: bytes) -> List[bytes]:
    """The parts of `path` below the mount point."""
    top, parts = components(mount), components(path)
    if parts[: len(top)] != top:
        raise RequestError(
            "path", "%s does not lie on the volume at %s" % (shown(path), shown(mount))
        )
    return parts[len(top) :]


def enter(folder: int, name: bytes, path: bytes) -> int:
    """Open a directory in `folder`, which is no link. Raises RequestError, or FileNotFoundError."""
    try:
        return os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise RequestError("link", "%s is a link or no directory" % shown(path))
        raise RequestError("unreadable", "%s: %s" % (shown(path), words(error)))


def open_folder(place: Any, make: bool = False) -> int:
    """The directory of `[MOUNT, PATH]`, reached over no link below the mount point."""
    mount, path = taken(place[0]), taken(place[1])
    parts = below(mount, path)
    try:
        folder = os.open(mount, FOLDER)
    except OSError as error:
        raise RequestError("missing", "%s: %s" % (shown(mount), words(error)))
    for part in parts:
        try:
            try:
                inner = enter(folder, part, path)
            except FileNotFoundError:
                if not make:
                    raise RequestError("missing", "there is no directory %s" % shown(path))
                os.mkdir(part, 0o700, dir_fd=folder)
                inner = enter(folder, part, path)
        except OSError as error:
            raise RequestError("unwritable", "%s: %s" % (shown(path), words(error)))
        finally:
            os.close(folder)
        folder = inner
    return folder


def mount_points() -> FrozenSet[bytes]:
    """Where something is mounted, in this container's own view."""
    found = set()
    try:
        with open("/proc/self/mountinfo", "rb") as table:
            for line in table:
                point = line.split(b" ")[4]
                found.add(re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m.group(1), 8)]), point))
    except OSError:
        pass
    return frozenset(found)


def names_in(folder: int) -> List[bytes]:
    """Sorted, as bytes."""
    return sorted(os.fsencode(name) for name in os.listdir(folder))


class Found(NamedTuple):
    """A path that the walk came to; `folder` is open as long as its parent is walked."""

    path: bytes
    name: bytes
    folder: int
    info: os.stat_result
    other: str  # why it is not stored: a kind of OTHERS, or `mount`


class Walk:
    """Everything below a directory, in the order of its parts, over no link and no mount point."""

    def __init__(self, place: Any, trouble: Trouble, exclude: "Exclude") -> None:
        self.path = taken(place[1])
        self._top = open_folder(place)
        self._trouble = trouble
        self._exclude = exclude
        self._device = os.fstat(self._top).st_dev
        # Where it really is, for the mount point itself may be reached over a link.
        real = os.fsencode(os.readlink("/proc/self/fd/%d" % self._top)).rstrip(b"/") + b"/"
        self._mounts = frozenset(
            join(self.path, [point[len(real) :]])
            for point in mount_points()
            if point.startswith(real)
        )

    def __iter__(self) -> Iterator[Found]:
        info = os.fstat(self._top)
        yield Found(self.path, b"", self._top, info, "")
        stack = [(self._top, self.path, iter(names_in(self._top)))]
        try:
            while stack:
                folder, path, names = stack[-1]
                for name in names:
                    found = self._look(folder, path, name)
                    if found is None:
                        continue
                    yield found
                    if stat.S_ISDIR(found.info.st_mode) and not found.other:
                        inner = self._enter(found, len(stack))
                        if inner is not None:
                            stack.append(inner)
                            break
                else:
                    os.close(folder)
                    stack.pop()
        finally:
            for folder, _, _ in stack:
                os.close(folder)

    def _look(self, folder: int, path: bytes, name: bytes) -> Optional[Found]:
        if name.startswith(PART) or (name.startswith(ASIDE) and path == self.path):
            return None
        here = (b"" if path == b"/" else path) + b"/" + name
        if self._exclude.hits(here, here[len(self.path) :].lstrip(b"/"), name):
            return None
        try:
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            self._trouble.note("vanished", here)
            return None
        except OSError as error:
            self._trouble.note("unreadable", here, words(error))
            return None
        if self._exclude.is_store(info):
            return None
        other = OTHERS.get(stat.S_IFMT(info.st_mode), "")
        if info.st_dev != self._device or here in self._mounts:
            other = "mount"
        return Found(here, name, folder, info, other)

    def _enter(self, found: Found, depth: int) -> Any:
        if depth >= DEPTH:
            self._trouble.note("too deep", found.path)
            return None
        try:
            inner = enter(found.folder, found.name, found.path)
        except FileNotFoundError:
            self._trouble.note("vanished", found.path)
            return None
        except RequestError as failure:
            self._trouble.note(failure.kind, found.path, failure.words)
            return None
        try:
            return inner, found.path, iter(names_in(inner))
        except OSError as error:
            os.close(inner)
            self._trouble.note("unreadable", found.path, words(error))
            return None


class Exclude:
    """What does not belong to a state: patterns, paths (the catalog), and the store itself."""

    def __init__(self, request: Dict[str, Any], store: Optional[Tuple[int, int]]) -> None:
        self._patterns = [taken(one) for one in request.get("exclude") or []]
        self._paths = frozenset(taken(one) for one in request.get("skip") or [])
        self._store = store

    def hits(self, path: bytes, inside: bytes, name: bytes) -> bool:
        """Whether a pattern hits the name or the path below the directory that is saved."""
        if path in self._paths:
            return True
        return bool(self._patterns) and any(
            fnmatch.fnmatchcase(inside, one) or fnmatch.fnmatchcase(name, one)
            for one in self._patterns
        )

    def is_store(self, info: os.stat_result) -> bool:
        """Whether that is the store."""
        return (info.st_dev, info.st_ino) == self._store


# -- files ------------------------------------------------------------------------------------


def read_at(file: int, offset: int, size: int) -> bytes:
    """All of it, or less at the end of the file."""
    data = os.pread(file, size, offset)
    if len(data) == size or not data:
        return data
    parts, have = [data], len(data)
    while have < size:
        data = os.pread(file, size - have, offset + have)
        if not data:
            break
        parts.append(data)
        have += len(data)
    return b"".join(parts)


def write_at(file: int, data: bytes, offset: int) -> None:
    """All of it."""
    view = memoryview(data)
    while view:
        done = os.pwrite(file, view, offset)
        view, offset = view[done:], offset + done


def is_sparse(info: os.stat_result) -> bool:
    """Whether it takes less room than it is long."""
    return info.st_size > GAP and info.st_blocks * 512 < info.st_size


def segments(file: int, size: int) -> Iterator[Tuple[int, int]]:
    """Where it has data: (begin, end); holes shorter than GAP count as data."""
    begin = end = -1
    position = 0
    while position < size:
        try:
            first = os.lseek(file, position, os.SEEK_DATA)
            position = os.lseek(file, first, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole is left
                break
            first, position = position, size  # it knows no holes
        if begin >= 0 and first - end < GAP:
            end = position
            continue
        if begin >= 0:
            yield begin, min(end, size)
        begin, end = first, position
    if 0 <= begin < size:
        yield begin, min(end, size)


def blocks(file: int, info: os.stat_result) -> Iterator[Tuple[int, int]]:
    """(offset, size) of what is stored of a large or sparse file: no block crosses a border."""
    for begin, end in segments(file, info.st_size) if is_sparse(info) else [(0, info.st_size)]:
        while begin < end:
            stop = min(end, begin - begin % BLOCK + BLOCK)
            yield begin, stop - begin
            begin = stop


def same(one: os.stat_result, two: os.stat_result) -> bool:
    """Whether a file is as it was, as far as its stamps tell."""
    return (
        one.st_mtime_ns == two.st_mtime_ns
        and one.st_ctime_ns == two.st_ctime_ns
        and one.st_size == two.st_size
        and one.st_ino == two.st_ino
        and one.st_dev == two.st_dev
    )


def xattrs_of(file: int) -> Dict[str, str]:
    """The attributes that are kept, base64 coded."""
    try:
        names = os.listxattr(file)
    except OSError:
        return {}
    found = {}
    for name in names:
        if os.fsencode(name).startswith(KEPT_XATTRS):
            try:
                value = os.getxattr(file, name)
            except OSError:
                continue
            found[shown(os.fsencode(name))] = base64.b64encode(value).decode("ascii")
    return found


# -- the store --------------------------------------------------------------------------------


class Store:
    """The folder of packs and states. With `writes` it is made, locked, and rid of remains."""

    def __init__(self, place: Any, writes: bool) -> None:
        self.folder = open_folder(place, make=writes)
        self._fds = [self.folder]
        try:
            info = os.fstat(self.folder)
            self.identity = (info.st_dev, info.st_ino)
            if writes:
                self._lock()
            self.packs = self._open(b"packs", writes)
            self.states = self._open(b"states", writes)
            if writes:
                self._clean()
        except BaseException:
            self.close()
            raise

    def _open(self, name: bytes, make: bool) -> int:
        if make:
            try:
                os.mkdir(name, 0o700, dir_fd=self.folder)
            except FileExistsError:
                pass
            except OSError as error:
                raise RequestError("unwritable", "the store cannot be written: %s" % words(error))
        try:
            folder = enter(self.folder, name, name)
        except FileNotFoundError:
            raise RequestError("missing", "there are no states here yet")
        self._fds.append(folder)
        return folder

    def _lock(self) -> None:
        try:
            fcntl.flock(self.folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise RequestError("locked", "another program is writing to these states")
            # Some network file systems have no locks: the Lease of the other side has to do.

    def _clean(self) -> None:
        """What a killed save left. Nobody else writes: the lock is held."""
        for folder in (self.packs, self.states):
            for name in names_in(folder):
                if name.startswith(PART):
                    os.unlink(name, dir_fd=folder)

    def close(self) -> None:
        """Gives the lock back as well."""
        for folder in self._fds:
            os.close(folder)
        self._fds = []

    def state_ids(self) -> List[str]:
        """Newest last, as their names say."""
        found = [shown(name) for name in names_in(self.states)]
        names = [name[: -len(".jsonl")] for name in found if name.endswith(".jsonl")]
        return [name for name in names if NAME.match(name)]

    def pack_ids(self) -> List[str]:
        """Those that have an index."""
        found = [shown(name) for name in names_in(self.packs)]
        there = frozenset(found)
        names = [name[: -len(".idx")] for name in found if name.endswith(".idx")]
        return [name for name in names if NAME.match(name) and name + ".tar" in there]

    def open_pack(self, name: str) -> Tuple[int, int]:
        """Its descriptor and its size. Raises RequestError."""
        if not NAME.match(name):
            raise RequestError("damaged", "%s is no name of a pack" % name[:100])
        return open_regular(self.packs, (name + ".tar").encode("ascii"), "pack %s" % name)


def open_regular(folder: int, name: bytes, what: str) -> Tuple[int, int]:
    """A regular file that is no link, and its size. Raises RequestError."""
    try:
        file = os.open(name, READ, dir_fd=folder)
    except FileNotFoundError:
        raise RequestError("missing", "%s is missing" % what)
    except OSError as error:
        raise RequestError("unreadable", "%s: %s" % (what, words(error)))
    info = os.fstat(file)
    if not stat.S_ISREG(info.st_mode):
        os.close(file)
        raise RequestError("damaged", "%s is no regular file" % what)
    return file, info.st_size


class NewFile:
    """A file under a temporary name, until `enter` gives it its own; `close` throws it away."""

    def __init__(self, folder: int) -> None:
        self.folder = folder
        self.part = PART + binascii.hexlify(os.urandom(8))
        self.file = os.fdopen(os.open(self.part, NEW, 0o600, dir_fd=folder), "w+b", CHUNK)
        self._there = True

    def enter(self, name: bytes) -> None:
        """Flush it, name it, flush the folder. Never overwrites. Raises OSError."""
        self.file.flush()
        os.fsync(self.file.fileno())
        give_name(self.folder, self.part, name)
        self._there = False
        self.file.close()
        os.fsync(self.folder)

    def close(self) -> None:
        """Nothing is left of it, unless it was entered."""
        if self._there:
            self._there = False
            try:
                self.file.close()
            except OSError:
                pass  # the rest of its buffer did not fit
            os.unlink(self.part, dir_fd=self.folder)


def give_name(folder: int, part: bytes, name: bytes) -> None:
    """A complete temporary file gets its name. Raises FileExistsError if that is taken."""
    try:
        os.link(part, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
    else:
        os.unlink(part, dir_fd=folder)
        return
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        raise FileExistsError(errno.EEXIST, "it exists", shown(name))


class Index:
    """Where a content lies in the packs, by its sha256."""

    def __init__(self, store: Store) -> None:
        self.names = store.pack_ids()
        records: List[bytes] = []
        for number, name in enumerate(self.names):
            records.extend(self._read(store, number, name))
        records.sort()
        # One piece of memory: as objects, a million contents would take several times as much.
        self._records = b"".join(records)
        self._new: Dict[bytes, Tuple[str, int]] = {}

    def _read(self, store: Store, number: int, name: str) -> Iterator[bytes]:
        try:
            pack, size = store.open_pack(name)
            os.close(pack)
            index, _length = open_regular(store.packs, (name + ".idx").encode("ascii"), name)
        except RequestError:
            return  # its contents are simply stored once more
        with os.fdopen(index, "rb") as file:
            while True:
                record = file.read(RECORD)
                if len(record) < RECORD:
                    return
                offset = int.from_bytes(record[32:40], "big")
                if offset + int.from_bytes(record[40:], "big") <= size:
                    yield record + number.to_bytes(4, "big")

    def find(self, digest: bytes, size: int) -> Optional[Tuple[str, int]]:
        """(pack, offset), or None."""
        if digest in self._new:
            return self._new[digest]
        step = RECORD + 4
        low, high = 0, len(self._records) // step
        wanted = digest
        while low < high:
            middle = (low + high) // 2
            if self._records[middle * step : middle * step + 32] < wanted:
                low = middle + 1
            else:
                high = middle
        record = self._records[low * step : (low + 1) * step]
        if record[:32] != digest or int.from_bytes(record[40:48], "big") != size:
            return None
        return self.names[int.from_bytes(record[48:], "big")], int.from_bytes(record[32:40], "big")

    def add(self, digest: bytes, pack: str, offset: int) -> None:
        """A content of the pack that is being written."""
        self._new[digest] = (pack, offset)

    def forget(self, digest: bytes) -> None:
        """It was cut off that pack again."""
        self._new.pop(digest, None)


def header(name: bytes, info: os.stat_result, size: int, kind: bytes, link: bytes = b"") -> bytes:
    """A member's header: ustar, with a pax header before it where ustar has no room."""
    records = b""
    if len(name) > 100:
        records += record(b"path", name)
    if len(link) > 100:
        records += record(b"linkpath", link)
    for key, number in ((b"uid", info.st_uid), (b"gid", info.st_gid)):
        if number >= 8**7:
            records += record(key, b"%d" % number)
    extended = b""
    if records:
        pax = (b"././@PaxHeader", 0o644, 0, 0, len(records), 0, b"x", b"")
        extended = ustar(*pax) + records + b"\0" * (-len(records) % 512)
    mtime = min(max(int(info.st_mtime), 0), 8**11 - 1)
    owner = (info.st_uid if info.st_uid < 8**7 else 0, info.st_gid if info.st_gid < 8**7 else 0)
    mode = info.st_mode & 0o7777
    return extended + ustar(name[:100], mode, owner[0], owner[1], size, mtime, kind, link[:100])


def record(key: bytes, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE`, where the length counts itself."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def ustar(
    name: bytes, mode: int, uid: int, gid: int, size: int, mtime: int, kind: bytes, link: bytes
) -> bytes:
    """512 bytes."""
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, size, mtime)
    rest = kind + link.ljust(100, b"\0") + b"ustar\x0000"
    total = sum(name) + sum(numbers) + sum(kind) + sum(link) + USTAR
    return (name.ljust(100, b"\0") + numbers + b"%06o\0 " % total + rest).ljust(512, b"\0")


class Pack:
    """The pack of one save. It is made when there is something to put in."""

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self.size = 0
        self.contents = 0
        self._store = store
        self._new: Optional[NewFile] = None
        self._index: Optional[NewFile] = None

    def put(self, head: bytes, data: bytes) -> int:
        """A whole member; where its data begins."""
        offset = self.begin(head)
        self.go_on(data)
        self.pad(len(data))
        return offset

    def begin(self, head: bytes) -> int:
        """A member whose data follows; where that begins."""
        if self._new is None:
            self._new = NewFile(self._store.packs)
        self._new.file.write(head)
        self.size += len(head)
        return self.size

    def go_on(self, data: bytes) -> None:
        """More data of it."""
        assert self._new is not None
        self._new.file.write(data)
        self.size += len(data)

    def pad(self, size: int) -> None:
        """Its end, after `size` bytes."""
        self.go_on(b"\0" * (-size % 512))

    def cut(self, size: int) -> None:
        """Take back what came after that size."""
        if self._new is not None and size < self.size:
            self._new.file.seek(size)
            self._new.file.truncate()
            self.size = size

    def note(self, digest: bytes, offset: int, size: int) -> None:
        """For the index of the pack, once it is sure to stay."""
        if self._index is None:
            self._index = NewFile(self._store.packs)
        self._index.file.write(digest + offset.to_bytes(8, "big") + size.to_bytes(8, "big"))
        self.contents += 1

    def enter(self) -> None:
        """The pack first, then its index."""
        if self._new is None or not self.size:
            return
        self.go_on(b"\0" * 1024)
        self._new.enter((self.name + ".tar").encode("ascii"))
        if self._index is not None:
            self._index.enter((self.name + ".idx").encode("ascii"))

    def close(self) -> None:
        """Nothing is left that was not entered."""
        for one in (self._new, self._index):
            if one is not None:
                one.close()


# -- states -----------------------------------------------------------------------------------


class Entry(NamedTuple):
    """One path of a state, checked. `pieces` are those of a file, in order; gaps are holes."""

    kind: str
    path: bytes
    parts: List[bytes]
    mode: int
    uid: int
    gid: int
    mtime: int
    ctime: int
    inode: int
    size: int
    links: int
    pieces: List[Piece]
    target: bytes
    xattrs: Dict[str, str]
    unstable: bool


def number(value: Any, most: int = 2**63 - 1) -> int:
    """A whole number from 0 on. Raises RequestError."""
    if type(value) is not int or not 0 <= value <= most:
        raise RequestError("damaged", "a number of the state makes no sense")
    return int(value)


def entry_of(fields: Dict[str, Any]) -> Entry:
    """A line of a state. Raises RequestError when it is none."""
    try:
        path = taken(fields["path"])
        mtime = fields["mtime"]
        if type(mtime) is not int or not -(2**63) <= mtime < 2**63:
            raise RequestError("damaged", "a time of the state makes no sense")
        size = number(fields.get("size", 0))
        xattrs = fields.get("xattrs") or {}
        if not isinstance(xattrs, dict):
            raise RequestError("damaged", "attributes of the state make no sense")
        return Entry(
            kind=str(fields["kind"]),
            path=path,
            parts=components(path),
            mode=number(fields["mode"], 0o7777),
            uid=number(fields["uid"], 2**32 - 2),
            gid=number(fields["gid"], 2**32 - 2),
            mtime=mtime,
            ctime=number(fields["ctime"]),
            inode=number(fields["inode"], 2**64 - 1),
            size=size,
            links=number(fields.get("links", 1)),
            pieces=pieces_of(fields.get("pieces") or [], size),
            target=taken(fields.get("target") or ""),
            xattrs=xattrs,
            unstable=fields.get("unstable") is True,
        )
    except (KeyError, TypeError, ValueError, IndexError, UnicodeError):
        raise RequestError("damaged", "an entry of the state makes no sense")


def pieces_of(found: Any, size: int) -> List[Piece]:
    """Checked: in order, without overlap, within the file."""
    pieces: List[Piece] = []
    end = 0
    for offset, length, digest, pack, begin in found:
        number(offset), number(length), number(begin)
        good = isinstance(digest, str) and HEX.match(digest) and isinstance(pack, str)
        if not good or not NAME.match(pack) or offset < end or offset + length > size:
            raise RequestError("damaged", "a piece of the state makes no sense")
        end = offset + length
        pieces.append((offset, length, digest, pack, begin))
    return pieces


class State:
    """A state that is read. Raises RequestError where it is not what it should be."""

    def __init__(self, store: Store, name: str) -> None:
        if not NAME.match(name):
            raise RequestError("missing", "there is no state %s" % name[:100])
        self.name = name
        file, self.length = open_regular(
            store.states, (name + ".jsonl").encode("ascii"), "state %s" % name
        )
        self._file = os.fdopen(file, "rb", CHUNK)
        try:
            self.head = self._parsed(self._file.readline(LINE))
            if self.head.get("kind") != "state" or self.head.get("version") != VERSION:
                raise RequestError("damaged", "state %s is of another version" % name)
            self.roots = [(taken(one[0]), taken(one[1])) for one in self.head["roots"]]
            self.started = number(self.head["started"])
        except (KeyError, TypeError, IndexError):
            self.close()
            raise RequestError("damaged", "the head of state %s makes no sense" % name)
        except RequestError:
            self.close()
            raise
        self.end: Dict[str, Any] = {}
        self.sha256 = ""

    def close(self) -> None:
        """No more is read."""
        self._file.close()

    def _parsed(self, line: bytes) -> Dict[str, Any]:
        try:
            fields = json.loads(line.decode("ascii"))
        except (ValueError, RecursionError):
            raise RequestError("damaged", "state %s cannot be read" % self.name)
        if not isinstance(fields, dict):
            raise RequestError("damaged", "state %s cannot be read" % self.name)
        return fields

    def last(self) -> Dict[str, Any]:
        """The end line alone, unchecked: for lists."""
        self._file.seek(max(0, self.length - CHUNK))
        lines = self._file.read(CHUNK).split(b"\n")
        if len(lines) < 2 or lines[-1]:
            raise RequestError("damaged", "state %s is cut off" % self.name)
        return self._parsed(lines[-2])

    def check(self, parse: bool = True) -> str:
        """Read it all: checksum and, to `parse`, entries. Gives the checksum of the whole file."""
        for _ in self.entries() if parse else self.raw_lines():
            pass
        return self.sha256

    def raw_lines(self) -> Iterator[bytes]:
        """The lines between head and end; after the last one `end` and `sha256` are known."""
        self._file.seek(0)
        digest = hashlib.sha256()
        held = b""  # the end is known to be one when nothing follows it
        for number in itertools.count():
            line = self._file.readline(LINE)
            if not line:
                break
            if not line.endswith(b"\n"):
                raise RequestError("damaged", "state %s is cut off" % self.name)
            if number:
                digest.update(held)
            if number > 1:
                yield held
            held = line
        fields = self._parsed(held)
        before = digest.hexdigest()
        digest.update(held)
        if fields.get("kind") != "end" or fields.get("sha256") != before:
            raise RequestError("damaged", "state %s was changed or damaged" % self.name)
        self.end, self.sha256 = fields, digest.hexdigest()

    def lines(self) -> Iterator[Dict[str, Any]]:
        """The same, parsed."""
        for line in self.raw_lines():
            yield self._parsed(line)

    def entries(self) -> Iterator[Entry]:
        """The same, checked one by one."""
        for fields in self.lines():
            yield entry_of(fields)


class NewState:
    """A state that is written."""

    def __init__(self, store: Store, name: str, head: Dict[str, Any]) -> None:
        self._new = NewFile(store.states)
        self._digest = hashlib.sha256()
        self._name = name
        self.entries = -1
        self.sha256 = ""
        self.line(dict(head, kind="state", version=VERSION, id=name))

    def line(self, fields: Dict[str, Any]) -> None:
        """One entry."""
        line = ENCODE(fields).encode("ascii") + b"\n"
        if len(line) >= LINE:
            raise RequestError("unreadable", "%s has too many pieces" % fields.get("path"))
        self.raw(line)

    def raw(self, line: bytes) -> None:
        """One line, as it stands."""
        self._digest.update(line)
        self._new.file.write(line)
        self.entries += 1

    def enter(self, end: Dict[str, Any]) -> None:
        """Its end, and its name."""
        self.line(dict(end, kind="end", entries=self.entries, sha256=self._digest.hexdigest()))
        self.sha256 = self._digest.hexdigest()
        self._new.enter((self._name + ".jsonl").encode("ascii"))

    def close(self) -> None:
        """Nothing is left, unless it was entered."""
        self._new.close()


class Known(NamedTuple):
    """A line of the state before: as it stands, and what it says."""

    line: bytes
    fields: Dict[str, Any]
    parts: List[bytes]


class Previous:
    """The state before, read beside the walk: both are in the same order."""

    def __init__(self, store: Store) -> None:
        self.name = ""
        self.started = 0
        self._state: Optional[State] = None
        self._next: Optional[Known] = None
        for name in reversed(store.state_ids()):
            try:
                state = State(store, name)
            except RequestError:
                continue
            try:
                for _ in state.raw_lines():
                    pass
            except RequestError:  # what is damaged tells nothing; the one before it may
                state.close()
                continue
            self._state, self.name, self.started = state, name, state.started
            self._lines = state.raw_lines()
            self._advance()
            return

    def _advance(self) -> None:
        self._next = None
        try:
            line = next(self._lines, None)
            if line is not None:
                fields = json.loads(line.decode("ascii"))
                self._next = Known(line, fields, taken(fields["path"]).split(b"/"))
        except (RequestError, RecursionError, ValueError, TypeError, KeyError):
            pass  # the rest tells nothing

    def find(self, path: bytes) -> Optional[Known]:
        """The entry of that path; paths have to come in order."""
        parts = path.split(b"/")
        while self._next is not None and self._next.parts < parts:
            self._advance()
        return self._next if self._next is not None and self._next.parts == parts else None

    def unchanged(self, known: Known, info: os.stat_result) -> bool:
        """Whether the stamps of a file say so, and are old enough to be believed."""
        fields, newest = known.fields, self.started - RACY
        return (
            fields.get("ctime") == info.st_ctime_ns < newest
            and fields.get("mtime") == info.st_mtime_ns < newest
            and fields.get("inode") == info.st_ino
            and fields.get("size") == info.st_size
            and fields.get("kind") == "file"
            and fields.get("mode") == info.st_mode & 0o7777
            and fields.get("uid") == info.st_uid
            and fields.get("gid") == info.st_gid
            and "unstable" not in fields
        )

    def close(self) -> None:
        """It is not needed any more."""
        if self._state is not None:
            self._state.close()


# -- save -------------------------------------------------------------------------------------


class ChangingError(Exception):
    """The file changed while it was read."""


class Save:
    """One save: the walk, the pack, the state."""

    def __init__(self, channel: Channel, store: Store, request: Dict[str, Any]) -> None:
        self.channel, self.store, self.request = channel, store, request
        self.trouble = Trouble()
        self.counts = {"files": 0, "bytes": 0, "read": 0, "new": 0, "others": 0}
        self._links: Dict[Tuple[int, int], bytes] = {}
        self._fresh: List[Tuple[bytes, int, int]] = []  # contents that may be cut off again
        self._packs: Dict[str, int] = {}
        self._lengths: Dict[str, int] = {}  # of earlier packs

    def run(self) -> Dict[str, Any]:
        """Walk and write; what was written."""
        roots = sorted(self.request["roots"], key=lambda one: components(taken(one[1])))
        disjoint([taken(one[1]) for one in roots])
        exclude = Exclude(self.request, self.store.identity)
        self.index, self.previous = Index(self.store), Previous(self.store)
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        name = moment + "-" + binascii.hexlify(os.urandom(4)).decode("ascii")
        self.pack = Pack(self.store, name)
        state: Optional[NewState] = None
        try:
            started = now_of(self.store)
            head = {"started": started, "roots": roots, "previous": self.previous.name}
            state = NewState(self.store, name, dict(head, about=self.request.get("about") or {}))
            for root in roots:
                for found in Walk(root, self.trouble, exclude):
                    fields = self._one(found)
                    if isinstance(fields, bytes):
                        state.raw(fields)
                    elif fields is not None:
                        state.line(fields)
            self.channel.check()
            self.pack.enter()
            for pack in self._packs:
                file, self._packs[pack] = self.store.open_pack(pack)
                os.close(file)
            end = dict(self.counts, complete=self.trouble.count == 0, packs=self._packs)
            end.update(problems=self.trouble.count, named=self.trouble.named[:20])
            end.update(packed=self.pack.size, finished=int(time.time() * 1e9))
            state.enter(end)
        finally:
            self.previous.close()
            self.pack.close()
            if state is not None:
                state.close()
        return dict(end, id=name, sha256=state.sha256, named=self.trouble.named)

    def _one(self, found: Found) -> Union[bytes, Dict[str, Any], None]:
        info, mode = found.info, found.info.st_mode
        if found.other:
            self.counts["others"] += 1
            return dict(stamps("other", found.path, info), target=found.other)
        before = self.previous.find(found.path)
        if stat.S_ISDIR(mode):
            return self._folder(found, before)
        if stat.S_ISLNK(mode):
            return self._symlink(found, before)
        key = (info.st_dev, info.st_ino)
        if info.st_nlink > 1 and key in self._links:
            return self._hard_link(found, self._links[key], before)
        if before is not None and self.previous.unchanged(before, info):
            line = self._unread(before, info)
            if line is not None:
                if info.st_nlink > 1:
                    self._links[key] = found.path
                return line
        fields = self._file(found)
        if fields is not None and info.st_nlink > 1:
            self._links[key] = found.path
            fields["links"] = info.st_nlink
        return fields

    def _folder(self, found: Found, before: Optional[Known]) -> Dict[str, Any]:
        fields = stamps("folder", found.path, found.info)
        if found.name:
            try:
                folder = enter(found.folder, found.name, found.path)
            except (RequestError, OSError):
                folder = -1  # the walk is going to say so
        else:
            folder = os.dup(found.folder)
        if folder >= 0:
            xattrs = xattrs_of(folder)
            os.close(folder)
            if xattrs:
                fields["xattrs"] = xattrs
        if not says(before, kind="folder", ctime=found.info.st_ctime_ns):
            self._link_member(found, b"5", found.path + b"/", b"")
        return fields

    def _symlink(self, found: Found, before: Optional[Known]) -> Optional[Dict[str, Any]]:
        try:
            target = os.fsencode(os.readlink(found.name, dir_fd=found.folder))
        except OSError as error:
            self.trouble.note("vanished", found.path, words(error))
            return None
        if not says(before, kind="symlink", target=shown(target)):
            self._link_member(found, b"2", found.path, target)
        self.channel.count(1, 0)
        return dict(stamps("symlink", found.path, found.info), target=shown(target))

    def _hard_link(self, found: Found, first: bytes, before: Optional[Known]) -> Dict[str, Any]:
        if not says(before, kind="link", target=shown(first)):
            self._link_member(found, b"1", found.path, first.lstrip(b"/"))
        self.channel.count(1, 0)
        return dict(stamps("link", found.path, found.info), target=shown(first))

    def _link_member(self, found: Found, kind: bytes, path: bytes, target: bytes) -> None:
        self.pack.begin(header(path.lstrip(b"/") or b"./", found.info, 0, kind, target))

    def _file(self, found: Found) -> Optional[Dict[str, Any]]:
        try:
            file = os.open(found.name, READ, dir_fd=found.folder)
        except OSError as error:
            kind = "vanished" if error.errno == errno.ENOENT else "unreadable"
            self.trouble.note(kind, found.path, words(error))
            return None
        try:
            return self._read(found, file)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.trouble.note("unreadable", found.path, words(error))
            return None
        finally:
            os.close(file)

    def _unread(self, before: Known, info: os.stat_result) -> Optional[bytes]:
        """The line of an unchanged file, if the packs that it names are long enough."""
        fields = before.fields
        if fields.get("links", 1) != info.st_nlink:
            return None
        try:
            pieces = pieces_of(fields["pieces"], info.st_size)
            for piece in pieces:
                if piece[3] not in self._lengths:
                    file, self._lengths[piece[3]] = self.store.open_pack(piece[3])
                    os.close(file)
                if piece[4] + piece[1] > self._lengths[piece[3]]:
                    return None
        except (RequestError, KeyError, TypeError, ValueError):
            return None
        for piece in pieces:
            self._packs.setdefault(piece[3], 0)
        self._counted(info.st_size, 0, 0)
        return before.line

    def _read(self, found: Found, file: int) -> Dict[str, Any]:
        for attempt in range(TRIES):
            info = os.fstat(file)
            if not stat.S_ISREG(info.st_mode):
                raise OSError(errno.EINVAL, "it is no regular file any more")
            size = self.pack.size
            self._fresh = []
            try:
                last = attempt == TRIES - 1
                pieces, read, unstable = self._pieces(found.path, file, info, last)
                break
            except ChangingError:
                self._undo(size)
            except BaseException:
                self._undo(size)
                raise
        else:
            raise AssertionError("unreachable")
        for digest, offset, length in self._fresh:
            self.pack.note(digest, offset, length)
        fresh = sum(length for _, _, length in self._fresh)
        if unstable:
            self.trouble.note("unstable", found.path, "it changed while it was read")
        fields = stamps("file", found.path, info)
        fields.update(size=info.st_size, pieces=pieces)
        xattrs = xattrs_of(file)
        if xattrs:
            fields["xattrs"] = xattrs
        if unstable:
            fields["unstable"] = True
        self._counted(info.st_size, read, fresh)
        return fields

    def _undo(self, size: int) -> None:
        for digest, _, _ in self._fresh:
            self.index.forget(digest)
        self.pack.cut(size)

    def _counted(self, size: int, read: int, fresh: int) -> None:
        self.counts["files"] += 1
        self.counts["bytes"] += size
        self.counts["read"] += read
        self.counts["new"] += fresh
        self.channel.count(1, 0 if read else size)

    def _pieces(
        self, path: bytes, file: int, info: os.stat_result, last: bool
    ) -> Tuple[List[Piece], int, bool]:
        """What is stored of it, and how much was read. Raises ChangingError unless it is `last`."""
        whole = info.st_size <= LARGE and not is_sparse(info)
        pieces: List[Piece] = []
        read = 0
        name = path.lstrip(b"/")
        plan = [(0, info.st_size)] if whole else blocks(file, info)
        changed = False
        for offset, size in plan:
            head_name = name if whole else name + b".parts/%016d" % offset
            if size <= BLOCK:
                piece = self._small(head_name, file, info, offset, size)
            else:
                piece = self._stream(head_name, file, info, size)
            read += size
            if piece is None:
                changed = True
                break
            if size:
                pieces.append(piece)
        changed = changed or not same(info, os.fstat(file))
        if changed and not last:
            raise ChangingError()
        return pieces, read, changed

    def _small(
        self, name: bytes, file: int, info: os.stat_result, offset: int, size: int
    ) -> Optional[Piece]:
        data = read_at(file, offset, size + 1 if offset + size == info.st_size else size)
        if len(data) != size:
            return None
        digest = hashlib.sha256(data)
        known = self.index.find(digest.digest(), size)
        self.channel.count(0, size)
        if known is None:
            begin = self.pack.put(header(name, info, size, b"0"), data)
            known = (self.pack.name, begin)
            self._added(digest.digest(), begin, size)
        self._packs.setdefault(known[0], 0)
        return (offset, size, digest.hexdigest(), known[0], known[1])

    def _stream(self, name: bytes, file: int, info: os.stat_result, size: int) -> Optional[Piece]:
        """A whole file that is too large to be held: what is known already is cut off again."""
        before, digest, done = self.pack.size, hashlib.sha256(), 0
        begin = self.pack.begin(header(name, info, size, b"0"))
        while done < size:
            data = os.pread(file, min(CHUNK, size - done), done)
            if not data:
                self.pack.cut(before)
                return None
            digest.update(data)
            self.pack.go_on(data)
            done += len(data)
            self.channel.count(0, len(data))
        known = self.index.find(digest.digest(), size)
        if known is None:
            self.pack.pad(size)
            known = (self.pack.name, begin)
            self._added(digest.digest(), begin, size)
        else:
            self.pack.cut(before)
        self._packs.setdefault(known[0], 0)
        return (0, size, digest.hexdigest(), known[0], known[1])

    def _added(self, digest: bytes, begin: int, size: int) -> None:
        self.index.add(digest, self.pack.name, begin)
        self._fresh.append((digest, begin, size))


def disjoint(paths: List[bytes]) -> None:
    """Raise RequestError if one lies in another: it would be saved twice."""
    parts = sorted(components(path) for path in paths)
    if not parts:
        raise RequestError("path", "no directory was named")
    for one, two in zip(parts, parts[1:]):
        if two[: len(one)] == one:
            outer, inner = b"/" + b"/".join(one), b"/" + b"/".join(two)
            raise RequestError("path", "%s lies in %s" % (shown(inner), shown(outer)))


def now_of(store: Store) -> int:
    """Nanoseconds: the earlier of this clock and that of the store's file system."""
    probe = NewFile(store.states)
    try:
        stamped = os.fstat(probe.file.fileno()).st_mtime_ns
    finally:
        probe.close()
    return min(stamped, int(time.time() * 1e9))


def stamps(kind: str, path: bytes, info: os.stat_result) -> Dict[str, Any]:
    """What every entry has."""
    return {
        "kind": kind,
        "path": shown(path),
        "mode": info.st_mode & 0o7777,
        "uid": info.st_uid,
        "gid": info.st_gid,
        "mtime": info.st_mtime_ns,
        "ctime": max(info.st_ctime_ns, 0),
        "inode": info.st_ino,
    }


def says(known: Optional[Known], **wanted: Any) -> bool:
    """Whether the state before said all of this."""
    return known is not None and all(known.fields.get(key) == wanted[key] for key in wanted)


# -- verify -----------------------------------------------------------------------------------


class Packs:
    """Packs that are read, each opened once, the last few kept open."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: Dict[str, Tuple[int, int]] = {}

    def open(self, name: str) -> Tuple[int, int]:
        """Its descriptor and size. Raises RequestError."""
        if name not in self._open:
            if len(self._open) >= 64:
                self.close()
            self._open[name] = self._store.open_pack(name)
        return self._open[name]

    def chunks(self, piece: Piece) -> Iterator[bytes]:
        """Its content. Raises RequestError when the pack is missing or too short."""
        _, size, _, name, begin = piece
        file, length = self.open(name)
        if begin + size > length:
            raise RequestError("truncated", "pack %s is cut off" % name)
        done = 0
        while done < size:
            data = os.pread(file, min(CHUNK, size - done), begin + done)
            if not data:
                raise RequestError("truncated", "pack %s is cut off" % name)
            done += len(data)
            yield data

    def close(self) -> None:
        """All of them."""
        for file, _ in self._open.values():
            os.close(file)
        self._open = {}


def verify(channel: Channel, request: Dict[str, Any]) -> Dict[str, Any]:
    """A state and the contents that it names: level 1 their places and sizes, 2 every hash."""
    level, share = int(request.get("level", 2)), int(request.get("percent", 100))
    store = Store(request["store"], writes=False)
    try:
        state, packs, trouble = State(store, request["state"]), Packs(store), Trouble()
        pieces = checked = 0
        try:
            for entry in state.entries():
                try:
                    for piece in entry.pieces:
                        pieces += 1
                        _file, length = packs.open(piece[3])
                        if piece[4] + piece[1] > length:
                            raise RequestError("truncated", "pack %s is cut off" % piece[3])
                        # Spread evenly: the first so many of every hundred.
                        if level >= 2 and pieces % 100 < share:
                            check_piece(channel, packs, piece)
                            checked += 1
                except RequestError as failure:
                    trouble.note(failure.kind, entry.path, failure.words)
                channel.count(1, 0)
        finally:
            packs.close()
            state.close()
        result = {"id": state.name, "sha256": state.sha256, "pieces": pieces, "hashed": checked}
        result.update(problems=trouble.count, named=trouble.named, end=state.end)
        return result
    finally:
        store.close()


def check_piece(channel: Channel, packs: Packs, piece: Piece) -> None:
    """Raise RequestError unless the pack holds what the state says."""
    digest = hashlib.sha256()
    for data in packs.chunks(piece):
        digest.update(data)
        channel.count(0, len(data))
    if digest.hexdigest() != piece[2]:
        raise RequestError("wrong hash", "pack %s holds something else" % piece[3])


# -- restore ----------------------------------------------------------------------------------


class Tree:
    """A directory that is restored into: the way down is held open, entered over no link."""

    def __init__(self, place: Any, make: bool, leave: Callable[[int, Entry], None]) -> None:
        self.path = taken(place[1])
        self.make = make
        self._leave = leave
        top, self.made_top = -1, False
        try:
            top = open_folder(place)
        except RequestError as failure:
            if failure.kind != "missing":
                raise
            if make:
                top, self.made_top = open_folder(place, make=True), True
        # name, descriptor (-1: not there), and what is to be applied when it is left
        self._way: List[List[Any]] = [[b"", top, None]]

    def folder(self, parts: List[bytes]) -> int:
        """The directory of these parts below the top; -1 if it is not there and is not made."""
        common = 0
        while (
            common < len(parts)
            and common + 1 < len(self._way)
            and self._way[common + 1][0] == parts[common]
        ):
            common += 1
        self._back(common + 1)
        for part in parts[common:]:
            self._way.append([part, self._down(part), None])
        return int(self._way[-1][1])

    def _down(self, part: bytes) -> int:
        above = int(self._way[-1][1])
        if above < 0:
            return -1
        if len(self._way) > DEPTH:
            raise RequestError("too deep", "%s lies too deep" % shown(part))
        try:
            return enter(above, part, part)
        except FileNotFoundError:
            if not self.make:
                return -1
        os.mkdir(part, 0o700, dir_fd=above)
        return enter(above, part, part)

    def later(self, entry: Entry) -> None:
        """What the directory that was just entered gets when all below it is done."""
        self._way[-1][2] = entry

    def _back(self, length: int) -> None:
        while len(self._way) > length:
            _, folder, entry = self._way.pop()
            if folder >= 0:
                try:
                    if entry is not None:
                        self._leave(folder, entry)
                finally:
                    os.close(folder)

    def close(self) -> None:
        """Everything is left."""
        self._back(0)


class Restore:
    """Compare a state with what is there and, unless it is a `plan`, put it back."""

    def __init__(self, channel: Channel, store: Store, request: Dict[str, Any]) -> None:
        self.channel = channel
        self.plan = request.get("plan") is not False
        self.overwrite = request.get("overwrite") is True
        self.setuid = request.get("setuid") is True
        self.trouble = Trouble()
        self.counts = dict.fromkeys(
            ("new", "equal", "changed", "attributes", "kept", "others", "bytes", "unapplied"), 0
        )
        self.changed: List[str] = []
        self.aside = ASIDE + binascii.hexlify(os.urandom(6))
        self.used_aside = False
        self.state = State(store, request["state"])
        self.packs = Packs(store)
        # All of it before the first change: a damaged one restores nothing.
        shown_before = request.get("sha256")
        if self.state.check(parse=not shown_before) != (shown_before or self.state.sha256):
            raise RequestError(
                "changed", "state %s is not the one that was shown" % self.state.name
            )
        self._places = self._targets(request.get("to") or {})
        self._trees: Dict[bytes, Tree] = {}
        self._made: Dict[bytes, Tuple[int, int]] = {}  # files with several links

    def _targets(self, to: Dict[str, Any]) -> List[Tuple[List[bytes], Any]]:
        """Where each root goes: (its parts, [MOUNT, PATH])."""
        places = []
        for _, path in self.state.roots:
            place = to.get(shown(path))
            if place is None:
                raise RequestError("path", "it is not said where %s goes" % shown(path))
            below(taken(place[0]), taken(place[1]))
            places.append((components(path), place))
        disjoint([path for _, path in self.state.roots])
        disjoint([taken(place[1]) for _, place in places])
        return places

    def run(self) -> Dict[str, Any]:
        """What was found, and done."""
        try:
            for entry in self.state.entries():
                try:
                    self._one(entry)
                except RequestError as failure:
                    self.trouble.note(failure.kind, entry.path, failure.words)
                except OSError as error:
                    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                        raise RequestError("full", "%s: %s" % (shown(entry.path), words(error)))
                    self.trouble.note("unwritable", entry.path, words(error))
                self.channel.check()
            self._close_trees()
        finally:
            self.packs.close()
            self.state.close()
            self._close_trees()
        if not self.plan:
            os.sync()
        result = dict(self.counts, id=self.state.name, sha256=self.state.sha256)
        result.update(problems=self.trouble.count, named=self.trouble.named)
        result.update(differ=self.changed, aside=shown(self.aside) if self.used_aside else "")
        result.update(complete=self.state.end.get("complete") is True)
        return result

    def _close_trees(self) -> None:
        trees, self._trees = self._trees, {}
        for tree in trees.values():
            tree.close()

    def _one(self, entry: Entry) -> None:
        tree, parts = self._place(entry)
        if entry.kind == "other":
            self.counts["others"] += 1
            return
        if entry.kind == "folder":
            self._folder(tree, parts, entry)
            return
        if not parts:
            raise RequestError("damaged", "a root has to be a directory")
        folder = tree.folder(parts[:-1])
        compare = {"file": self._compare_file, "symlink": self._compare_symlink}
        compare["link"] = self._compare_link
        if entry.kind not in compare:
            raise RequestError("damaged", "%s is no kind of entry" % entry.kind[:40])
        verdict = "new" if folder < 0 else compare[entry.kind](folder, parts[-1], entry)
        self._counted(verdict, entry)
        self.channel.count(1, 0)
        if self.plan or verdict == "equal":
            return
        if verdict != "new" and not self.overwrite:
            self.counts["kept"] += 1
            return
        self._put(tree, folder, parts, entry, verdict)

    def _counted(self, verdict: str, entry: Entry) -> None:
        self.counts[verdict] += 1
        if verdict in ("changed", "attributes") and len(self.changed) < SHOWN:
            self.changed.append(shown(entry.path))
        if verdict in ("new", "changed"):
            self.counts["bytes"] += entry.size

    def _place(self, entry: Entry) -> Tuple[Tree, List[bytes]]:
        for root, place in self._places:
            if entry.parts[: len(root)] == root:
                key = taken(place[1])
                if key not in self._trees:
                    self._trees[key] = Tree(place, not self.plan, self._apply_folder)
                return self._trees[key], entry.parts[len(root) :]
        raise RequestError("path", "%s lies outside of what was saved" % shown(entry.path))

    def _folder(self, tree: Tree, parts: List[bytes], entry: Entry) -> None:
        above = tree.folder(parts[:-1]) if parts else -2
        info = None
        if above >= 0:
            try:
                info = os.stat(parts[-1], dir_fd=above, follow_symlinks=False)
            except FileNotFoundError:
                pass
            if info is not None and not stat.S_ISDIR(info.st_mode):
                self._counted("changed", entry)
                if self.plan or not self.overwrite:
                    self.counts["kept"] += not self.plan
                    raise RequestError("kept", "%s is no directory here" % shown(entry.path))
                self._move_aside(tree, above, parts)
                info = None
        folder = tree.folder(parts)
        if folder >= 0 and (info is not None or not (parts or tree.made_top)):
            if differs(entry, os.fstat(folder)):
                self._counted("attributes", entry)
                if self.overwrite:
                    tree.later(entry)
                else:
                    self.counts["kept"] += not self.plan
            return
        tree.later(entry)

    def _apply_folder(self, folder: int, entry: Entry) -> None:
        if not self.plan:
            self._attributes(folder, entry)

    def _compare_file(self, folder: int, name: bytes, entry: Entry) -> str:
        try:
            file = os.open(name, READ, dir_fd=folder)
        except FileNotFoundError:
            return "new"
        except OSError:
            return "changed"  # a link, or nothing that can be read
        try:
            info = os.fstat(file)
            if not stat.S_ISREG(info.st_mode) or info.st_size != entry.size:
                return "changed"
            if not self._holds(file, entry):
                return "changed"
            if entry.links > 1:
                self._made[entry.path] = (info.st_dev, info.st_ino)
            return "attributes" if differs(entry, info) else "equal"
        finally:
            os.close(file)

    def _compare_symlink(self, folder: int, name: bytes, entry: Entry) -> str:
        try:
            target = os.fsencode(os.readlink(name, dir_fd=folder))
        except FileNotFoundError:
            return "new"
        except OSError:
            return "changed"
        return "equal" if target == entry.target else "changed"

    def _compare_link(self, folder: int, name: bytes, entry: Entry) -> str:
        try:
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return "new"
        return "equal" if self._made.get(entry.target) == (info.st_dev, info.st_ino) else "changed"

    def _holds(self, file: int, entry: Entry) -> bool:
        """Whether an open file has exactly the content of the entry."""
        position = 0
        for offset, size, digest, _, _ in entry.pieces:
            if not self._zeros(file, position, offset):
                return False
            found = hashlib.sha256()
            position = offset
            while position < offset + size:
                data = os.pread(file, min(CHUNK, offset + size - position), position)
                if not data:
                    return False
                found.update(data)
                position += len(data)
                self.channel.count(0, len(data))
            if found.hexdigest() != digest:
                return False
        return self._zeros(file, position, entry.size)

    def _zeros(self, file: int, begin: int, end: int) -> bool:
        for first, last in holes_read(file, begin, end):
            while first < last:
                data = os.pread(file, min(CHUNK, last - first), first)
                if not data or data.count(0) != len(data):
                    return False
                first += len(data)
                self.channel.check()
        return True

    def _put(self, tree: Tree, folder: int, parts: List[bytes], entry: Entry, verdict: str) -> None:
        name = parts[-1]
        if entry.kind == "file" and verdict == "attributes":
            self._only_attributes(folder, name, entry)
            return
        part = PART + binascii.hexlify(os.urandom(8))
        try:
            if entry.kind == "symlink":
                os.symlink(entry.target, part, dir_fd=folder)
                self._link_attributes(folder, part, entry)
            elif entry.kind == "link":
                self._link(part, folder, entry)
            else:
                self._write(folder, part, entry)
            if verdict == "changed":
                self._replace(tree, folder, parts, part)
            else:
                give_name(folder, part, name)
        except BaseException:
            try:
                os.unlink(part, dir_fd=folder)
            except OSError:
                pass
            raise
        if entry.kind == "file" and entry.links > 1:
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
            self._made[entry.path] = (info.st_dev, info.st_ino)

    def _write(self, folder: int, part: bytes, entry: Entry) -> None:
        file = os.open(part, NEW, 0o600, dir_fd=folder)
        position = 0
        try:
            for piece in entry.pieces:
                position = piece[0]
                for data in self.packs.chunks(piece):
                    write_at(file, data, position)
                    position += len(data)
            if position != entry.size:  # a hole at its end
                os.ftruncate(file, entry.size)
            if not self._holds(file, entry):  # what was written, not what was read
                raise RequestError("wrong hash", "the packs do not hold %s" % shown(entry.path))
            self._attributes(file, entry)
        finally:
            os.close(file)

    def _only_attributes(self, folder: int, name: bytes, entry: Entry) -> None:
        file = os.open(name, READ, dir_fd=folder)
        try:
            self._attributes(file, entry)
        finally:
            os.close(file)

    def _link(self, part: bytes, folder: int, entry: Entry) -> None:
        """A hard link to a file that this very run found or made."""
        if entry.target not in self._made:
            raise RequestError("link", "%s is a link to what was not restored" % shown(entry.path))
        target = components(entry.target)
        root, place = next(one for one in self._places if target[: len(one[0])] == one[0])
        way, name = target[len(root) : -1], target[-1]
        # A way of its own: the tree's stands where the link goes.
        there = open_folder([place[0], shown(join(taken(place[1]), way))])
        try:
            info = os.stat(name, dir_fd=there, follow_symlinks=False)
            if (info.st_dev, info.st_ino) != self._made[entry.target]:
                raise RequestError("link", "%s was exchanged" % shown(entry.target))
            os.link(name, part, src_dir_fd=there, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(there)

    def _replace(self, tree: Tree, folder: int, parts: List[bytes], part: bytes) -> None:
        """What is there is kept aside, and at no moment is there nothing or half of it."""
        name = parts[-1]
        aside = self._aside(tree, parts)
        try:
            os.link(name, name, src_dir_fd=folder, dst_dir_fd=aside, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            os.rename(name, name, src_dir_fd=folder, dst_dir_fd=aside)  # a directory
        finally:
            os.close(aside)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)

    def _move_aside(self, tree: Tree, folder: int, parts: List[bytes]) -> None:
        aside = self._aside(tree, parts)
        try:
            os.rename(parts[-1], parts[-1], src_dir_fd=folder, dst_dir_fd=aside)
        finally:
            os.close(aside)

    def _aside(self, tree: Tree, parts: List[bytes]) -> int:
        """The directory for what is overwritten, with the same way to it."""
        place = next(place for _, place in self._places if taken(place[1]) == tree.path)
        way = join(tree.path, [self.aside] + parts[:-1])
        self.used_aside = True
        return open_folder([place[0], shown(way)], make=True)

    def _attributes(self, file: int, entry: Entry) -> None:
        """Owner, attributes, mode, time: in this order, for each may undo the ones after it."""
        info = os.fstat(file)
        unapplied = False
        mode = entry.mode
        if (info.st_uid, info.st_gid) != (entry.uid, entry.gid):
            try:
                os.fchown(file, entry.uid, entry.gid)
            except OSError:
                unapplied = True
        if entry.kind == "file" and mode & 0o6000 and not self.setuid:
            mode &= 0o1777
            unapplied = True
        for name, value in entry.xattrs.items():
            try:
                raw = taken(name)
                if not raw.startswith(KEPT_XATTRS):
                    raise OSError(errno.EPERM, "not kept")
                os.setxattr(file, raw, base64.b64decode(value))
            except (OSError, ValueError, TypeError):
                unapplied = True
        try:
            os.fchmod(file, mode)
            os.utime(file, ns=(entry.mtime, entry.mtime))
        except OSError:
            unapplied = True
        self.counts["unapplied"] += unapplied

    def _link_attributes(self, folder: int, name: bytes, entry: Entry) -> None:
        try:
            os.chown(name, entry.uid, entry.gid, dir_fd=folder, follow_symlinks=False)
            times = (entry.mtime, entry.mtime)
            os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)
        except OSError:
            self.counts["unapplied"] += 1


def join(path: bytes, parts: List[bytes]) -> bytes:
    """Below it."""
    return b"/".join([path.rstrip(b"/")] + parts) or b"/"


def differs(entry: Entry, info: os.stat_result) -> bool:
    """Whether mode, owner or (of a file) time are others."""
    if (info.st_mode & 0o7777, info.st_uid, info.st_gid) != (entry.mode, entry.uid, entry.gid):
        return True
    return entry.kind == "file" and info.st_mtime_ns != entry.mtime


def holes_read(file: int, begin: int, end: int) -> Iterator[Tuple[int, int]]:
    """Where there is data between two places: holes need no look."""
    position = begin
    while position < end:
        try:
            first = os.lseek(file, position, os.SEEK_DATA)
            position = os.lseek(file, first, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:
                yield position, end
            return
        if first < end:
            yield first, min(position, end)


# -- requests ---------------------------------------------------------------------------------


def save(channel: Channel, request: Dict[str, Any]) -> Dict[str, Any]:
    """Enter a new state."""
    store = Store(request["store"], writes=True)
    try:
        return Save(channel, store, request).run()
    finally:
        store.close()


def restore(channel: Channel, request: Dict[str, Any]) -> Dict[str, Any]:
    """Preview (`plan`, the default) or put back."""
    store = Store(request["store"], writes=False)
    try:
        return Restore(channel, store, request).run()
    finally:
        store.close()


def list_all(channel: Channel, request: Dict[str, Any]) -> Dict[str, Any]:
    """The states that there are, as they say; and how much each directory of `roots` holds."""
    states: List[Dict[str, Any]] = []
    free, store, previous = None, None, None
    try:
        try:
            store = Store(request["store"], writes=False)
        except RequestError as failure:
            if failure.kind != "missing":
                raise
        if store is not None:
            states = [summary(store, name) for name in store.state_ids()]
            previous = Previous(store) if request.get("roots") else None
        exclude = Exclude(request, store.identity if store is not None else None)
        roots = sorted(request.get("roots") or [], key=lambda one: components(taken(one[1])))
        if roots:
            disjoint([taken(one[1]) for one in roots])
        sizes = [measured(channel, root, exclude, previous) for root in roots]
        free = room(request["store"])
    finally:
        if previous is not None:
            previous.close()
        if store is not None:
            store.close()
    return {"states": states, "roots": sizes, "free": free}


def summary(store: Store, name: str) -> Dict[str, Any]:
    """What a state says of itself: nothing of it was checked."""
    try:
        state = State(store, name)
    except RequestError as failure:
        return {"id": name, "problem": failure.words}
    try:
        roots = [shown(path) for _, path in state.roots]
        fields = {"id": name, "started": state.started, "roots": roots, "end": state.last()}
        return dict(fields, about=state.head.get("about"))
    except RequestError as failure:
        return {"id": name, "problem": failure.words}
    finally:
        state.close()


def measured(
    channel: Channel, root: Any, exclude: Exclude, previous: Optional[Previous]
) -> Dict[str, Any]:
    """Files, bytes, and how much of it changed since the newest state, by its stamps."""
    trouble = Trouble()
    sums = dict.fromkeys(("files", "bytes", "folders", "links", "others", "newest", "changed"), 0)
    for found in Walk(root, trouble, exclude):
        mode, info = found.info.st_mode, found.info
        if found.other:
            sums["others"] += 1
        elif stat.S_ISDIR(mode):
            sums["folders"] += 1
        elif stat.S_ISLNK(mode):
            sums["links"] += 1
        else:
            sums["files"] += 1
            sums["bytes"] += info.st_size
            sums["newest"] = max(sums["newest"], info.st_mtime_ns)
            before = previous.find(found.path) if previous is not None else None
            if before is None or previous is None or not previous.unchanged(before, info):
                sums["changed"] += min(info.st_size, info.st_blocks * 512)
            channel.count(1, 0)
    return dict(sums, path=root[1], problems=trouble.count, named=trouble.named)


def room(place: Any) -> Optional[int]:
    """Bytes that are free where the store is, or is going to be."""
    mount, path = taken(place[0]), taken(place[1])
    parts = below(mount, path)
    while True:
        try:
            folder = open_folder([place[0], shown(join(mount, parts))])
            break
        except RequestError:
            if not parts:
                return None
            parts = parts[:-1]
    try:
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize
    finally:
        os.close(folder)


def files(channel: Channel, request: Dict[str, Any]) -> Dict[str, Any]:
    """Every entry of a state, in lines of BATCH."""
    store = Store(request["store"], writes=False)
    try:
        state = State(store, request["state"])
        batch: List[Dict[str, Any]] = []
        try:
            for entry in state.entries():
                fields = stamped(entry)
                batch.append(fields)
                if len(batch) >= BATCH:
                    channel.send("more", entries=batch)
                    batch = []
                channel.check()
            channel.send("more", entries=batch)
        finally:
            state.close()
        return {"id": state.name, "sha256": state.sha256, "end": state.end}
    finally:
        store.close()


def stamped(entry: Entry) -> Dict[str, Any]:
    """What `files` tells of an entry."""
    fields = {"kind": entry.kind, "path": shown(entry.path), "mode": entry.mode}  # type: Dict[str, Any]
    fields.update(uid=entry.uid, gid=entry.gid, mtime=entry.mtime, size=entry.size)
    if len(entry.pieces) == 1 and entry.pieces[0][1] == entry.size:
        fields["sha256"] = entry.pieces[0][2]
    if entry.target:
        fields["target"] = shown(entry.target)
    if entry.unstable:
        fields["unstable"] = True
    return fields


DO = {"list": list_all, "save": save, "verify": verify, "restore": restore, "files": files}


def answer(channel: Channel, line: bytes) -> None:
    """Carry out one request."""
    try:
        request = json.loads(line.decode("utf-8"))
        channel.begin(request["id"])
        result = DO[request["do"]](channel, request)
    except CancelledError:
        raise
    except RequestError as failure:
        channel.send("reply", ok=False, kind=failure.kind, error=failure.words)
    except OSError as error:
        kind = "full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "system"
        channel.send("reply", ok=False, kind=kind, error=words(error))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        channel.send("reply", ok=False, kind="bug", error=repr(error))
    else:
        channel.send("reply", ok=True, result=result)


def main() -> int:
    """Until stdin is closed; 1 when that was in the middle of something."""
    channel = Channel()

    def stop(_number: int, _frame: Any) -> None:
        channel.closed = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        channel.send("hello", protocol=PROTOCOL, python=sys.version.split()[0], uid=os.geteuid())
        while True:
            line = channel.next()
            if line is None:
                return 0
            answer(channel, line)
    except CancelledError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
