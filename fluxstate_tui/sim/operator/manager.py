"""The controller manager: tasks, work queue and the way they end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fluxstate_tui.clock import Clock
from fluxstate_tui.sim.api.errors import ApiError
from fluxstate_tui.sim.api.store import Change, ObjectStore

Reconcile = Callable[[str, str], Awaitable[None]]
WorkItem = tuple[Reconcile, str, str]
_KEPT = 20
_log = logging.getLogger(__name__)


class Manager:
    """Runs controllers one work item at a time, and everything else as tasks that it owns."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.failures: list[BaseException] = []
        self._queue: asyncio.Queue[WorkItem] = asyncio.Queue()
        self._waiting: set[WorkItem] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribe: list[Callable[[], None]] = []

    def watch(self, listener: Callable[[Change], None]) -> None:
        """Call a controller at every write."""
        self._unsubscribe.append(self.store.subscribe(listener))

    def enqueue(self, reconcile: Reconcile, namespace: str, name: str, delay: float = 0.0) -> None:
        """Reconcile an object soon (or after a delay); equal items that wait are one."""
        item = (reconcile, namespace, name)
        if delay > 0:
            self.spawn(self._later(item, delay))
        elif item not in self._waiting:
            self._waiting.add(item)
            self._queue.put_nowait(item)

    async def _later(self, item: WorkItem, delay: float) -> None:
        await self.clock.sleep(delay)
        self.enqueue(*item)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the controllers; it is cancelled when the cluster ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        """Say it at once and go on: others may work with this cluster for hours yet."""
        _log.error("a part of the simulated cluster failed", exc_info=error)
        if len(self.failures) < _KEPT:
            self.failures.append(error)

    def start(self) -> None:
        """Begin to work."""
        self.spawn(self._work())

    async def _work(self) -> None:
        while True:
            item = await self._queue.get()
            self._waiting.discard(item)
            reconcile, namespace, name = item
            try:
                await reconcile(namespace, name)
            except ApiError as error:
                # As real controllers do: somebody else was faster, try again.
                if error.code == 409:
                    self.enqueue(reconcile, namespace, name, 0.1)
                elif error.code != 404:
                    self._failed(error)
            except Exception as error:
                self._failed(error)

    async def stop(self) -> None:
        """Cancel everything and wait for it. Raises the first failure of a controller."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self.failures:
            raise self.failures[0]
