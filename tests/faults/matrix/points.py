"""The points of an operation where something can break: its requests, numbered step by step."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from fluxstate_tui.broker import files
from fluxstate_tui.broker.session import READING
from fluxstate_tui.sim.faults import STDIN

PREPARE = "prepare"
# A wait asks the same again and again: its first questions stand for all of them.
OCCURRENCES = {True: 2, False: 1}
_READS = frozenset(
    [*(f"say {topic}" for topic in READING), "say data"]
    + [f"exec {name}" for name in ("list", "stat", "read", "read_small", "free", "flux python")]
)
_SCRIPTS = {
    text: name.lower()
    for name, text in vars(files).items()
    if name.isupper() and isinstance(text, str) and not name.startswith("_") and name != "INSIDE"
}


@dataclass(frozen=True, slots=True)
class Point:
    """The `nth` request of that kind within a step."""

    step: str
    what: str
    nth: int

    def __str__(self) -> str:
        return f"{self.step}/{self.what}/{self.nth}"

    @classmethod
    def parse(cls, text: str) -> Point:
        """What `str` wrote."""
        step, what, nth = text.split("/")
        return cls(step, what, int(nth))

    @property
    def is_exec(self) -> bool:
        """A command in a container."""
        return self.what.startswith("exec ")

    @property
    def is_message(self) -> bool:
        """What the client says to a command that runs."""
        return self.what.startswith("say ")

    @property
    def changes(self) -> bool:
        """Whether it may have an effect; reading has none."""
        return not self.what.startswith("GET ") and self.what not in _READS


@dataclass(frozen=True, slots=True)
class Hit:
    """A request that is at a point."""

    point: Point
    method: str
    path: str


@dataclass(slots=True)
class Gate:
    """Counts the requests of an operation, and strikes at one of them.

    `step` tells which step is under way. While it strikes, nothing is counted.
    """

    step: Callable[[], str]
    target: Point | None = None
    strike: Callable[[Hit], Awaitable[None]] | None = None
    seen: list[Point] = field(default_factory=list)
    reached: bool = False
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _busy: bool = False
    _striking: asyncio.Task[None] | None = None

    async def __call__(self, method: str, path: str) -> None:
        """Faults.gate of the simulated cluster."""
        if self._busy:
            return
        step, what = self.step(), name_of(method, path)
        if " lease" in what:
            step = "lease"  # renewed in the background, whatever step is under way
        self._counts[step, what] += 1
        point = Point(step, what, self._counts[step, what])
        self.seen.append(point)
        if point == self.target and self.strike is not None:
            self.reached = self._busy = True
            # A second operator goes on when the request that he came with does not live so long.
            self._striking = asyncio.create_task(
                self._strike(self.strike(Hit(point, method, path)))
            )
            await asyncio.shield(self._striking)

    async def over(self) -> None:
        """Wait until the strike has ended."""
        if self._striking is not None:
            await self._striking

    async def _strike(self, strike: Awaitable[None]) -> None:
        try:
            await strike
        finally:
            self._busy = False


def chosen(seen: list[Point]) -> list[Point]:
    """The points to break at, of all that a run without a fault went through."""
    return [point for point in seen if point.nth <= OCCURRENCES[point.changes]]


def steps(points: list[Point], *where: float) -> list[Point]:
    """Points of every step: 0.0 is its first one, 0.5 the one half-way through."""
    mine: dict[str, list[Point]] = {}
    for point in points:
        mine.setdefault(point.step, []).append(point)
    found = [step[int(len(step) * part)] for step in mine.values() for part in where]
    return list(dict.fromkeys(found))


def name_of(method: str, path: str) -> str:
    """A request in words that do not depend on names and numbers of one run."""
    if method == STDIN:
        asked = re.search(r'"(?:topic|do)": "([\w.-]+)"', path.replace('"do": "rpc"', ""))
        return f"say {asked[1] if asked else 'data'}"
    parts = urlsplit(path)
    query = parse_qs(parts.query)
    if parts.path.endswith("/exec"):
        return f"exec {_command(query.get('command', []))}"
    words = [word for word in parts.path.split("/") if word]
    if "namespaces" in words[:-1]:
        words = words[words.index("namespaces") + 2 :]
    resource = words[0] if words else "root"
    if words[1:2]:
        resource = re.sub("s$", "", resource) + "".join(f" {word}" for word in words[2:])
    return f"{method} {resource}" + (" dry run" if "dryRun" in query else "")


def _command(argv: list[str]) -> str:
    for word in argv:
        if word in _SCRIPTS:
            return _SCRIPTS[word]
    words = argv[argv.index("flux") + 2 :] if "flux" in argv else argv
    return " ".join(["flux", *words[:1]] if "flux" in argv else words[:1]).replace("/", " ")
