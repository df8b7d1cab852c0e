"""TLS from a kubeconfig: the CA, the client certificate, and what must be checked."""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from pathlib import Path
from typing import Any

from fluxstate_tui.kube.auth import Credential
from fluxstate_tui.kube.errors import NOTHING_SENT, BadConfig
from fluxstate_tui.kube.kubeconfig import Entry, Target
from fluxstate_tui.private_files import temporary_file


def build_ssl(target: Target, credential: Credential) -> ssl.SSLContext | None:
    """The TLS settings for this target and credential; None for a plain http:// server."""
    if target.server.startswith("http://"):
        return None
    insecure = _is_insecure(target.cluster)
    authority = _pem(target.cluster, "certificate-authority")
    if insecure and authority:
        raise BadConfig(
            f"Cluster '{target.cluster.name}' has both a certificate authority and "
            "insecure-skip-tls-verify.",
            safe=NOTHING_SENT,
            advice="Remove one of them.",
        )
    context = _context(authority, target.cluster.name)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _load_client_certificate(context, target.user, credential)
    return context


def _is_insecure(cluster: Entry) -> bool:
    """Only a boolean turns checks off: kubectl refuses a kubeconfig with a text there."""
    found = cluster.data.get("insecure-skip-tls-verify")
    if found is not None and not isinstance(found, bool):
        raise BadConfig(
            f"insecure-skip-tls-verify of cluster '{cluster.name}' is {found!r}, neither true nor "
            "false.",
            safe=NOTHING_SENT,
            advice="Write true or false, without quotes.",
        )
    return bool(found)


def _context(authority: str, cluster: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=authority or None)
    except ssl.SSLError as error:
        raise BadConfig(
            f"The certificate authority of cluster '{cluster}' is not a PEM certificate.",
            safe=NOTHING_SENT,
            advice="Check certificate-authority or certificate-authority-data.",
        ) from error
    # Python >= 3.13 asks for RFC 5280 extensions that cluster CAs often lack; kubectl does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _load_client_certificate(context: ssl.SSLContext, user: Entry, credential: Credential) -> None:
    certificate = credential.certificate or _pem(user, "client-certificate")
    key = credential.key or _pem(user, "client-key")
    if not certificate and not key:
        return
    if not certificate or not key:
        raise BadConfig(
            f"User '{user.name}' has a client certificate without a key, or a key without one.",
            safe=NOTHING_SENT,
            advice="Give both client-certificate and client-key.",
        )
    try:
        _load_chain(context, f"{certificate}\n{key}")
    except ssl.SSLError as error:
        raise BadConfig(
            f"The client certificate and key of user '{user.name}' cannot be used.",
            safe=NOTHING_SENT,
            advice="Check that both are PEM and belong together.",
        ) from error


def _load_chain(context: ssl.SSLContext, pem: str) -> None:
    """`load_cert_chain` reads files only: a 0600 file that is removed before we go on."""
    with temporary_file(Path(tempfile.gettempdir())) as (path, file):
        file.write(pem.encode())
        file.flush()
        # An encrypted key must fail, not ask on the terminal.
        context.load_cert_chain(path, password=lambda: "")


def _pem(entry: Entry, field: str) -> str:
    """The PEM text of `field-data` (base64) or of the file `field`; '' if there is neither."""
    data: Any = entry.data.get(f"{field}-data")
    try:
        if data:
            return base64.b64decode(str(data), validate=False).decode()
        path = entry.data.get(field)
        return (entry.directory / str(path)).read_text() if path else ""
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadConfig(
            f"{field}-data of '{entry.name}' is not base64 of a PEM text.", safe=NOTHING_SENT
        ) from error
    except OSError as error:
        raise BadConfig(
            f"{field} of '{entry.name}' cannot be read: {error.filename} ({error.strerror}).",
            safe=NOTHING_SENT,
        ) from error
