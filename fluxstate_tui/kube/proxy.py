"""Which proxy a target is reached through: `proxy-url`, else the usual environment variables."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from fluxstate_tui.kube.errors import NOTHING_SENT, BadConfig
from fluxstate_tui.kube.kubeconfig import Target


def choose_proxy(target: Target) -> str | None:
    """The proxy's URL, None for a direct connection.

    aiohttp's own `trust_env` is not used: it would also send ~/.netrc passwords to the API server.
    """
    configured = target.cluster.data.get("proxy-url")
    if configured:
        return _checked(str(configured), target)
    url = urlsplit(target.server)
    if _is_loopback(url.hostname or ""):
        return None  # As Go does, and so kubectl.
    if proxy_bypass(url.netloc) or proxy_bypass(url.hostname or ""):
        return None
    found = getproxies().get(url.scheme)
    return _checked(found, target) if found else None


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _checked(proxy: str, target: Target) -> str:
    if not proxy.startswith(("http://", "https://")):
        raise BadConfig(
            f"The proxy {proxy} of cluster '{target.cluster.name}' is neither http nor https.",
            safe=NOTHING_SENT,
            advice="SOCKS proxies are not supported: use an HTTP proxy or a tunnel.",
        )
    return proxy
