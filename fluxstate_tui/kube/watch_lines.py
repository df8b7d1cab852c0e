"""The lines of a watch: of any length, cut anywhere, and noticed when they stop coming."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from fluxstate_tui.clock import Clock
from fluxstate_tui.kube.errors import NOTHING_CHANGED, BadAnswer, KubeError
from fluxstate_tui.kube.list_body import SLICE_SECONDS
from fluxstate_tui.kube.status_errors import shorten

if TYPE_CHECKING:
    from fluxstate_tui.kube.transport import ByteStream


class Lines:
    """Cuts bytes into lines, in linear time also when one line comes in many pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that are complete now. What is left waits for more."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._pieces.append(data[start:end])
            line = b"".join(self._pieces)
            self._pieces.clear()
            start = end + 1
            if line.strip():
                yield line
        if start < len(data):
            self._pieces.append(data[start:])


class Chunks:
    """Reads a stream with patience: None means that it was silent for so long."""

    def __init__(self, stream: ByteStream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._reading: asyncio.Task[bytes] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._doubt: KubeError | None = None

    async def next(self, patience: float) -> bytes | None:
        """What has come, b'' at the end, None after `patience` silent seconds of our clock.

        Raises CannotConnect, or what `doubt` was given. A read that is under way goes on after a
        None.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._stream.read_some())
        self._timer = asyncio.create_task(self._sleep(patience))
        try:
            await asyncio.wait({self._reading, self._timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._timer.cancel()
        if self._doubt is not None:
            raise self._doubt
        if not self._reading.done():
            return None
        done, self._reading = self._reading, None
        return done.result()

    def doubt(self, error: KubeError) -> None:
        """Somebody else found the server gone: this stream must not hang on in good faith."""
        self._doubt = error
        if self._timer is not None:
            self._timer.cancel()

    async def close(self) -> None:
        """Give up a read that is under way."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def decoded(lines: Iterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """Each line as an object; lets the screen be drawn in between. Raises BadAnswer."""
    started = time.perf_counter()
    for line in lines:
        try:
            document = json.loads(line)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise BadAnswer(
                f"A watch sent something that is no event: {shorten(line)}.", safe=NOTHING_CHANGED
            )
        yield document
        if time.perf_counter() - started > SLICE_SECONDS:
            await asyncio.sleep(0)
            started = time.perf_counter()
