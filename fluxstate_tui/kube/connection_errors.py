"""A failed connection -> one typed error that says what to look at."""

from __future__ import annotations

import aiohttp

from fluxstate_tui.kube.errors import (
    NOTHING_CHANGED,
    NOTHING_SENT,
    CannotConnect,
    KubeError,
    OutcomeUnknown,
)

# Python 3.11's asyncio.TimeoutError is TimeoutError.
CONNECTION_ERRORS = (aiohttp.ClientError, OSError, TimeoutError)


class BrokenAfterSending(Exception):
    """A change was sent, and then the connection broke. aiohttp must not send it again."""


class ClosedHereError(aiohttp.ClientConnectionError):
    """We closed the connection, to connect anew: nothing was sent."""


def explain(error: BaseException, server: str, *, changing: bool) -> KubeError:
    """The typed error for a connection that failed. `changing`: the request was a change."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _tls(server, str(error.certificate_error))
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return _tls(server, str(error.os_error.strerror or error.os_error))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _cannot(server, f"the name {error.host} is not known")
    if isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
        return _cannot(server, f"the proxy failed ({_reason(error)})", _CHECK_PROXY)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _cannot(server, _reason(error))
    if isinstance(error, ClosedHereError):
        return _cannot(server, "it was closed here, to connect anew")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return _cannot(server, "it does not answer in time")
    if changing:
        return OutcomeUnknown(
            f"The connection to {server} broke after the change was sent.",
            safe="It may have been carried out or not.",
            advice="Look at the object again before you repeat anything.",
        )
    if isinstance(error, TimeoutError):
        return _cannot(server, "it does not answer in time")
    if isinstance(error, BrokenAfterSending):
        error = error.__cause__ or error
    return _cannot(server, f"the connection broke ({_reason(error)})")


_MOST_WORDS = 80


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return (error.os_error.strerror or str(error.os_error)).lower()
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"HTTP {error.status} {error.message}"
    if isinstance(error, aiohttp.ClientResponseError):
        # Its own text has the whole URL, in whose path a token may stand.
        words = " ".join(error.message.split())
        return words[:_MOST_WORDS] or type(error).__name__
    return str(error) or type(error).__name__


_CHECK_CLUSTER = "Is the cluster up, and is this the right context? Try `kubectl cluster-info`."
_CHECK_PROXY = (
    "Check the proxy: `proxy-url` of the cluster in the kubeconfig, or $HTTPS_PROXY and $NO_PROXY."
)


def _cannot(server: str, why: str, advice: str = _CHECK_CLUSTER) -> CannotConnect:
    return CannotConnect(
        f"No connection to the API server {server}: {why}.",
        safe=NOTHING_CHANGED,
        advice=advice,
    )


def _tls(server: str, why: str) -> CannotConnect:
    return CannotConnect(
        f"The TLS connection to {server} was refused: {why}.",
        safe=NOTHING_SENT,
        advice="Check certificate-authority-data and tls-server-name of this cluster in the "
        "kubeconfig; never trust a certificate that you cannot explain.",
    )
