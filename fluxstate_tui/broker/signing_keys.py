"""The keys that manifests of a namespace are signed with: in a Secret of that namespace.

Each entry of the Secret is one key, named so that the newest sorts last: that one signs, all of
them verify. Who may read the Secret can sign.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fluxstate_tui.archive.signature import LONGEST_KEY, SHORTEST_KEY, SigningKey
from fluxstate_tui.broker.retry import BROKEN, retry
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import Conflict, Forbidden, NotFound
from fluxstate_tui.kube.objects import SECRETS
from fluxstate_tui.minicluster.objects import as_map

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.kube.client import Cluster

MOST_KEYS = 64
PATIENCE = 5.0
# Until a Secret that could not be read is asked for again; each time twice as long.
FIRST_AGAIN, LATEST_AGAIN = 60.0, 3600.0
MARK = {"app.kubernetes.io/managed-by": "fluxstate-tui"}


@dataclass(frozen=True, slots=True)
class Keys:
    """Oldest first. `why` says why there are none."""

    keys: tuple[SigningKey, ...] = ()
    why: str = ""

    @property
    def newest(self) -> SigningKey | None:
        """The one that signs."""
        return self.keys[-1] if self.keys else None


@dataclass(slots=True)
class _Asked:
    """`again_at` None: it is not read again. `make_at` is when it may be tried to make it."""

    keys: Keys
    again_at: float | None = None
    pause: float = FIRST_AGAIN
    missing: bool = False
    make_at: float = 0.0
    told: bool = False


class SigningKeys:
    """Of every namespace, each read once; `secret` is the Secret's name, '' for no signatures."""

    def __init__(self, cluster: Cluster, clock: Clock, secret: str) -> None:
        self._cluster, self._clock, self._secret = cluster, clock, secret
        self._asked: dict[str, _Asked] = {}
        self._turn = asyncio.Lock()

    async def to_verify(self, namespace: str) -> Keys:
        """All there are. Raises nothing: without them a signature is by a key that is not known."""
        async with self._turn:
            return (await self._ask(namespace)).keys

    async def to_sign(self, namespace: str) -> Keys:
        """The same; where there is no Secret yet it is made, by who may. Raises nothing."""
        async with self._turn:
            asked = await self._ask(namespace)
            if asked.missing and self._clock.now() >= asked.make_at:
                asked = await self._make(namespace, asked)
            return asked.keys

    def first_time(self, namespace: str) -> bool:
        """Whether it is the first time: that nothing is signed there is told once."""
        asked = self._asked.get(namespace)
        if asked is None or asked.told:
            return False
        asked.told = True
        return True

    async def _ask(self, namespace: str) -> _Asked:
        known = self._asked.get(namespace)
        if known is None or (known.again_at is not None and self._clock.now() >= known.again_at):
            known = await self._read(namespace, known)
        return known

    async def _read(self, namespace: str, before: _Asked | None) -> _Asked:
        last = before if before is not None else _Asked(Keys(), pause=FIRST_AGAIN / 2)
        pause = min(last.pause * 2, LATEST_AGAIN)
        found = replace(last, missing=False, pause=pause, again_at=self._clock.now() + pause)
        try:
            found.keys = await self._found(namespace)
            found.again_at = None
        except NotFound:
            found.keys = Keys(why=f"there is no Secret {self._secret} in namespace {namespace}")
            found.missing = True
        except FluxstateError as error:
            why = f"the Secret {self._secret} cannot be read: {error.message}"
            found.keys = Keys(why=why)
        self._asked[namespace] = found
        return found

    async def _found(self, namespace: str) -> Keys:
        if not self._secret:
            return Keys(why="the configuration wants no signatures")
        found = await retry(self._clock, lambda: self._get(namespace), seconds=PATIENCE)
        if isinstance(found, Forbidden):
            raise found
        keys = _parsed(found)
        why = "" if keys else f"the Secret {self._secret} holds no key of {SHORTEST_KEY} bytes"
        return Keys(keys, why)

    async def _get(self, namespace: str) -> dict[str, Any] | Forbidden:
        """A refusal is an answer: nobody who may not read it waits for that each time."""
        try:
            return await self._cluster.get(SECRETS, self._secret, namespace)
        except Forbidden as error:
            return error

    async def _make(self, namespace: str, asked: _Asked) -> _Asked:
        """Who comes second uses the first one's; what is read back counts."""
        now = datetime.fromtimestamp(self._clock.now() + self._cluster.clock_offset, UTC)
        name = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": self._secret, "namespace": namespace, "labels": MARK},
            "data": {name: base64.b64encode(secrets.token_bytes(SHORTEST_KEY)).decode()},
        }
        asked.make_at = self._clock.now() + LATEST_AGAIN
        try:
            await self._cluster.create(SECRETS, body, namespace)
        except Conflict:
            pass
        except FluxstateError as error:
            asked.keys = Keys(why=f"{asked.keys.why}, and it cannot be made: {error.message}")
            if not isinstance(error, BROKEN):
                return asked
        return await self._read(namespace, asked)


def _parsed(raw: dict[str, Any]) -> tuple[SigningKey, ...]:
    data = as_map(raw.get("data"))
    found = []
    for name in sorted(data)[-MOST_KEYS:]:
        try:
            secret = base64.b64decode(str(data[name]), validate=True)
        except (binascii.Error, ValueError):
            continue
        if SHORTEST_KEY <= len(secret) <= LONGEST_KEY:
            found.append(SigningKey(str(name), secret))
    return tuple(found)
