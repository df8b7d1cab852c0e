"""The log of a container, as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxstate_tui.kube.objects import PODS, epoch
from fluxstate_tui.kube.watch import Lines

if TYPE_CHECKING:
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
    """Whose log."""

    namespace: str
    pod: str
    container: str

    @property
    def path(self) -> str:
        """Its address."""
        return PODS.path(self.namespace, self.pod, "log")


async def read_log(cluster: Cluster, of: LogOf, *, tail: int | None = None) -> list[LogLine]:
    """What there is now, the last `tail` lines. Raises NotFound, BadRequest (not started yet)."""
    lines = []
    async with cluster.stream(of.path, _params(of, tail)) as stream:
        cutter = Lines()
        while data := await stream.read_some():
            lines += [_parse(line) for line in cutter.feed(data)]
        lines += [_parse(line) for line in cutter.feed(b"\n")]
    return lines


def _params(of: LogOf, tail: int | None) -> dict[str, str]:
    params = {"container": of.container, "timestamps": "true"}
    return params | ({} if tail is None else {"tailLines": str(tail)})


def _parse(line: bytes) -> LogLine:
    time, _, text = line.decode("utf-8", "replace").partition(" ")
    if epoch(time) is None:
        return LogLine("", f"{time} {text}".rstrip())
    return LogLine(time, text.rstrip("\r"))
