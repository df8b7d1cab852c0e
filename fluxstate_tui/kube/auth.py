"""Who we are: the Authorization header or client certificate, renewed when it must be.

A credential that cannot be got is an error. We never go on as nobody instead.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import quote

from fluxstate_tui.clock import Clock
from fluxstate_tui.kube.errors import NOTHING_SENT, BadConfig, CredentialError, shorten
from fluxstate_tui.kube.kubeconfig import KubeOptions, Target

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

        name = self._provider()
        configuration = Configuration()
        try:
            directory = str(self._target.user.directory)
            loader = KubeConfigLoader(self._as_config(), config_base_path=directory)
            loader.load_and_set(configuration)
        except Exception as error:  # It may fail in any way that an identity provider can.
            why = " ".join(str(error).split()) or type(error).__name__
            raise self._failed(why, name) from error
        header = str(configuration.api_key.get("BearerToken") or "")
        if not header:
            raise self._failed("it gave no token (its id-token is missing or is none)", name)
        # The package goes on with the old one when no new one is given to it.
        if name == "oidc" and _has_expired(header, self._clock.now()):
            raise self._failed(
                "its id-token has expired, and the identity provider gave no new one", name
            )
        return header

    def _provider(self) -> str:
        """Its name. Raises CredentialError for one that nobody knows, as kubectl does."""
        stanza = self._target.user.data["auth-provider"]
        name = str(stanza.get("name") or "") if isinstance(stanza, dict) else ""
        if name not in ("oidc", "gcp"):
            known = "it has no name" if not name else f"there is no auth-provider '{name}'"
            raise self._failed(f"{known} any more; oidc and gcp are known", name)
        if name == "oidc" and not isinstance(stanza.get("config"), dict):
            raise self._failed("it has no config", name)
        return name

    def _as_config(self) -> dict[str, Any]:
        """Only what the provider needs, so that nothing else can be taken instead of it."""
        provider = self._target.user.data["auth-provider"]
        config = dict(provider.get("config") or {})
        if not {"idp-certificate-authority", "idp-certificate-authority-data"} & config.keys():
            # Without one the package does not check who says where refresh tokens are sent to.
            import certifi

            system = ssl.get_default_verify_paths().cafile
            config["idp-certificate-authority"] = system or certifi.where()
        provider = {**provider, "config": config}
        return {
            "current-context": "only",
            "contexts": [{"name": "only", "context": {"user": "u", "cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": "http://unused"}}],
            "users": [{"name": "u", "user": {"auth-provider": provider}}],
        }

    def _failed(self, why: str, provider: str) -> CredentialError:
        plugin = _INSTEAD.get(provider)
        instead = f"the exec credential plugin {plugin}" if plugin else "an exec credential plugin"
        return CredentialError(
            f"The auth-provider of user '{self._target.user.name}' failed: {why.rstrip('.')}.",
            safe=NOTHING_SENT,
            advice=f"Log in again, or change this user to {instead}.",
        )


_INSTEAD = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin", "oidc": "kubectl-oidc_login"}


def _has_expired(header: str, now: float) -> bool:
    """Whether the `exp` of a JWT (RFC 7519) lies in the past; False where it is none."""
    part = header.partition(" ")[2].split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(part[1] + "=" * (-len(part[1]) % 4)))
        return float(claims["exp"]) <= now
    except (ValueError, KeyError, IndexError, TypeError):
        return False


class Credentials:
    """The current credential; renewed once for everybody (single flight)."""

    def __init__(self, source: CredentialSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._lock = asyncio.Lock()
        self._current: Credential | None = None
        self._failures = 0
        self._failure: CredentialError | None = None

    async def current(self) -> Credential:
        """A credential that is not about to expire."""
        current = self._current
        if current is None or self._expires_soon(current):
            return await self.renew(current)
        return current

    async def renew(self, used: Credential | None) -> Credential:
        """Replace `used`, unless somebody did so already. Returns `used` if it cannot be.

        Who waited while it failed is given that failure: a login is not asked for once more each.
        """
        failures = self._failures
        async with self._lock:
            if self._failures != failures and self._failure is not None:
                raise self._failure
            if self._current is not used and self._current is not None:
                return self._current
            if self._current is not None and not self._source.renewable:
                return self._current
            try:
                self._current = await self._source.fetch()
            except CredentialError as error:
                self._failures += 1
                self._failure = error
                raise
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


# Exec credential plugins (client.authentication.k8s.io v1 and v1beta1).
#
# The official package logs a failure and goes on as nobody; here it is an error. The plugin gets no
# terminal (the dashboard owns it), and its stderr ends in our message, not on the screen.

_GROUP = "client.authentication.k8s.io/"
_EXTENSION = "client.authentication.k8s.io/exec"
_CLUSTER_FIELDS = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority-data",
    "proxy-url",
)
PLUGIN_SECONDS = 60.0
# What a plugin left behind (a browser, an agent) may hold its output open: it is not waited for.
_OUTPUT_SECONDS = 1.0


class ExecPluginSource:
    """Runs the plugin of this user and understands its answer."""

    renewable = True

    def __init__(self, target: Target, *, terminal: bool = False) -> None:
        """`terminal`: nobody else uses the terminal now, so that the plugin may ask there."""
        self._target = target
        self._terminal = terminal
        self._config: dict[str, Any] = target.user.data["exec"]
        self._command = str(self._config.get("command") or "")
        self._api_version = str(self._config.get("apiVersion") or "")

    async def fetch(self) -> Credential:
        """Run it once; raises CredentialError with what it said."""
        if not self._command or not self._api_version.startswith(_GROUP):
            raise self._failed("its stanza needs `command` and `apiVersion`")
        interactive = self._is_interactive()
        return self._understand(await self._run(interactive))

    def _is_interactive(self) -> bool:
        """As client-go: whether the plugin is given our standard input."""
        mode = str(self._config.get("interactiveMode") or "IfAvailable")
        if mode not in ("Never", "IfAvailable", "Always"):
            raise self._failed(
                f"its interactiveMode '{mode}' is none of Never, IfAvailable and Always"
            )
        has_terminal = self._terminal and sys.stdin is not None and sys.stdin.isatty()
        if mode == "Always" and not has_terminal:
            owner = "standard input is none" if self._terminal else "the dashboard has it"
            raise self._failed(
                f"it wants a terminal (interactiveMode: Always), and {owner}",
                "Log in on the command line first, for instance with: "
                "fluxstate-tui get miniclusters",
            )
        return has_terminal and mode != "Never"

    async def _run(self, interactive: bool) -> bytes:
        output, said = _Pipe(_MOST_OUTPUT), _Pipe(_MOST_SAID, shown=self._terminal)
        async with output, said:
            try:
                process = await asyncio.create_subprocess_exec(
                    self._program(),
                    *[str(argument) for argument in self._config.get("args") or ()],
                    stdin=None if interactive else asyncio.subprocess.DEVNULL,
                    stdout=output.end,
                    stderr=said.end,
                    env=self._environment(interactive),
                    # A group of its own, to end its children with it. One that asks on the
                    # terminal must be in the foreground, with us; Ctrl-C reaches it there.
                    start_new_session=not interactive,
                )
            except OSError as error:
                hint = str(self._config.get("installHint") or "").strip()
                raise self._failed(f"it cannot be started ({error.strerror})", hint) from error
            ended = False
            try:
                # A person at the terminal may take longer, and can end it.
                async with asyncio.timeout(None if interactive else PLUGIN_SECONDS):
                    ended = await process.wait() == 0
            except TimeoutError as error:
                words = f"; it said: {said.short}" if said.short else ""
                why = f"it did not finish within {PLUGIN_SECONDS:g} s{words}"
                raise self._failed(why) from error
            finally:
                if not ended:
                    _kill(process, group=not interactive)
                    await process.wait()
            await output.drained()
            await said.drained()
        if process.returncode != 0:
            why = f"exit code {process.returncode}: {said.short or 'it said nothing'}"
            raise self._failed(why)
        return output.text

    def _program(self) -> str:
        """As client-go: a relative path starts at the kubeconfig, a bare name is looked up."""
        if os.sep in self._command:
            return str(self._target.user.directory / self._command)
        return self._command

    def _environment(self, interactive: bool) -> dict[str, str]:
        environment = dict(os.environ)
        for pair in self._config.get("env") or ():
            environment[str(pair["name"])] = str(pair["value"])
        spec: dict[str, Any] = {"interactive": interactive}
        if self._config.get("provideClusterInfo"):
            spec["cluster"] = self._cluster_info()
        info = {"apiVersion": self._api_version, "kind": "ExecCredential", "spec": spec}
        environment["KUBERNETES_EXEC_INFO"] = json.dumps(info)
        return environment

    def _cluster_info(self) -> dict[str, Any]:
        cluster = self._target.cluster.data
        info = {field: cluster[field] for field in _CLUSTER_FIELDS if field in cluster}
        authority = cluster.get("certificate-authority")
        if authority and "certificate-authority-data" not in info:
            # The plugin is told no path: it need not be able to read it.
            path = self._target.cluster.directory / str(authority)
            try:
                data = base64.b64encode(path.read_bytes()).decode()
            except OSError as error:
                raise self._failed(f"{path} cannot be read ({error.strerror})") from error
            info["certificate-authority-data"] = data
        for extension in cluster.get("extensions") or ():
            if extension.get("name") == _EXTENSION:
                info["config"] = extension.get("extension")
        return info

    def _understand(self, output: bytes) -> Credential:
        try:
            answer = json.loads(output)
            status = answer["status"]
            version, kind = answer["apiVersion"], answer["kind"]
            token = str(status.get("token") or "")
            certificate = str(status.get("clientCertificateData") or "")
            key = str(status.get("clientKeyData") or "")
            expires = _epoch(status.get("expirationTimestamp"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._failed("its output is not an ExecCredential") from error
        if version != self._api_version or kind != "ExecCredential":
            raise self._failed(f"it answered {kind} {version} instead of {self._api_version}")
        if bool(certificate) != bool(key):
            raise self._failed("it gave a certificate without its key, or the other way round")
        if not token and not certificate:
            raise self._failed("it gave neither a token nor a certificate")
        return Credential(f"Bearer {token}" if token else "", certificate, key, expires)

    def _failed(self, why: str, hint: str = "") -> CredentialError:
        return CredentialError(
            f"The credential plugin '{self._command}' of user '{self._target.user.name}' failed: "
            f"{why}.",
            safe=NOTHING_SENT,
            advice=hint or "Run it by hand to see what it needs (perhaps a fresh login).",
        )


_MOST_SAID = 64 << 10
_MOST_OUTPUT = 1 << 20


class _Pipe:
    """What a plugin writes to `end`: the last `most` bytes; `shown` on our stderr as it comes.

    asyncio's own pipes make the end of a process wait for all who inherited them.
    """

    def __init__(self, most: int, *, shown: bool = False) -> None:
        self._most = most
        self._shown = shown
        self.text = b""
        self.end = -1

    async def __aenter__(self) -> Self:
        ours, self.end = os.pipe()
        stream = asyncio.StreamReader()
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(ours, "rb", 0)
        )
        self._reading = asyncio.create_task(self._read(stream))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close_end()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._transport.close()

    async def drained(self) -> None:
        """Wait until all is read, but not for long."""
        self._close_end()
        await asyncio.wait({self._reading}, timeout=_OUTPUT_SECONDS)

    @property
    def short(self) -> str:
        """The text for people: one line, cut."""
        return shorten(self.text)

    def _close_end(self) -> None:
        if self.end >= 0:
            os.close(self.end)
            self.end = -1

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(1 << 16):
            self.text = (self.text + data)[-self._most :]
            if self._shown:
                with suppress(OSError, ValueError):
                    sys.stderr.write(data.decode("utf-8", "replace"))
                    sys.stderr.flush()


def _kill(process: asyncio.subprocess.Process, *, group: bool) -> None:
    """End it, and what it started."""
    with suppress(ProcessLookupError, PermissionError):
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _epoch(text: object) -> float | None:
    if not text:
        return None
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()


# `as:` of the kubeconfig and --as: acting as somebody else (Kubernetes user impersonation).


def impersonation_headers(target: Target, options: KubeOptions) -> list[tuple[str, str]]:
    """The Impersonate-* headers; none if nobody is impersonated.

    --as and --as-group replace what the kubeconfig says, as in kubectl.
    """
    user = target.user.data
    name = options.as_user if options.as_user is not None else str(user.get("as") or "")
    replaced = options.as_user is not None or bool(options.as_groups)
    groups = list(options.as_groups if replaced else user.get("as-groups") or ())
    uid = "" if replaced else str(user.get("as-uid") or "")
    extra = {} if replaced else dict(user.get("as-user-extra") or {})
    if not name:
        if groups or uid or extra:
            raise BadConfig(
                "Groups are impersonated without a user.",
                safe=NOTHING_SENT,
                advice="Give --as together with --as-group.",
            )
        return []
    headers = [("Impersonate-User", name)]
    headers += [("Impersonate-Group", str(group)) for group in groups]
    if uid:
        headers.append(("Impersonate-Uid", uid))
    for key, values in extra.items():
        name = f"Impersonate-Extra-{quote(str(key), safe='')}"
        headers += [(name, str(value)) for value in values]
    return headers
