"""KVS checkpoints, however Flux can be asked: over a session, or by its commands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from fluxstate_tui.flux import kvs
from fluxstate_tui.flux.command import Executor, run_flux
from fluxstate_tui.flux.kvs import KvsState

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.flux.endpoint import Endpoint
    from fluxstate_tui.flux.session import FluxSession


KEY: Final = "fluxstate.checkpoint"
"""`flux kvs sync` needs no change, but 0.66 has it not. This change is the same each time."""


class Checkpoints(Protocol):
    """The newest checkpoint of one broker. Both raise FluxFailed, or what broke the connection."""

    async def read(self) -> KvsState:
        """The root now, and how far the newest checkpoint is behind, as far as it is known."""
        ...

    async def make(self) -> KvsState:
        """Make one. Raises FluxstateError if it is not there afterwards."""
        ...


class SessionCheckpoints:
    """By RPC: whoever made the newest one, it is seen."""

    def __init__(self, session: FluxSession) -> None:
        self._session = session

    async def read(self) -> KvsState:
        """See Checkpoints."""
        return await kvs.read_state(self._session)

    async def make(self) -> KvsState:
        """See Checkpoints."""
        return await kvs.make_checkpoint(self._session)


class CommandCheckpoints:
    """By `flux kvs`, which shows the root but no checkpoint: only our own are known."""

    def __init__(self, executor: Executor, endpoint: Endpoint, clock: Clock) -> None:
        self._executor = executor
        self._endpoint = endpoint
        self._clock = clock
        self._newest: KvsState | None = None

    async def read(self) -> KvsState:
        """See Checkpoints."""
        root = await self._root()
        if self._newest is None:
            return KvsState(root, None, fresh=False)
        return replace(self._newest, root=root, fresh=self._newest.root == root)

    async def make(self) -> KvsState:
        """See Checkpoints. A put with --sync ends when the checkpoint is written (tried)."""
        argv = ["kvs", "put", "--sync", "--blobref", f"{KEY}=1"]
        root = (await run_flux(self._executor, self._endpoint, argv)).strip()
        self._newest = KvsState(root, self._clock.now(), fresh=True)
        return self._newest

    async def _root(self) -> str:
        argv = ["kvs", "getroot", "--blobref"]
        return (await run_flux(self._executor, self._endpoint, argv, only_reads=True)).strip()
