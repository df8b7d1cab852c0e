"""Storage assets: directories of a MiniCluster's volumes, saved into packs beside its archives.

The work is done by catalog/assets_program.py inside the lead's container; here is what starts it,
and what its answers mean. What it reads from a volume is a claim: shown, and checked by hashes.
"""

from __future__ import annotations

import asyncio
import json
import posixpath
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from fluxstate_tui.archive.manifest import folder_of
from fluxstate_tui.broker.locate import MOUNT_PATH
from fluxstate_tui.broker.protocol import STDOUT_CHANNEL, LineReader, Stream, StreamExecutor
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.remote_code import BOOTSTRAP
from fluxstate_tui.kube.errors import ExecUnknown
from fluxstate_tui.minicluster.mount import Mount, mount_above

PROTOCOL = 1
FOLDER = "assets"
START_TIMEOUT = 30.0
CLEAN_UP_SECONDS = 15.0  # for the program to remove what it began
STATES = 10_000  # states that one list may have
NAMED = 1000  # problems that one answer may name
_LINE = 64 * 1024 * 1024
_STDERR = 4096
_NO_PROGRAM = (126, 127)

# The image's own Python, else the one of Flux's view.
_START = """\
view=$1
shift
for python in python3 "$view/view/bin/python3"; do
  if command -v "$python" >/dev/null 2>&1; then exec "$python" -u -c "$1"; fi
done
echo "there is no python3" >&2
exit 127
"""

_CODES = {
    "locked": ExitCode.LOCKED,
    "missing": ExitCode.NOT_FOUND,
    "damaged": ExitCode.VERIFICATION,
    "changed": ExitCode.VERIFICATION,
    "path": ExitCode.REFUSED,
    "link": ExitCode.REFUSED,
}

Tell = Callable[["Progress"], None]


class AssetsError(FluxstateError):
    """The program in the pod said no; `kind` is its word for why."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(
            message,
            safe="The states that there are were not touched.",
            exit_code=_CODES.get(kind, ExitCode.FAILURE),
        )
        self.kind = kind


class NoPythonError(FluxstateError):
    """Without a Python in the container nothing can be saved or restored there."""

    def __init__(self, container: str, why: str) -> None:
        super().__init__(
            f"the container '{container}' has no Python 3 that runs ({why}), and saving or "
            "restoring files needs one there",
            safe="Nothing was done.",
            advice="Use an image with python3, or the view that the Flux Operator brings.",
            exit_code=ExitCode.NO_CONNECTION,
        )


@dataclass(frozen=True, slots=True)
class Container:
    """Where the program runs. `view` is where the operator's view of Flux is mounted."""

    namespace: str
    pod: str
    name: str
    view: str = MOUNT_PATH


@dataclass(frozen=True, slots=True)
class Place:
    """A directory on a volume of the container."""

    mount: Mount
    path: str

    @property
    def wire(self) -> list[str]:
        """As the program takes it."""
        return [self.mount.point, self.path]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PathProblem:
    """One path that could not be saved, found or restored."""

    kind: str
    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Problems:
    """How many there are, and the first of them."""

    count: int = 0
    named: tuple[PathProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetState:
    """A state as its own file describes it: a claim. `problem` says why it cannot be read.

    `started` is in seconds since the epoch; `packed` is what it added to the store, in bytes.
    """

    id: str
    started: float = 0.0
    roots: tuple[str, ...] = ()
    complete: bool = False
    files: int = 0
    bytes: int = 0
    packed: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DirectorySize:
    """What a directory holds now; `changed` is an upper bound of what a save would add."""

    path: str
    files: int
    bytes: int
    folders: int
    links: int
    others: int
    newest: float
    changed: int
    problems: Problems


@dataclass(frozen=True, slots=True)
class Listing:
    """The states, the sizes of the directories that were asked for, and the free bytes."""

    states: tuple[AssetState, ...]
    directories: tuple[DirectorySize, ...]
    free: int | None


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save entered. `new` are the bytes that no earlier pack had."""

    id: str
    sha256: str
    files: int
    bytes: int
    read: int
    new: int
    packed: int
    others: int
    complete: bool
    problems: Problems


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at; it is sound when there are no problems."""

    id: str
    sha256: str
    pieces: int
    hashed: int
    complete: bool
    problems: Problems


@dataclass(frozen=True, slots=True)
class Compared:
    """A state and what is there: before a restore, or after it. `kept` was not overwritten.

    `aside` is the name of the directory with what was overwritten, '' when nothing was.
    `unapplied` are files whose owner, mode or attributes could not be set.
    """

    id: str
    sha256: str
    new: int
    equal: int
    changed: int
    attributes: int
    kept: int
    others: int
    bytes: int
    unapplied: int
    differ: tuple[str, ...]
    aside: str
    complete: bool
    problems: Problems


@dataclass(frozen=True, slots=True)
class AssetFile:
    """One path of a state. `sha256` is '' for what is stored in several pieces."""

    kind: str
    path: str
    size: int
    mode: int
    uid: int
    gid: int
    mtime: float
    sha256: str
    target: str
    unstable: bool


@dataclass(frozen=True, slots=True)
class RestoreChoices:
    """`to` maps each directory of the state to where it goes; `sha256` is what was previewed."""

    to: Mapping[str, Place]
    overwrite: bool = False
    set_id: bool = False
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Excluded:
    """What is left out: glob patterns of names or relative paths, and whole paths."""

    patterns: tuple[str, ...] = ()
    paths: tuple[str, ...] = field(default=())


def store_of(mounts: Iterable[Mount], archive_path: str) -> Place:
    """Where the states lie: in the catalog. Raises FluxstateError."""
    if not archive_path:
        raise FluxstateError(
            "it has no spec.archive.path, so it has no place for states",
            safe="Nothing was done.",
            exit_code=ExitCode.NOT_FOUND,
        )
    return place_of(mounts, posixpath.join(folder_of(archive_path), FOLDER))


def place_of(mounts: Iterable[Mount], path: str) -> Place:
    """The volume on which a directory lies. Raises FluxstateError when it lies on none."""
    known = tuple(mounts)
    clean = posixpath.normpath(path)
    mount = mount_above(known, clean)
    if mount is None or not path.startswith("/") or ".." in path.split("/"):
        volumes = ", ".join(one.point for one in known) or "it has none"
        raise FluxstateError(
            f"{path} lies on no volume of the container",
            safe="Nothing was done.",
            advice=f"Name a directory on one of its volumes by its whole path: {volumes}.",
            exit_code=ExitCode.REFUSED,
        )
    return Place(mount, clean)


@cache
def program_line() -> bytes:
    """The program as the line that the bootstrap reads."""
    text = files("fluxstate_tui.catalog").joinpath("assets_program.py").read_text("utf-8")
    return json.dumps(text).encode("ascii") + b"\n"


class AssetsClient:
    """Requests to the program, one after the other. Cancelling one ends the program."""

    def __init__(self, stream: Stream, container: Container, store: Place, writes: bool) -> None:
        self._stream = stream
        self._container = container
        self._store = store
        self._writes = writes
        self._lines = LineReader(_LINE)
        self._waiting: list[bytes] = []
        self._stderr = b""
        self._number = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, executor: StreamExecutor, container: Container, store: Place, *, writes: bool
    ) -> AsyncIterator[AssetsClient]:
        """Start it. Raises NoPythonError, or the KubeError of the exec."""
        argv = ["/bin/sh", "-c", _START, "sh", container.view, BOOTSTRAP]
        where = (container.namespace, container.pod, container.name)
        async with executor.exec_stream(*where, argv, only_reads=not writes) as stream:
            client = cls(stream, container, store, writes)
            try:
                await client._start()
                yield client
            finally:
                await client._close()

    async def list(
        self,
        directories: Sequence[Place] = (),
        excluded: Excluded = Excluded(),
        tell: Tell | None = None,
    ) -> Listing:
        """The states, newest last, and what these directories hold."""
        roots = [one.wire for one in directories]
        result = await self._ask("list", {"roots": roots, **_left_out(excluded)}, tell)
        states = tuple(map(_state, _list(result.get("states"))[:STATES]))
        sizes = tuple(map(_size, _list(result.get("roots"))))
        free = result.get("free")
        return Listing(states, sizes, free if isinstance(free, int) else None)

    async def save(
        self,
        directories: Sequence[Place],
        excluded: Excluded,
        about: Mapping[str, str],
        tell: Tell | None = None,
    ) -> Saved:
        """Enter a new state of them."""
        roots = [one.wire for one in directories]
        fields = {"roots": roots, "about": dict(about), **_left_out(excluded)}
        found = await self._ask("save", fields, tell)
        return Saved(
            id=_text(found, "id"),
            sha256=_text(found, "sha256"),
            files=_int(found, "files"),
            bytes=_int(found, "bytes"),
            read=_int(found, "read"),
            new=_int(found, "new"),
            packed=_int(found, "packed"),
            others=_int(found, "others"),
            complete=found.get("complete") is True,
            problems=_problems(found),
        )

    async def verify(
        self, state: str, *, level: int = 2, percent: int = 100, tell: Tell | None = None
    ) -> Verified:
        """Check that the packs hold it: level 1 by sizes, level 2 by the hashes of `percent`."""
        found = await self._ask(
            "verify", {"state": state, "level": level, "percent": percent}, tell
        )
        end = found.get("end")
        return Verified(
            id=_text(found, "id"),
            sha256=_text(found, "sha256"),
            pieces=_int(found, "pieces"),
            hashed=_int(found, "hashed"),
            complete=isinstance(end, dict) and end.get("complete") is True,
            problems=_problems(found),
        )

    async def compare(
        self, state: str, to: Mapping[str, Place], tell: Tell | None = None
    ) -> Compared:
        """What a restore would do, by hashes of what is there."""
        return _compared(await self._ask("restore", _restore(state, RestoreChoices(to)), tell))

    async def restore(
        self, state: str, choices: RestoreChoices, tell: Tell | None = None
    ) -> Compared:
        """Put it back."""
        fields = {**_restore(state, choices), "plan": False}
        return _compared(await self._ask("restore", fields, tell))

    async def files(self, state: str, take: Callable[[AssetFile], None]) -> None:
        """Every path of a state, in order."""

        def more(line: dict[str, Any]) -> None:
            for one in _list(line.get("entries")):
                take(_file(one))

        await self._ask("files", {"state": state}, None, more)

    async def _start(self) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT):
                with suppress(FluxstateError):  # it may have ended already: it is read why
                    await self._stream.write(program_line())
                while (hello := await self._line()).get("t") != "hello":
                    pass
        except TimeoutError:
            raise NoPythonError(self._container.name, "it does not answer") from None
        if hello.get("protocol") != PROTOCOL:
            raise AssetsError("protocol", "the program in the pod speaks another protocol")

    async def _ask(
        self,
        do: str,
        fields: Mapping[str, Any],
        tell: Tell | None,
        more: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        if not self._writes and (do == "save" or fields.get("plan") is False):
            raise AssertionError("opened for reading")
        self._number += 1
        request = {"id": self._number, "do": do, "store": self._store.wire, **fields}
        await self._stream.write(json.dumps(request).encode("ascii") + b"\n")
        while True:
            line = await self._line()
            if line.get("id") != self._number:
                continue
            if line.get("t") == "progress" and tell is not None:
                tell(Progress(_int(line, "files"), _int(line, "bytes")))
            elif line.get("t") == "more" and more is not None:
                more(line)
            elif line.get("t") == "reply":
                break
        result = line.get("result")
        if line.get("ok") is True and isinstance(result, dict):
            return result
        raise AssetsError(_text(line, "kind"), _text(line, "error") or "it cannot be done")

    async def _line(self) -> dict[str, Any]:
        """The next line that is one of ours: a container may print anything beside them."""
        while True:
            while self._waiting:
                with suppress(ValueError, RecursionError):
                    found = json.loads(self._waiting.pop(0))
                    if isinstance(found, dict):
                        return found
            try:
                chunk = await self._stream.read()
            except ExecUnknown as error:
                if self._number:  # something was asked: nobody knows how far it came
                    raise
                raise self._not_started(error) from error
            if chunk is None:
                raise self._ended()
            channel, data = chunk
            if channel == STDOUT_CHANNEL:
                self._waiting.extend(self._lines.feed(data))
            else:
                self._stderr = (self._stderr + data)[-_STDERR:]

    def _not_started(self, error: ExecUnknown) -> FluxstateError:
        """The connection broke before anything was asked. What the container said is the reason."""
        if self._stderr.strip():
            return self._ended()
        return FluxstateError(
            f"the program in the pod could not be started: {error.message}",
            safe="Nothing was done.",
            exit_code=ExitCode.NO_CONNECTION,
        )

    def _ended(self) -> FluxstateError:
        said = self._stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1].strip() if said else f"it ended with exit code {self._stream.exit_code}"
        if self._number == 0 or self._stream.exit_code in _NO_PROGRAM:
            return NoPythonError(self._container.name, why)
        return FluxstateError(
            f"the program in the pod ended before it answered: {why}",
            safe="A state is entered as a whole or not at all; a restored file is whole.",
            advice="List the states, and look at its effect before you repeat it.",
            exit_code=ExitCode.UNKNOWN,
        )

    async def _close(self) -> None:
        """Closing stdin makes it remove what it began; the connection's end does as well."""
        with suppress(FluxstateError, TimeoutError):
            async with asyncio.timeout(CLEAN_UP_SECONDS):
                await self._stream.close_stdin()
                while await self._stream.read() is not None:
                    pass


def _left_out(excluded: Excluded) -> dict[str, Any]:
    return {"exclude": list(excluded.patterns), "skip": list(excluded.paths)}


def _restore(state: str, choices: RestoreChoices) -> dict[str, Any]:
    to = {path: place.wire for path, place in choices.to.items()}
    fields = {"state": state, "to": to, "sha256": choices.sha256}
    return {**fields, "overwrite": choices.overwrite, "setuid": choices.set_id}


# What came is data of the pod: what is not as it should be counts as nothing.


def _int(fields: Mapping[str, Any], key: str) -> int:
    value = fields.get(key)
    return value if type(value) is int and 0 <= value < 2**63 else 0


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _problems(fields: Mapping[str, Any]) -> Problems:
    named = tuple(
        PathProblem(_text(one, "kind"), _text(one, "path"), _text(one, "why"))
        for one in _list(fields.get("named"))[:NAMED]
    )
    return Problems(max(_int(fields, "problems"), len(named)), named)


def _state(fields: dict[str, Any]) -> AssetState:
    found = fields.get("end")
    end: dict[str, Any] = found if isinstance(found, dict) else {}
    return AssetState(
        id=_text(fields, "id"),
        started=_int(fields, "started") / 1e9,
        roots=_texts(fields.get("roots")),
        complete=end.get("complete") is True,
        files=_int(end, "files"),
        bytes=_int(end, "bytes"),
        packed=_int(end, "packed"),
        problem=_text(fields, "problem"),
    )


def _size(fields: dict[str, Any]) -> DirectorySize:
    return DirectorySize(
        path=_text(fields, "path"),
        files=_int(fields, "files"),
        bytes=_int(fields, "bytes"),
        folders=_int(fields, "folders"),
        links=_int(fields, "links"),
        others=_int(fields, "others"),
        newest=_int(fields, "newest") / 1e9,
        changed=_int(fields, "changed"),
        problems=_problems(fields),
    )


def _compared(found: dict[str, Any]) -> Compared:
    return Compared(
        id=_text(found, "id"),
        sha256=_text(found, "sha256"),
        new=_int(found, "new"),
        equal=_int(found, "equal"),
        changed=_int(found, "changed"),
        attributes=_int(found, "attributes"),
        kept=_int(found, "kept"),
        others=_int(found, "others"),
        bytes=_int(found, "bytes"),
        unapplied=_int(found, "unapplied"),
        differ=_texts(found.get("differ")),
        aside=_text(found, "aside"),
        complete=found.get("complete") is True,
        problems=_problems(found),
    )


def _file(fields: dict[str, Any]) -> AssetFile:
    mtime = fields.get("mtime")
    return AssetFile(
        kind=_text(fields, "kind"),
        path=_text(fields, "path"),
        size=_int(fields, "size"),
        mode=_int(fields, "mode"),
        uid=_int(fields, "uid"),
        gid=_int(fields, "gid"),
        mtime=mtime / 1e9 if type(mtime) is int and abs(mtime) < 2**63 else 0.0,
        sha256=_text(fields, "sha256"),
        target=_text(fields, "target"),
        unstable=fields.get("unstable") is True,
    )
