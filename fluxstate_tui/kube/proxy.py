"""Which proxy a target is reached through: `proxy-url`, else the environment, as kubectl reads it.

The rules are those of Go (golang.org/x/net/http/httpproxy): a proxy without a scheme is http, a
NO_PROXY may have addresses, networks, domains and ports, and loopback never goes through one.
aiohttp's own `trust_env` is not used: it would also send ~/.netrc passwords to the API server.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from fluxstate_tui.kube.errors import NOTHING_SENT, BadConfig
from fluxstate_tui.kube.kubeconfig import Target

HTTP = ("http", "https")
SOCKS = ("socks5", "socks5h")
_PORTS = {"http": 80, "https": 443}


def choose_proxy(target: Target, environ: Mapping[str, str] = os.environ) -> str | None:
    """The proxy's URL, None for a direct connection. Raises BadConfig."""
    configured = target.cluster.data.get("proxy-url")
    if configured:
        return _checked(str(configured), f"proxy-url of cluster '{target.cluster.name}'")
    url = urlsplit(target.server)
    upper = f"{url.scheme}_PROXY".upper()
    name = next((name for name in (upper, upper.lower()) if environ.get(name)), "")
    if not name:
        return None
    host, port = (url.hostname or "").rstrip("."), url.port or _PORTS[url.scheme]
    if not goes_through_proxy(host, port, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None
    return _checked(_with_scheme(environ[name].strip()), f"${name}")


def goes_through_proxy(host: str, port: int, no_proxy: str) -> bool:
    """Whether a host is reached through the proxy of the environment."""
    host = host.lower()
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return False
    return not any(
        _names(part.strip().lower(), host, port) for part in no_proxy.split(",") if part.strip()
    )


def _names(pattern: str, host: str, port: int) -> bool:
    """Whether one part of a NO_PROXY means that host."""
    if pattern == "*":
        return True
    address = _address(host)
    if "/" in pattern:
        try:
            return address is not None and address in ip_network(pattern, strict=False)
        except ValueError:
            return False
    if _address(pattern) is not None:
        return address is not None and address == _address(pattern)
    name, colon, wanted = pattern.rpartition(":")
    if not colon:
        name, wanted = pattern, ""
    name = name.strip("[]")
    if not name or (wanted and wanted != str(port)):
        return False
    if _address(name) is not None:
        return address is not None and address == _address(name)
    if name.startswith("*."):
        name = name[1:]
    return (
        host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")
    )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _with_scheme(proxy: str) -> str:
    try:
        parts = urlsplit(proxy)
        whole = bool(parts.scheme and parts.netloc)
    except ValueError:
        whole = False
    return proxy if whole else f"http://{proxy}"


def _checked(proxy: str, where: str) -> str:
    try:
        parts = urlsplit(proxy)
        host, scheme, _ = parts.hostname, parts.scheme, parts.port
    except ValueError:
        host, scheme = None, ""
    if not host or scheme not in (*HTTP, *SOCKS):
        # Without its password.
        shown = proxy.rpartition("@")[2]
        raise BadConfig(
            f"{where} is no proxy that can be used: {shown}.",
            safe=NOTHING_SENT,
            advice="Give http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT.",
        )
    return proxy
