"""The log of a container, followed over cut connections without losing or repeating a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxstate_tui.kube.errors import (
    BadRequest,
    CannotConnect,
    KubeError,
    RefusedOnTheWay,
    ServerError,
)
from fluxstate_tui.kube.objects import PODS, epoch, parse_pod
from fluxstate_tui.kube.watch import Backoff, Lines

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.kube.client import Cluster


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `time` is the kubelet's, RFC 3339 with nanoseconds, as it came ('' if none)."""

    time: str
    text: str

    @property
    def at(self) -> float | None:
        """`time` as seconds since the epoch."""
        return epoch(self.time)


@dataclass(frozen=True, slots=True)
class LogOf:
    """Whose log: `previous` means the container's last life before its restart."""

    namespace: str
    pod: str
    container: str
    previous: bool = False

    @property
    def path(self) -> str:
        """Its address."""
        return PODS.path(self.namespace, self.pod, "log")


async def read_log(cluster: Cluster, of: LogOf, *, tail: int | None = None) -> list[LogLine]:
    """What there is now, the last `tail` lines. Raises NotFound, BadRequest (not started yet)."""
    lines = []
    async with cluster.stream(of.path, _params(of, tail=tail)) as stream:
        cutter = Lines()
        while data := await stream.read_some():
            lines += [_parse(line) for line in cutter.feed(data)]
        lines += [_parse(line) for line in cutter.feed(b"\n")]
    return lines


async def follow_log(
    cluster: Cluster, of: LogOf, clock: Clock, *, tail: int | None = None
) -> AsyncGenerator[LogLine, None]:
    """Lines as they come, until the container has ended. A cut connection is resumed.

    Raises NotFound if the pod is gone, Forbidden, Unauthorized.
    """
    seen = _Seen()
    backoff = Backoff(clock)
    while True:
        seen.resume()
        params = _params(of, tail=None if seen.last else tail, since=seen.last) | {"follow": "true"}
        try:
            async with cluster.stream(of.path, params) as stream:
                cutter = Lines()
                while data := await stream.read_some():
                    for line in map(_parse, cutter.feed(data)):
                        if seen.is_new(line):
                            yield line
            if of.previous or await _has_ended(cluster, of):
                for line in map(_parse, cutter.feed(b"\n")):
                    yield line
                return
        except (CannotConnect, ServerError):
            pass
        except RefusedOnTheWay as error:
            if (error.status or 0) < 500:
                raise
        except BadRequest as error:
            if not _not_started(error):
                raise
        await clock.sleep(backoff.delay())


class _Seen:
    """Which lines came already: `sinceTime` has whole seconds, so that second comes twice."""

    def __init__(self) -> None:
        self.last = ""
        self._at_last: Counter[str] = Counter()
        self._resumed_at = ""
        self._to_skip: Counter[str] = Counter()

    def resume(self) -> None:
        """A new connection begins: what came up to now may come again."""
        self._resumed_at = self.last
        self._to_skip = Counter(self._at_last)

    def is_new(self, line: LogLine) -> bool:
        """False for a line that came before the last cut."""
        if not line.time:
            return True
        if self._resumed_at and _order(line.time) < _order(self._resumed_at):
            return False
        if line.time == self._resumed_at and self._to_skip[line.text] > 0:
            self._to_skip[line.text] -= 1
            return False
        if line.time != self.last:
            self.last = line.time
            self._at_last.clear()
        self._at_last[line.text] += 1
        return True


def _order(time: str) -> str:
    """Times can be compared as text once their fractions are equally long."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<9}"


def _params(of: LogOf, *, tail: int | None = None, since: str = "") -> dict[str, str]:
    params = {"container": of.container, "timestamps": "true"}
    if of.previous:
        params["previous"] = "true"
    if tail is not None:
        params["tailLines"] = str(tail)
    if since:
        params["sinceTime"] = since
    return params


def _parse(line: bytes) -> LogLine:
    time, _, text = line.decode("utf-8", "replace").partition(" ")
    if epoch(time) is None:
        return LogLine("", f"{time} {text}".rstrip())
    return LogLine(time, text.rstrip("\r"))


async def _has_ended(cluster: Cluster, of: LogOf) -> bool:
    """True if nothing more can come: not for a container that waits, or starts again."""
    pod = parse_pod(await cluster.get(PODS, of.pod, of.namespace))
    if pod.phase in ("Succeeded", "Failed"):
        return True
    mine = [c for c in (*pod.init, *pod.containers) if c.name == of.container]
    return any(container.state == "terminated" for container in mine)


def _not_started(error: KubeError) -> bool:
    return "waiting to start" in error.message
