"""The open conversations with the lead brokers of one cluster: one for each, shared by all.

The live queue, the guard, screens and operations use the same one. It is opened when somebody
needs it and closed when nobody does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fluxstate_tui.broker.locate import Endpoint
from fluxstate_tui.broker.session import FluxSession
from fluxstate_tui.tasks import ended

if TYPE_CHECKING:
    from fluxstate_tui.broker.protocol import StreamExecutor

Place = tuple[str, str, str, str]
"""Namespace, pod, its uid, and container."""


class _Conversation:
    """One session and who uses it. A task of its own holds it open: it opens and closes it."""

    def __init__(self, executor: StreamExecutor, endpoint: Endpoint) -> None:
        self.users = 0
        self.has_reader = False
        self._unused = asyncio.Event()
        self._opened: asyncio.Future[FluxSession] = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold(executor, endpoint), name="broker")

    async def session(self) -> FluxSession:
        """Once it is open. Raises CannotStart, or a KubeError."""
        return await asyncio.shield(self._opened)

    @property
    def serves(self) -> bool:
        """It is being opened, or is open and answers."""
        if not self._opened.done():
            return True
        failed = self._opened.cancelled() or self._opened.exception() is not None
        return not failed and self._opened.result().answers

    async def close(self) -> None:
        """End it: the remote program is told, the stream is closed."""
        self._unused.set()
        if not self._opened.done():
            await ended(self._holder)
        else:
            await asyncio.wait([self._holder])

    async def _hold(self, executor: StreamExecutor, endpoint: Endpoint) -> None:
        try:
            async with FluxSession.open(executor, endpoint) as session:
                self._opened.set_result(session)
                await self._unused.wait()
        except asyncio.CancelledError:
            self._opened.cancel()
            raise
        except Exception as error:
            if not self._opened.done():
                self._opened.set_exception(error)
                self._opened.exception()  # it may be that nobody waits any more


class BrokerPool:
    """Hands out sessions, one for each lead container."""

    def __init__(self, executor: StreamExecutor) -> None:
        self._executor = executor
        self._conversations: dict[Place, _Conversation] = {}
        self._open: set[_Conversation] = set()

    @property
    def open_now(self) -> int:
        """Conversations that are open, being opened or being closed: each is an exec stream."""
        return len(self._open)

    @asynccontextmanager
    async def session(
        self, endpoint: Endpoint, *, watches: bool = False
    ) -> AsyncIterator[FluxSession]:
        """The conversation with that container, for as long as the block goes on.

        `watches`: its messages will be read, which only one user can do, once in its life. One
        that broke or did not answer in time is not given out any more. Raises CannotStart, or a
        KubeError.
        """
        place = (endpoint.namespace, endpoint.pod, endpoint.pod_uid, endpoint.container)
        talk = self._conversations.get(place)
        if talk is None or not talk.serves or (watches and talk.has_reader):
            talk = self._conversations[place] = _Conversation(self._executor, endpoint)
            self._open.add(talk)
        talk.users += 1
        talk.has_reader = talk.has_reader or watches
        try:
            yield await talk.session()
        finally:
            talk.users -= 1
            if not talk.users:
                if self._conversations.get(place) is talk:
                    del self._conversations[place]
                try:
                    await talk.close()
                finally:
                    self._open.discard(talk)
