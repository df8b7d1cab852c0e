"""Work on files of a container with nothing but a POSIX shell and coreutils or busybox.

It needs no Python and no Flux there, so it works in helper pods too. All scripts are constants
(flux/file_scripts.py); paths travel as arguments. A file gets its final name only when it is
complete, and an existing one is never overwritten. Whatever lies on a volume of the pod is reached
without following a link there, and only when it is on that very mount.
"""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.flux import file_scripts as scripts
from fluxstate_tui.flux.command import Executor
from fluxstate_tui.flux.streams import StreamExecutor
from fluxstate_tui.model.mount import Mount, mount_above

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
        return _argv(scripts.INSIDE, *self._folder(folder), *argv)

    def refused(self, path: str, code: int, said: str) -> RemoteFileError | None:
        """What `inside` says when it could not stand in the folder of `path`, None otherwise."""
        if code not in (scripts.MISSING, scripts.ELSEWHERE):
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
        output = await self._run("list", folder, scripts.LIST, *place, only_reads=True)
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
            "stat", path, scripts.STAT, *self._at(path), only_reads=True, timeout=_LONG_TIMEOUT
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

    async def read_small(self, folder: str, suffix: str, limit: int = 1 << 20) -> dict[str, bytes]:
        """All regular files of a folder whose names end so, at most `limit` bytes each, by name.

        One command for all; what is in them must carry its own checksum. Raises RemoteFileMissing,
        RemoteFileDamaged when the stream was cut.
        """
        output = await self._run(
            "read", folder, scripts.READ_SMALL, *self._folder(folder), suffix, str(limit),
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
        code, said = await self._feed(_argv(scripts.WRITE_NEW, *arguments), data)
        if code != 0:
            raise self._error("write", path, code, said)
        return await self._read_back(path, checksum)

    async def append(self, part: str, offset: int, data: bytes) -> None:
        """Put a piece of a file where the pieces before it end, and read it back. Repeatable.

        Raises RemoteFileDamaged when it arrived otherwise.
        """
        checksum = hashlib.sha256(data).hexdigest()
        arguments = (*self._at(part), str(offset), str(len(data)), checksum, str(offset + 1))
        code, said = await self._feed(_argv(scripts.APPEND, *arguments), data)
        if code != 0:
            raise self._error("append", part, code, said)

    async def enter(self, part: str, path: str, sha256: str) -> RemoteStat:
        """Give a whole file its name, never overwriting; its checksum as read back.

        Raises RemoteFileTaken, RemoteFileDamaged when it is not what it should be.
        """
        arguments = (*self._same_folder(part, path), sha256)
        await self._run("enter", path, scripts.ENTER_WHOLE, *arguments, timeout=_LONG_TIMEOUT)
        return await self._read_back(path, sha256)

    async def link_new(self, source: str, path: str) -> None:
        """A second name for a file in its folder (a copy where the volume has no hard links).

        Never overwrites.
        """
        arguments = (*self._same_folder(source, path), _part())
        await self._run(
            "link", path, scripts.LINK_NEW, *arguments, timeout=_LONG_TIMEOUT, source=source
        )

    async def copy(self, source: str, path: str) -> RemoteStat:
        """A new file with the same content, never overwriting; its checksum as read back."""
        mount, folder, name = self._at(path)
        arguments = (mount, folder, _part(), name, *self._at(source))
        await self._run(
            "copy", path, scripts.COPY_NEW, *arguments, timeout=_LONG_TIMEOUT, source=source
        )
        return await self.stat(path)

    async def remove(self, path: str) -> None:
        """Remove a file; one that is not there is fine."""
        await self._run("remove", path, scripts.REMOVE, *self._at(path))

    async def mkdir(self, path: str) -> None:
        """Make a folder, and those above it; one that is there is fine."""
        mount, folder = self._folder(path)
        top = mount or "/"
        names = [name for name in posixpath.relpath(folder, top).split("/") if name != "."]
        await self._run("mkdir", path, scripts.MKDIR, mount, top, _part(), *names)

    async def free_bytes(self, folder: str) -> int:
        """Room on the volume of a folder, for the container's user. Raises RemoteFileMissing."""
        place = self._folder(folder)
        output = await self._run("df", folder, scripts.FREE, *place, only_reads=True)
        lines = output.decode("utf-8", "replace").splitlines()
        try:
            return int(lines[-1].split()[3]) * 1024
        except (IndexError, ValueError):
            raise RemoteFileDamaged(f"df of {folder} says {lines[-1:]!r}.") from None

    async def access(self, folder: str, *, writes: bool) -> RemoteAccess:
        """To a folder, or to the nearest one above it that is there."""
        kind = "w" if writes else "r"
        place = self._folder(folder)
        output = await self._run("access", folder, scripts.ACCESS, *place, kind, only_reads=True)
        match = _ACCESS.fullmatch(output.decode("ascii", "replace").strip())
        if match is None:
            raise RemoteFileDamaged(f"the owner of {folder} is said to be {output[:80]!r}.")
        return RemoteAccess(int(match[1]), int(match[2]), match[3] == "ok")

    async def _tail(self, path: str, offset: int) -> AsyncIterator[bytes]:
        argv = _argv(scripts.READ, *self._at(path), str(offset + 1))
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
        if code == scripts.MISSING:
            return RemoteFileMissing(
                f"{source or path} does not exist.", safe="Nothing was changed."
            )
        if code == scripts.SOURCE_MISSING:
            return RemoteFileMissing(f"{source} does not exist.", safe="Nothing was changed.")
        if code == scripts.TAKEN:
            return RemoteFileTaken(f"{path} exists.", safe="It was not touched.")
        if code == scripts.DAMAGED:
            return RemoteFileDamaged(
                f"{path} was not written: what arrived is not what was sent ({said}).",
                safe="No file of that name was made.",
            )
        if code == scripts.ELSEWHERE:
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
