"""Files that live in memory: volumes with a capacity, and the mounts that a container sees.

Errors are OSError with the errno that Linux would give. Paths are absolute and POSIX.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
import stat as stat_bits
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

BLOCK = 4096
"""A file takes whole blocks of a volume's capacity, as on ext4."""
MOST_BYTES = 1 << 30
"""What an endless volume holds all the same: it is the memory of this computer."""


_devices = count(0x801)
LINKS = 20
"""As many links may lead from one to the next."""


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


@dataclass(slots=True, eq=False)
class Node:
    """A file (`data`), a directory (`children`), a symlink (`target`) or a socket."""

    mode: int
    mtime: float
    data: bytearray = field(default_factory=bytearray)
    children: dict[str, Node] = field(default_factory=dict)
    target: str = ""
    links: int = 1
    inode: int = 0
    uid: int = 0

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return stat_bits.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat_bits.S_ISLNK(self.mode)

    @property
    def size(self) -> int:
        """Bytes, as `ls -l` shows them."""
        if self.is_dir:
            return BLOCK
        return len(self.target) if self.is_link else len(self.data)

    @property
    def blocks(self) -> int:
        """Bytes that it takes from the volume."""
        return -(-len(self.data) // BLOCK) * BLOCK


class Volume:
    """A file system of its own. `capacity` is in bytes (None = endless); it outlives containers."""

    def __init__(
        self, name: str, capacity: int | None = None, *, now: Callable[[], float] | None = None
    ) -> None:
        self.name = name
        self.capacity = capacity
        self.read_only = False
        self.now = now or (lambda: 0.0)
        self.device = next(_devices)
        self._inodes = 1
        self._grown = 0
        # Anybody may write to a volume, as the tutorials have it.
        self.root = Node(stat_bits.S_IFDIR | 0o777, self.now(), inode=1, links=2)

    @property
    def used(self) -> int:
        """Bytes taken by files."""
        return sum({id(node): node.blocks for node in self._nodes(self.root)}.values())

    @property
    def free(self) -> int | None:
        """Bytes left, None when it is endless."""
        return None if self.capacity is None else max(0, self.capacity - self.used)

    def new_node(self, mode: int) -> Node:
        """A node of this volume that is not linked anywhere yet."""
        if self.read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        self._inodes += 1
        return Node(mode, self.now(), inode=self._inodes)

    def append(self, node: Node, data: bytes) -> None:
        """Add to a file; when the volume is full, what fits is written and ENOSPC raised."""
        if self.read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if self.capacity is None:
            fits = data if self._has_room(len(data)) else b""
        else:
            room = max(0, self.capacity - self.used + node.blocks)
            fits = data[: max(0, room - len(node.data))]
        node.data += fits
        node.mtime = self.now()
        if len(fits) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _has_room(self, size: int) -> bool:
        """Of an endless volume. All is counted again only when it may have become too much."""
        self._grown += size
        if self._grown > MOST_BYTES:
            self._grown = self.used + size
        return self._grown <= MOST_BYTES

    def _nodes(self, node: Node) -> Iterator[Node]:
        yield node
        for child in node.children.values():
            yield from self._nodes(child)


@dataclass(frozen=True, slots=True)
class FileStat:
    """What `stat` says about a path."""

    mode: int
    size: int
    mtime: float
    inode: int
    links: int
    uid: int
    target: str = ""
    device: int = 0

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return stat_bits.S_ISDIR(self.mode)


@dataclass(frozen=True, slots=True, eq=False)
class OpenFile:
    """A file or directory that a process has open: itself, whatever its name leads to by then."""

    node: Node
    device: int
    mount_id: int

    def stat(self) -> FileStat:
        """What `fstat` says."""
        node = self.node
        return FileStat(
            node.mode, node.size, node.mtime, node.inode, node.links, node.uid, node.target,
            self.device,
        )  # fmt: skip


class Files:
    """What a container sees: volumes mounted at absolute paths ("/" must be one of them)."""

    def __init__(self, mounts: dict[str, Volume]) -> None:
        if "/" not in mounts:
            raise ValueError("a container needs a volume at /")
        self.mounts = {posixpath.normpath(path): volume for path, volume in mounts.items()}
        self._covered: list[tuple[str, Volume]] = []
        for path in sorted(self.mounts, key=len)[1:]:
            self.makedirs(path)

    def mount_of(self, path: str) -> tuple[str, Volume]:
        """The mount point under which `path` lies, and its volume."""
        path = posixpath.normpath(path)
        for point in sorted(self.mounts, key=len, reverse=True):
            if path == point or path.startswith(point.rstrip("/") + "/"):
                return point, self.mounts[point]
        return "/", self.mounts["/"]

    def free(self, path: str) -> int | None:
        """Bytes left on the volume of `path`."""
        return self._volume(path).free

    def real(self, path: str, *, follow: bool = True) -> str:
        """Where `path` leads to: no part of it is a link, but the last when it is not followed."""
        return self._walk(path, follow=follow)[1]

    def _walk(self, path: str, *, follow: bool = True, depth: int = 0) -> tuple[Node, str]:
        """What is at `path`, and its own path; a link at its end is followed only if asked for."""
        if depth > LINKS:
            raise _error(errno.ELOOP, path)
        point, volume = self.mount_of(path)
        relative = posixpath.relpath(posixpath.normpath(path), point)
        node = volume.root
        parts = [] if relative == "." else relative.split("/")
        walked = point
        for index, part in enumerate(parts):
            if not node.is_dir:
                raise _error(errno.ENOTDIR, path)
            child = node.children.get(part)
            if child is None:
                raise _error(errno.ENOENT, path)
            if child.is_link and (follow or index < len(parts) - 1):
                target = posixpath.join(walked, child.target)
                rest = posixpath.join(target, *parts[index + 1 :])
                return self._walk(rest, follow=follow, depth=depth + 1)
            walked = posixpath.join(walked, part)
            node = child
        return node, walked

    def _find(self, path: str, *, follow: bool = True) -> Node:
        return self._walk(path, follow=follow)[0]

    def _volume(self, path: str) -> Volume:
        """The volume that what is at `path` lies on."""
        return self.mount_of(self.real(path))[1]

    def _parent(self, path: str) -> tuple[Node, str, Volume]:
        """The directory that holds `path`, the last name of it, and its volume."""
        path = posixpath.normpath(path)
        parent, folder = self._walk(posixpath.dirname(path))
        if not parent.is_dir:
            raise _error(errno.ENOTDIR, path)
        name = posixpath.basename(path)
        return parent, name, self.mount_of(posixpath.join(folder, name))[1]

    def _put(self, path: str, mode: int) -> Node:
        parent, name, volume = self._parent(path)
        if volume.read_only:
            raise _error(errno.EROFS, path)
        if name in parent.children or not name:
            raise _error(errno.EEXIST, path)
        node = parent.children[name] = volume.new_node(mode)
        parent.mtime = volume.now()
        return node

    def exists(self, path: str) -> bool:
        """Whether there is something at `path` (a dangling symlink is nothing)."""
        try:
            self._find(path)
        except OSError:
            return False
        return True

    def stat(self, path: str, *, follow: bool = True) -> FileStat:
        """ENOENT, ENOTDIR when there is nothing."""
        return self.open(path, follow=follow).stat()

    def open(self, path: str, *, follow: bool = True) -> OpenFile:
        """Take hold of what is there."""
        node, where = self._walk(path, follow=follow)
        point, volume = self.mount_of(where)
        return OpenFile(node, volume.device, self._mount_id(point))

    def _mount_id(self, point: str) -> int:
        return 100 + list(self.mounts).index(point)

    def mount(self, point: str, volume: Volume) -> None:
        """`mount`: what was there before, a mount too, is covered."""
        if point in self.mounts:
            self._covered.append((point, self.mounts.pop(point)))
        else:
            self.makedirs(point)
        self.mounts[point] = volume

    def mountinfo(self) -> bytes:
        """As /proc/self/mountinfo shows it."""
        lines = []
        for point, volume in [*self._covered, *self.mounts.items()]:
            above = self._mount_id(self.mount_of(posixpath.dirname(point))[0])
            shown = re.sub(r"[\s\\]", lambda match: f"\\{ord(match[0]):03o}", point)
            device = f"{volume.device >> 8}:{volume.device & 0xFF}"
            kind = f"rw,relatime - ext4 {volume.name or 'none'} rw"
            lines.append(f"{self._mount_id(point)} {above} {device} / {shown} {kind}\n")
        return "".join(lines).encode()

    def read(self, path: str) -> bytes:
        """The whole file. EISDIR for a directory."""
        node = self._find(path)
        if node.is_dir:
            raise _error(errno.EISDIR, path)
        return bytes(node.data)

    def listdir(self, path: str) -> list[str]:
        """Sorted names, without `.` and `..`, mount points included. ENOTDIR for a file."""
        node, folder = self._walk(path)
        if not node.is_dir:
            raise _error(errno.ENOTDIR, path)
        mounted = (point for point in self.mounts if posixpath.dirname(point) == folder != point)
        return sorted({*node.children, *map(posixpath.basename, mounted)})

    def truncate(self, path: str) -> None:
        """Open for writing as `>` does: make it empty, or create it."""
        try:
            node = self._find(path)
        except FileNotFoundError:
            self._put(path, stat_bits.S_IFREG | 0o644)
            return
        if node.is_dir:
            raise _error(errno.EISDIR, path)
        volume = self._volume(path)
        if volume.read_only:
            raise _error(errno.EROFS, path)
        node.data = bytearray()
        node.mtime = volume.now()

    def append(self, path: str, data: bytes) -> None:
        """Write at the end, creating the file when needed. ENOSPC leaves what fitted."""
        self.open_append(path)(data)

    def open_append(self, path: str) -> Callable[[bytes], None]:
        """An open file: what is written goes to it even when it is renamed meanwhile."""
        if not self.exists(path):
            self.truncate(path)
        node = self._find(path)
        if node.is_dir:
            raise _error(errno.EISDIR, path)
        volume = self._volume(path)
        if volume.read_only:
            raise _error(errno.EROFS, path)
        return lambda data: volume.append(node, data)

    def write(self, path: str, data: bytes, *, mode: int | None = None) -> None:
        """Replace the content (not atomic, as in a real file system)."""
        self.truncate(path)
        if mode is not None:
            self.chmod(path, mode)
        self.append(path, data)

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits."""
        node = self._find(path)
        node.mode = stat_bits.S_IFMT(node.mode) | mode

    def chown(self, path: str, uid: int, *, follow: bool = True) -> None:
        """Give it to another user."""
        self._find(path, follow=follow).uid = uid

    def touch(self, path: str, when: float | None = None) -> None:
        """Create it, or set its modification time."""
        if not self.exists(path):
            self.truncate(path)
        node = self._find(path)
        node.mtime = self._volume(path).now() if when is None else when

    def mkdir(self, path: str) -> None:
        """EEXIST when there is something, ENOENT when the parent is missing."""
        self._put(path, stat_bits.S_IFDIR | 0o755)

    def makedirs(self, path: str) -> None:
        """As `mkdir -p`."""
        path = posixpath.normpath(path)
        if path == "/":
            return
        self.makedirs(posixpath.dirname(path))
        if not self.exists(path):
            self.mkdir(path)
        elif not self._find(path).is_dir:
            raise _error(errno.EEXIST, path)

    def socket(self, path: str) -> None:
        """A socket file, as a broker leaves one."""
        if not self.exists(path):
            self._put(path, stat_bits.S_IFSOCK | 0o777)

    def symlink(self, target: str, path: str) -> None:
        """EEXIST when there is something at `path`."""
        self._put(path, stat_bits.S_IFLNK | 0o777).target = target

    def link(self, source: str, path: str) -> None:
        """A hard link: EEXIST when there is something, EXDEV across volumes."""
        if self._parent(source)[2] is not self._parent(path)[2]:
            raise _error(errno.EXDEV, path)
        node = self._find(source, follow=False)
        if node.is_dir:
            raise _error(errno.EPERM, path)
        parent, name, volume = self._parent(path)
        if volume.read_only:
            raise _error(errno.EROFS, path)
        if name in parent.children:
            raise _error(errno.EEXIST, path)
        parent.children[name] = node
        node.links += 1

    def rename(self, source: str, path: str) -> None:
        """Atomic replacement on one volume; EXDEV across volumes."""
        if self._parent(source)[2] is not self._parent(path)[2]:
            raise _error(errno.EXDEV, path)
        node = self._find(source, follow=False)
        parent, name, volume = self._parent(path)
        if volume.read_only:
            raise _error(errno.EROFS, path)
        there = parent.children.get(name)
        if there is node:
            return
        if there is not None and there.is_dir and not (node.is_dir and not there.children):
            raise _error(errno.ENOTEMPTY if there.children else errno.EISDIR, path)
        parent.children[name] = node
        old_parent, old_name, _ = self._parent(source)
        del old_parent.children[old_name]

    def unlink(self, path: str) -> None:
        """Remove a name. EISDIR for a directory."""
        node = self._find(path, follow=False)
        if node.is_dir:
            raise _error(errno.EISDIR, path)
        parent, name, volume = self._parent(path)
        if volume.read_only:
            raise _error(errno.EROFS, path)
        del parent.children[name]
        node.links -= 1

    def rmdir(self, path: str) -> None:
        """Remove an empty directory. ENOTEMPTY when it is not."""
        node = self._find(path, follow=False)
        if not node.is_dir:
            raise _error(errno.ENOTDIR, path)
        if posixpath.normpath(path) in self.mounts:
            raise _error(errno.EBUSY, path)
        if node.children:
            raise _error(errno.ENOTEMPTY, path)
        parent, name, _ = self._parent(path)
        del parent.children[name]
