"""Work on files of a container with nothing but a POSIX shell and coreutils or busybox.

It needs no Python and no Flux there, so it works in helper pods too. All scripts are constants
(flux/file_scripts.py); paths travel as arguments. A file gets its final name only when it is
complete, and an existing one is never overwritten. Whatever lies on a volume of the pod is reached
without following a link there, and only when it is on that very mount.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import posixpath
import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fluxstate_tui.broker.commands import Executor
from fluxstate_tui.broker.protocol import StreamExecutor
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.minicluster.mount import Mount, mount_above

# The shell scripts of flux/files.py: POSIX sh, and what coreutils and busybox have in common.
#
# Whoever can write to a volume may put a link in the place of a folder or a file of it, at any
# moment. So a script first stands in its folder (`cd -P`, which holds it, as an open descriptor
# does), proves that this very folder lies on the mount that it should, and works on `./NAME` there.
# `$1` is the mount point ('' where the path lies on no volume), `$2` the folder, and what follows
# are names and numbers, never pasted into the text. Exit codes of their own:

MISSING, TAKEN, DAMAGED, SOURCE_MISSING, ELSEWHERE = 44, 45, 46, 47, 48

# `set -C`: a `>` makes a new file or fails, and follows no link.
# stand MOUNT FOLDER: the working directory is that folder, reached without a link below the mount
# point, and the kernel says (mnt_id) that it belongs to the one mount that is at that point. Where
# it says no mnt_id, the innermost mount point above the folder has to do.
# plain NAME: standard input is the file ./NAME itself, on that mount too.
_STAND = r"""
export LC_ALL=C
set -C
elsewhere() {
  printf '%s\n' "$1" >&2
  exit 48
}
mount_of_stdin() {
  grep '^mnt_id:' /proc/self/fdinfo/0 2>/dev/null
}
stand() {
  if [ ! -d "$2" ]; then
    if [ -h "$2" ]; then elsewhere "$2 is a link"; fi
    exit 44
  fi
  cd -P -- "$2" || exit 1
  here=$(pwd -P && echo .) || exit 1
  here=${here%??}
  mount_id=
  if [ -z "$1" ]; then return 0; fi
  top=$(cd -P -- "$1" && pwd -P && echo .) || exit 1
  top=${top%??}
  if [ "$here" != "$top${2#"$1"}" ]; then elsewhere "$2 leads to $here"; fi
  at_top= times=0 innermost= length=0
  while read -r id parent device root point rest; do
    case $point in
      *\\*) point=$(printf '%b.' "$point"); point=${point%.} ;;
    esac
    if [ "$point" = "$top" ]; then at_top=$id times=$((times + 1)); fi
    case $here/ in
      "$point"/*)
        if [ "${#point}" -ge "$length" ]; then innermost=$id length=${#point}; fi ;;
    esac
  done < /proc/self/mountinfo
  if [ "$times" -eq 0 ]; then elsewhere "nothing is mounted at $top"; fi
  if [ "$times" -gt 1 ]; then elsewhere "$times file systems are mounted at $top"; fi
  mount_id=$(mount_of_stdin < .)
  found=${mount_id##*[!0-9]}
  if [ "${found:-$innermost}" != "$at_top" ]; then elsewhere "$2 is on another mount"; fi
}
plain() {
  if [ -h "./$1" ]; then elsewhere "$1 is a link"; fi
  if [ ! -f "./$1" ]; then elsewhere "$1 is no regular file"; fi
  open=$(stat -L -c '%d:%i' /proc/self/fd/0) || exit 1
  if [ "$open" != "$(stat -c '%d:%i' "./$1")" ]; then elsewhere "$1 was exchanged"; fi
  if [ -n "$mount_id" ] && [ "$(mount_of_stdin)" != "$mount_id" ]; then
    elsewhere "$1 is on another mount"
  fi
}
checksum() {
  { plain "$1" && sha256sum | cut -d ' ' -f 1; } < "./$1"
}
"""

_HERE = _STAND + 'stand "$1" "$2"\nshift 2\n'

# $1 ... a command, which is run in the folder.
INSIDE = _HERE + 'exec "$@"\n'

# For each regular file "SIZE MTIME\nNAME\0"; for a link to one "SIZE MTIME link\nNAME\0".
LIST = (
    _HERE
    + """\
for name in * .[!.]*; do
  if [ -h "./$name" ]; then
    if [ -f "./$name" ]; then stat -c '%s %Y link' "./$name" && printf '%s\\0' "$name"; fi
  elif [ -f "./$name" ]; then
    stat -c '%s %Y' "./$name" && printf '%s\\0' "$name"
  fi
done
exit 0
"""
)

_THERE = """\
if [ -h "./$1" ]; then elsewhere "$1 is a link"; fi
if [ ! -f "./$1" ]; then exit 44; fi
"""

# $1 file. "SIZE MTIME", checksum, and "SIZE MTIME" again, of one open file that has this name.
STAT = (
    _HERE
    + _THERE
    + """\
{
  plain "$1" && stat -L -c '%s %Y' /proc/self/fd/0 && sha256sum | cut -d ' ' -f 1 &&
    stat -L -c '%s %Y' /proc/self/fd/0 && plain "$1"
} < "./$1"
"""
)

# $1 end of the names, $2 most bytes of one file, $3 how many of exactly that size. For each file
# "SIZE\nNAME\0CONTENT".
READ_SMALL = (
    _HERE
    + """\
left=$3
for name in *"$1"; do
  if [ ! -h "./$name" ] && [ -f "./$name" ]; then
    size=$(stat -c '%s' "./$name")
    if [ "$size" -eq "$2" ]; then left=$((left - 1)); fi
    if [ "$size" -lt "$2" ] || { [ "$size" -eq "$2" ] && [ "$left" -ge 0 ]; }; then
      printf '%s\\n' "$size" && printf '%s\\0' "$name" && head -c "$size" < "./$name"
    fi
  fi
done
exit 0
"""
)

# $1 file, $2 number of the first byte, from 1.
READ = (
    _HERE
    + _THERE
    + """\
{ plain "$1" && tail -c "+$2"; } < "./$1"
"""
)

# What the disk refused to take is lost, whatever a second flush says (P3, "fsyncgate"); a `sync`
# that knows no files, or a file system that knows no flush, is no such refusal.
_FLUSH = """\
flush() {
  said=$(sync "$1" 2>&1) && return 0
  case $said in
    *"Input/output error"*|*"I/O error"*|*"No space left"*|*"uota exceeded"*)
      echo "$said" >&2
      return 1 ;;
  esac
  sync
}
there() {
  [ -e "./$1" ] || [ -h "./$1" ]
}
"""

# Nobody writes to it again; where modes are not kept that is no error.
_READ_ONLY = '{ plain "$1" && chmod a-w /proc/self/fd/0 2>/dev/null; } < "./$1"\n'

# A complete temporary file $1 becomes $2, if nothing is there. Some volumes have no hard links:
# then mv -n, which leaves its source when it did nothing.
_ENTER = (
    """\
flush "./$1" || { rm -f -- "./$1"; exit 1; }
"""
    + _READ_ONLY
    + """\
if ! there "$2" && ln -- "./$1" "./$2" 2>/dev/null; then
  rm -f -- "./$1"
elif there "$2"; then
  rm -f -- "./$1"
  exit 45
else
  mv -n -- "./$1" "./$2" || exit 1
  if there "$1"; then rm -f -- "./$1"; exit 45; fi
fi
flush . || { rm -f -- "./$2"; exit 1; }
"""
)

# $1 temporary, $2 final, $3 size, $4 sha256; the content comes on stdin, and because of `head`
# its end need not come (exec v4 cannot close it).
WRITE_NEW = (
    _HERE
    + _FLUSH
    + """\
if there "$2"; then exit 45; fi
head -c "$3" > "./$1" || { rm -f -- "./$1"; exit 1; }
if [ "$(checksum "$1")" != "$4" ]; then
  stat -c '%s bytes' "./$1" >&2
  rm -f -- "./$1"
  exit 46
fi
"""
    + _ENTER
)

# $1 temporary, $2 offset, $3 length, $4 sha256 of the piece on stdin, $5 its first byte from 1.
# Harmless to repeat: what a broken try left after the offset is cut off first. The piece goes into
# the file that was opened and found to be ./$1 itself.
APPEND = (
    _HERE
    + """\
if [ -h "./$1" ]; then elsewhere "$1 is a link"; fi
if [ ! -e "./$1" ]; then : > "./$1" || exit 1; fi
have=$(stat -c '%s' "./$1")
if [ "$have" -lt "$2" ]; then exit 44; fi
if [ "$have" -gt "$2" ]; then
  rm -f -- "./$1.cut"
  { plain "$1" && head -c "$2"; } < "./$1" > "./$1.cut" || exit 1
  mv -f -- "./$1.cut" "./$1" || exit 1
fi
{
  open=$(stat -L -c '%d:%i' /proc/self/fd/3)
  if [ -h "./$1" ] || [ "$open" != "$(stat -c '%d:%i' "./$1")" ]; then
    elsewhere "$1 was exchanged"
  fi
  if [ -n "$mount_id" ] && [ "$(grep '^mnt_id:' /proc/self/fdinfo/3)" != "$mount_id" ]; then
    elsewhere "$1 is on another mount"
  fi
  head -c "$3" >&3 || exit 1
} 3>> "./$1"
if [ "$({ plain "$1" && tail -c "+$5"; } < "./$1" | sha256sum | cut -d ' ' -f 1)" != "$4" ]; then
  stat -c '%s bytes' "./$1" >&2
  exit 46
fi
"""
)

# $1 temporary, $2 final, $3 sha256: a file that was put together piece by piece.
ENTER_WHOLE = (
    _HERE
    + _FLUSH
    + """\
if there "$2"; then rm -f -- "./$1"; exit 45; fi
if [ "$(checksum "$1")" != "$3" ]; then
  stat -c '%s bytes' "./$1" >&2
  rm -f -- "./$1"
  exit 46
fi
"""
    + _ENTER
)

# $1 temporary, $2 final, $3 mount of the source, $4 its folder, $5 its name.
COPY_NEW = (
    _HERE
    + _FLUSH
    + """\
if there "$2"; then exit 45; fi
(
  stand "$3" "$4"
  if [ -h "./$5" ]; then elsewhere "$5 is a link"; fi
  if [ ! -f "./$5" ]; then exit 47; fi
  { plain "$5" && cat; } < "./$5"
) > "./$1"
code=$?
if [ "$code" -eq 44 ]; then code=47; fi
if [ "$code" -ne 0 ]; then rm -f -- "./$1"; exit "$code"; fi
"""
    + _ENTER
)

# $1 source, $2 final, in one folder; $3 temporary, for where there are no links.
LINK_NEW = (
    _HERE
    + _THERE
    + _FLUSH
    + """\
if there "$2"; then exit 45; fi
flush "./$1" || exit 1
"""
    + _READ_ONLY
    + """\
if ln -- "./$1" "./$2" 2>/dev/null; then
  flush . || { rm -f -- "./$2"; exit 1; }
  exit 0
fi
if there "$2"; then exit 45; fi
{ plain "$1" && cat; } < "./$1" > "./$3" || { rm -f -- "./$3"; exit 1; }
set -- "$3" "$2"
"""
    + _ENTER
)

# $1 file; without its folder there is nothing to remove.
REMOVE = (
    _STAND
    + """\
if [ ! -d "$2" ] && [ ! -h "$2" ]; then exit 0; fi
stand "$1" "$2"
rm -f -- "./$3"
"""
)

# $2 is a folder that is there, and $3 a new name; the names after it become folders, each in the
# one before. A new folder gets owner and mode of the one that it is in: `exec` may come as another
# user than the broker's, which dumps into it (v1alpha1: root, and sudo -u flux). It gets them
# while it is held (`.`), empty and private, and its name after that; nobody's link is followed.
MKDIR = (
    _STAND
    + """\
mount=$1 temporary=$3
stand "$1" "$2"
shift 3
inner() {
  if [ -n "$mount" ] && [ -h "./$1" ]; then elsewhere "$here/$1 is a link"; fi
  [ -d "./$1" ]
}
make() {
  mode=$(stat -c %a .) owner=$(stat -c %u:%g .)
  mkdir -m 700 -- "./$temporary" || exit 1
  (
    cd -P -- "./$temporary" || exit 1
    if [ "$(pwd -P && echo .)" != "$here/$temporary
." ] || [ "$(stat -c %a .)" != 700 ]; then elsewhere "$here/$temporary was exchanged"; fi
    for inside in * .[!.]*; do
      if [ -e "./$inside" ]; then elsewhere "$here/$temporary was exchanged"; fi
    done
    chmod "$mode" . 2>/dev/null || :
    chown "$owner" . 2>/dev/null || :
  ) || exit
  made=$(stat -c '%d:%i' "./$temporary")
  if ! mv -n -T -- "./$temporary" "./$1" 2>/dev/null; then
    if [ -e "./$1" ] || [ -h "./$1" ]; then :; else mv -n -- "./$temporary" "./$1"; fi
  fi
  rmdir -- "./$temporary" 2>/dev/null
  if [ "$made" != "$(stat -c '%d:%i' "./$1")" ]; then
    rmdir -- "./$1/$temporary" 2>/dev/null
    inner "$1" || exit 1
  fi
}
for name in "$@"; do
  if ! inner "$name"; then
    if [ -e "./$name" ]; then
      echo "$here/$name: Not a directory" >&2
      exit 1
    fi
    make "$name"
  fi
  cd -P -- "./$name" || exit 1
  now=$(pwd -P && echo .) || exit 1
  now=${now%??}
  if [ -n "$mount" ] && [ "$now" != "${here%/}/$name" ]; then
    elsewhere "$here/$name leads to $now"
  fi
  here=$now
  if [ -n "$mount_id" ] && [ "$(mount_of_stdin < .)" != "$mount_id" ]; then
    elsewhere "$here is on another mount"
  fi
done
"""
)

# The fourth column of the last line is the room in KiB.
FREE = _HERE + "df -Pk .\n"

# $3 "w" if it is going to be written to. Of the folder, or of the nearest one above it that is
# there: "UID:GID ok" or "UID:GID no", by whether all in it may be read and it may be written to.
ACCESS = (
    _STAND
    + """\
folder=$2
while [ ! -d "$folder" ] && [ ! -h "$folder" ]; do folder=$(dirname -- "$folder"); done
may=ok
if [ ! -r "$folder" ] || [ ! -x "$folder" ]; then may=no; fi
if [ "$3" = w ] && [ ! -w "$folder" ]; then may=no; fi
if [ -x "$folder" ]; then
  stand "$1" "$folder"
  folder=.
fi
for file in "$folder"/*; do
  if [ ! -h "$file" ] && [ -f "$file" ] && [ ! -r "$file" ]; then may=no; fi
done
echo "$(stat -L -c '%u:%g' "$folder") $may"
"""
)


_TIMEOUT = 60.0
_LONG_TIMEOUT = 900.0
_READ_TRIES = 5
_STDOUT_CHANNEL = 1
_ACCESS = re.compile(r"(\d{1,10}):(\d{1,10}) (ok|no)")


class FileExecutor(Executor, StreamExecutor, Protocol):
    """kube.session.Cluster, or anything that runs commands as it does."""


class RemoteFileError(FluxstateError):
    """The container's own words about a file."""


class RemoteFileMissing(RemoteFileError, FileNotFoundError):
    """There is no such file or folder."""

    exit_code = ExitCode.NOT_FOUND


class RemoteFileTaken(RemoteFileError, FileExistsError):
    """The name is taken; what has it was not touched."""

    exit_code = ExitCode.REFUSED


class RemoteFileDamaged(RemoteFileError):
    """What was read or written is not what it should be."""

    exit_code = ExitCode.VERIFICATION


class RemoteFileElsewhere(RemoteFileError):
    """A path does not lead to the volume that it should be on, or leads over a link."""

    exit_code = ExitCode.VERIFICATION


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """A regular file in a folder: name, size in bytes, modification time (whole seconds).

    `is_link`: a link to one, wherever that is. It is told, and never followed.
    """

    name: str
    size: int
    mtime: float
    is_link: bool = False


@dataclass(frozen=True, slots=True)
class RemoteStat:
    """A file's size in bytes, its sha256 (hex), and its modification time (whole seconds)."""

    size: int
    sha256: str
    mtime: float


@dataclass(frozen=True, slots=True)
class RemoteAccess:
    """The owner and the group of a folder, and whether the container's user may work there."""

    user: int
    group: int
    allowed: bool


class RemoteFiles:
    """The files of one container. Paths are absolute.

    `mounts` are its volumes as its pod's object has them. Every path below one of them must lie on
    that very mount; otherwise each method raises RemoteFileElsewhere, before it changes anything.
    """

    def __init__(
        self,
        executor: FileExecutor,
        namespace: str,
        pod: str,
        container: str,
        mounts: Sequence[Mount] = (),
    ) -> None:
        self._executor = executor
        self._place = (namespace, pod, container)
        self._mounts = tuple(mounts)

    @property
    def place(self) -> tuple[str, str, str]:
        """Namespace, pod, container."""
        return self._place

    def mount_of(self, path: str) -> Mount | None:
        """The volume that `path` must lie on, None for the container's own file system."""
        return mount_above(self._mounts, path)

    def inside(self, folder: str, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` with that very folder as its working directory."""
        return _argv(INSIDE, *self._folder(folder), *argv)

    def refused(self, path: str, code: int, said: str) -> RemoteFileError | None:
        """What `inside` says when it could not stand in the folder of `path`, None otherwise."""
        if code not in (MISSING, ELSEWHERE):
            return None
        return self._error("run", posixpath.dirname(path), code, said.encode())

    def _folder(self, folder: str) -> tuple[str, str]:
        """Mount point and folder, as the scripts want them."""
        folder = posixpath.normpath(folder)
        mount = self.mount_of(folder)
        return (mount.point if mount is not None else "", folder)

    def _at(self, path: str) -> tuple[str, str, str]:
        """The same for the folder of a file, and its name."""
        folder, name = posixpath.split(posixpath.normpath(path))
        return (*self._folder(folder), name)

    async def list(self, folder: str) -> list[RemoteEntry]:
        """Its regular files, hidden ones too, by name. Raises RemoteFileMissing."""
        place = self._folder(folder)
        output = await self._run("list", folder, LIST, *place, only_reads=True)
        entries = []
        for record in output.split(b"\0")[:-1]:
            facts, _, name = record.partition(b"\n")
            size, mtime, *link = facts.split()
            text = name.decode("utf-8", "surrogateescape")
            entries.append(RemoteEntry(text, int(size), float(mtime), bool(link)))
        return sorted(entries, key=lambda entry: entry.name)

    async def stat(self, path: str) -> RemoteStat:
        """Size, sha256 and time, read twice around the checksum, so that they belong together.

        Raises RemoteFileMissing, RemoteFileDamaged when somebody is writing to it.
        """
        output = await self._run(
            "stat", path, STAT, *self._at(path), only_reads=True, timeout=_LONG_TIMEOUT
        )
        words = output.decode("ascii", "replace").split()
        if len(words) < 5 or len(words[2]) != 64:
            raise RemoteFileDamaged(f"{path}: no size and checksum, but {output[:80]!r}.")
        if words[:2] != words[3:5]:
            raise RemoteFileDamaged(
                f"{path} is being written to.", safe="It was only read.", advice="Try again."
            )
        return RemoteStat(int(words[0]), words[2], float(words[1]))

    async def read(self, path: str, offset: int = 0) -> AsyncIterator[bytes]:
        """Its bytes from `offset` on, as they come. A broken stream is taken up where it broke.

        After the last one size and (from offset 0) sha256 are compared with the container's own:
        raises RemoteFileDamaged when they differ, RemoteFileMissing, or a KubeError.
        """
        before = await self.stat(path)
        digest = hashlib.sha256()
        done, tries = offset, 0
        while done < before.size:
            start = done
            async for data in self._tail(path, done):
                done += len(data)
                digest.update(data)
                yield data
            tries = 0 if done > start else tries + 1
            if tries >= _READ_TRIES:
                break
        if done != before.size or (offset == 0 and digest.hexdigest() != before.sha256):
            raise RemoteFileDamaged(
                f"{path} reads as {done} bytes, and not as the {before.size} bytes with the"
                " checksum that the container has.",
                safe="The file was only read.",
                advice="Try again; if it repeats, somebody may be writing to it.",
            )

    async def read_small(
        self, folder: str, suffix: str, limit: int, at_limit: int
    ) -> dict[str, bytes]:
        """The regular files of a folder whose names end so and that are smaller than `limit` bytes,
        and the first `at_limit` of exactly that size, by name.

        One command for all; what is in them must carry its own checksum. Raises RemoteFileMissing,
        RemoteFileDamaged when the stream was cut.
        """
        output = await self._run(
            "read", folder, READ_SMALL, *self._folder(folder), suffix, str(limit), str(at_limit),
            only_reads=True,
        )  # fmt: skip
        found: dict[str, bytes] = {}
        at = 0
        while at < len(output):
            head, end, _ = output[at:].partition(b"\0")
            size, _, name = head.partition(b"\n")
            start = at + len(head) + 1
            if not end or not size.isdigit() or start + int(size) > len(output):
                raise RemoteFileDamaged(f"{folder} was read out incompletely.")
            at = start + int(size)
            found[name.decode("utf-8", "surrogateescape")] = output[start:at]
        return found

    async def write_new(self, path: str, data: bytes) -> RemoteStat:
        """A new file with this content: complete and flushed before it gets its name.

        Raises RemoteFileTaken, RemoteFileDamaged when it arrived otherwise.
        """
        checksum = hashlib.sha256(data).hexdigest()
        mount, folder, name = self._at(path)
        arguments = (mount, folder, _part(), name, str(len(data)), checksum)
        code, said = await self._feed(_argv(WRITE_NEW, *arguments), data)
        if code != 0:
            raise self._error("write", path, code, said)
        return await self._read_back(path, checksum)

    async def append(self, part: str, offset: int, data: bytes) -> None:
        """Put a piece of a file where the pieces before it end, and read it back. Repeatable.

        Raises RemoteFileDamaged when it arrived otherwise.
        """
        checksum = hashlib.sha256(data).hexdigest()
        arguments = (*self._at(part), str(offset), str(len(data)), checksum, str(offset + 1))
        code, said = await self._feed(_argv(APPEND, *arguments), data)
        if code != 0:
            raise self._error("append", part, code, said)

    async def enter(self, part: str, path: str, sha256: str) -> RemoteStat:
        """Give a whole file its name, never overwriting; its checksum as read back.

        Raises RemoteFileTaken, RemoteFileDamaged when it is not what it should be.
        """
        arguments = (*self._same_folder(part, path), sha256)
        await self._run("enter", path, ENTER_WHOLE, *arguments, timeout=_LONG_TIMEOUT)
        return await self._read_back(path, sha256)

    async def link_new(self, source: str, path: str) -> None:
        """A second name for a file in its folder (a copy where the volume has no hard links).

        Never overwrites.
        """
        arguments = (*self._same_folder(source, path), _part())
        await self._run("link", path, LINK_NEW, *arguments, timeout=_LONG_TIMEOUT, source=source)

    async def copy(self, source: str, path: str) -> RemoteStat:
        """A new file with the same content, never overwriting; its checksum as read back."""
        mount, folder, name = self._at(path)
        arguments = (mount, folder, _part(), name, *self._at(source))
        await self._run("copy", path, COPY_NEW, *arguments, timeout=_LONG_TIMEOUT, source=source)
        return await self.stat(path)

    async def remove(self, path: str) -> None:
        """Remove a file; one that is not there is fine."""
        await self._run("remove", path, REMOVE, *self._at(path))

    async def mkdir(self, path: str) -> None:
        """Make a folder, and those above it; one that is there is fine."""
        mount, folder = self._folder(path)
        top = mount or "/"
        names = [name for name in posixpath.relpath(folder, top).split("/") if name != "."]
        await self._run("mkdir", path, MKDIR, mount, top, _part(), *names)

    async def free_bytes(self, folder: str) -> int:
        """Room on the volume of a folder, for the container's user. Raises RemoteFileMissing."""
        place = self._folder(folder)
        output = await self._run("df", folder, FREE, *place, only_reads=True)
        lines = output.decode("utf-8", "replace").splitlines()
        try:
            return int(lines[-1].split()[3]) * 1024
        except (IndexError, ValueError):
            raise RemoteFileDamaged(f"df of {folder} says {lines[-1:]!r}.") from None

    async def access(self, folder: str, *, writes: bool) -> RemoteAccess:
        """To a folder, or to the nearest one above it that is there."""
        kind = "w" if writes else "r"
        place = self._folder(folder)
        output = await self._run("access", folder, ACCESS, *place, kind, only_reads=True)
        match = _ACCESS.fullmatch(output.decode("ascii", "replace").strip())
        if match is None:
            raise RemoteFileDamaged(f"the owner of {folder} is said to be {output[:80]!r}.")
        return RemoteAccess(int(match[1]), int(match[2]), match[3] == "ok")

    async def _tail(self, path: str, offset: int) -> AsyncIterator[bytes]:
        argv = _argv(READ, *self._at(path), str(offset + 1))
        try:
            async with self._executor.exec_stream(*self._place, argv, only_reads=True) as stream:
                while (chunk := await stream.read()) is not None:
                    if chunk[0] == _STDOUT_CHANNEL:
                        yield chunk[1]
        except FluxstateError as error:
            if error.exit_code is not ExitCode.UNKNOWN:
                raise
            await asyncio.sleep(0)  # the connection broke: the caller goes on where it broke

    async def _feed(self, argv: Sequence[str], data: bytes) -> tuple[int | None, bytes]:
        """Run with input whose end is not told (exec v4 cannot): exit code and stderr."""
        said = b""
        async with self._executor.exec_stream(*self._place, argv) as stream:
            await stream.write(data)
            while (chunk := await stream.read()) is not None:
                said += chunk[1] if chunk[0] != _STDOUT_CHANNEL else b""
            return stream.exit_code, said

    async def _run(
        self,
        what: str,
        path: str,
        script: str,
        *arguments: str,
        only_reads: bool = False,
        timeout: float = _TIMEOUT,
        source: str = "",
    ) -> bytes:
        result = await self._executor.exec(
            *self._place,
            _argv(script, *arguments),
            timeout=timeout,
            only_reads=only_reads,
        )
        if result.code != 0:
            raise self._error(what, path, result.code, result.stderr, source)
        return result.stdout

    def _same_folder(self, one: str, other: str) -> tuple[str, str, str, str]:
        mount, folder, name = self._at(one)
        if self._at(other)[1] != folder:
            raise ValueError(f"{one} and {other} are not in one folder")
        return mount, folder, name, self._at(other)[2]

    async def _read_back(self, path: str, sha256: str) -> RemoteStat:
        found = await self.stat(path)
        if found.sha256 != sha256:
            raise RemoteFileDamaged(
                f"{path} reads back with another checksum than what was written.",
                safe="What was there before was not touched.",
                advice="Somebody else writes to that folder: look who can.",
            )
        return found

    def _error(
        self, what: str, path: str, code: int | None, stderr: bytes, source: str = ""
    ) -> RemoteFileError:
        said = stderr.decode("utf-8", "replace").strip()
        if code == MISSING:
            return RemoteFileMissing(
                f"{source or path} does not exist.", safe="Nothing was changed."
            )
        if code == SOURCE_MISSING:
            return RemoteFileMissing(f"{source} does not exist.", safe="Nothing was changed.")
        if code == TAKEN:
            return RemoteFileTaken(f"{path} exists.", safe="It was not touched.")
        if code == DAMAGED:
            return RemoteFileDamaged(
                f"{path} was not written: what arrived is not what was sent ({said}).",
                safe="No file of that name was made.",
            )
        if code == ELSEWHERE:
            mount = self.mount_of(path)
            where = f"on its volume ({mount})" if mount is not None else "where it should"
            return RemoteFileElsewhere(
                f"{path} does not lie {where}: {said}.",
                safe="No link was followed, and nothing was written through it.",
                advice="Somebody who can write to the volume put it there: look at it with ls -la,"
                " move it away, then try again.",
            )
        return RemoteFileError(f"'{what}' of {path} failed: {said or f'exit code {code}'}.")


def _argv(script: str, *arguments: str) -> list[str]:
    return ["/bin/sh", "-c", script, "sh", *arguments]


def beside(path: str) -> str:
    """A hidden name in the same folder that nobody else has."""
    return posixpath.join(posixpath.dirname(path), _part())


def _part() -> str:
    return f".part-{secrets.token_hex(8)}"


# A file of any size into a container, piece by piece, each read back before the next one comes.
#
# Never more than a piece is in memory. Where a runtime closes a large stdin early
# (containerd#13934), the pieces get smaller.

PIECE = 8 << 20
SMALLEST = 64 << 10


async def upload(
    files: RemoteFiles,
    path: str,
    wanted: RemoteStat,
    source: AsyncIterator[bytes],
    told: Callable[[int], None] = lambda done: None,
    *,
    piece: int = PIECE,
) -> RemoteStat:
    """A new file of the `wanted` size and sha256. `told` gets the number of bytes that are there.

    Raises RemoteFileTaken, RemoteFileDamaged, or what the source raises; nothing is left then.
    """
    part = beside(path)
    done = 0
    try:
        async for data in _pieces(source, piece):
            await _append(files, part, done, data)
            done += len(data)
            told(done)
        if done == 0:
            await files.append(part, 0, b"")
        return await files.enter(part, path, wanted.sha256)
    except BaseException:
        with contextlib.suppress(FluxstateError):
            await files.remove(part)
        raise


async def _append(files: RemoteFiles, part: str, offset: int, data: bytes) -> None:
    try:
        await files.append(part, offset, data)
    except RemoteFileDamaged:
        if len(data) <= SMALLEST:
            raise
        half = len(data) // 2
        await _append(files, part, offset, data[:half])
        await _append(files, part, offset + half, data[half:])


async def _pieces(source: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    waiting = bytearray()
    async for data in source:
        waiting += data
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)
