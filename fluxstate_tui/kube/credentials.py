"""Who we are: the Authorization header or client certificate, renewed when it must be.

A credential that cannot be got is an error. We never go on as nobody instead.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fluxstate_tui.clock import Clock
from fluxstate_tui.kube.errors import NOTHING_SENT, CredentialError
from fluxstate_tui.kube.kubeconfig import Target

# As client-go: a token file is read again after a minute, a credential renewed shortly before it
# expires.
_TOKEN_FILE_SECONDS = 60.0
_EARLY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Credential:
    """What goes with a request. Times are epoch seconds; PEM texts; '' where there is none."""

    authorization: str = ""
    certificate: str = ""
    key: str = ""
    expires: float | None = None


class CredentialSource(Protocol):
    """Where credentials come from. `renewable` is False if asking again cannot help."""

    renewable: bool

    async def fetch(self) -> Credential:
        """Get a credential; raises CredentialError."""
        ...


class FixedSource:
    """A token, a password or nothing: what stands in the kubeconfig itself."""

    renewable = False

    def __init__(self, authorization: str = "") -> None:
        self._credential = Credential(authorization)

    async def fetch(self) -> Credential:
        """The same every time."""
        return self._credential


class TokenFileSource:
    """A token in a file that somebody else rotates (projected service account tokens)."""

    renewable = True

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    async def fetch(self) -> Credential:
        """Read the file."""
        try:
            token = self._path.read_text().strip()
        except OSError as error:
            raise CredentialError(
                f"The token file {self._path} cannot be read ({error.strerror}).",
                safe=NOTHING_SENT,
            ) from error
        if not token:
            raise CredentialError(f"The token file {self._path} is empty.", safe=NOTHING_SENT)
        expires = self._clock.now() + _TOKEN_FILE_SECONDS + _EARLY_SECONDS
        return Credential(f"Bearer {token}", expires=expires)


class AuthProviderSource:
    """The old `auth-provider:` stanzas (oidc, gcp), left to the official package."""

    renewable = True

    def __init__(self, target: Target, clock: Clock) -> None:
        self._target = target
        self._clock = clock

    async def fetch(self) -> Credential:
        """Ask the package in a thread: it is synchronous and may talk to an identity provider.

        What it renews is kept in memory only: the user's kubeconfig is never written. So it is
        asked again every minute, which costs nothing as long as its token is good.
        """
        header = await asyncio.to_thread(self._load)
        return Credential(header, expires=self._clock.now() + _TOKEN_FILE_SECONDS + _EARLY_SECONDS)

    def _load(self) -> str:
        from kubernetes.client import Configuration
        from kubernetes.config.kube_config import KubeConfigLoader

        configuration = Configuration()
        try:
            directory = str(self._target.user.directory)
            loader = KubeConfigLoader(self._as_config(), config_base_path=directory)
            loader.load_and_set(configuration)
        except Exception as error:  # It may fail in any way that an identity provider can.
            raise self._failed(" ".join(str(error).split()) or type(error).__name__) from error
        header = str(configuration.api_key.get("BearerToken") or "")
        if not header:
            raise self._failed("it gave no token")
        return header

    def _as_config(self) -> dict[str, Any]:
        """Only what the provider needs, so that nothing else can be taken instead of it."""
        provider = self._target.user.data["auth-provider"]
        return {
            "current-context": "only",
            "contexts": [{"name": "only", "context": {"user": "u", "cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": "http://unused"}}],
            "users": [{"name": "u", "user": {"auth-provider": provider}}],
        }

    def _failed(self, why: str) -> CredentialError:
        return CredentialError(
            f"The auth-provider of user '{self._target.user.name}' failed: {why.rstrip('.')}.",
            safe=NOTHING_SENT,
            advice="Log in again, or change this user to an exec credential plugin.",
        )


class Credentials:
    """The current credential; renewed once for everybody (single flight)."""

    def __init__(self, source: CredentialSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._lock = asyncio.Lock()
        self._current: Credential | None = None

    async def current(self) -> Credential:
        """A credential that is not about to expire."""
        current = self._current
        if current is None or self._expires_soon(current):
            return await self.renew(current)
        return current

    async def renew(self, used: Credential | None) -> Credential:
        """Replace `used`, unless somebody did so already. Returns `used` if it cannot be."""
        async with self._lock:
            if self._current is not used and self._current is not None:
                return self._current
            if self._current is not None and not self._source.renewable:
                return self._current
            self._current = await self._source.fetch()
            return self._current

    def _expires_soon(self, credential: Credential) -> bool:
        expires = credential.expires
        return expires is not None and self._clock.now() >= expires - _EARLY_SECONDS


def choose_source(
    target: Target, clock: Clock, exec_source: Callable[[Target], CredentialSource]
) -> CredentialSource:
    """The source for this user, in client-go's order of precedence."""
    user = target.user.data
    if user.get("tokenFile"):
        return TokenFileSource(target.user.directory / str(user["tokenFile"]), clock)
    if user.get("token"):
        return FixedSource(f"Bearer {str(user['token']).strip()}")
    if user.get("exec"):
        return exec_source(target)
    if user.get("auth-provider"):
        return AuthProviderSource(target, clock)
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password') or ''}"
        return FixedSource("Basic " + base64.b64encode(pair.encode()).decode())
    return FixedSource()
