"""Certificates made for tests (a CA of our own, valid for a hundred years, worth nothing)."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

TLS = Path(__file__).parents[2] / "data" / "kubernetes" / "tls"


def data(name: str) -> str:
    """A PEM file as it stands in a kubeconfig's `...-data`."""
    return base64.b64encode((TLS / name).read_bytes()).decode()


def server_side(name: str = "server", *, ask_client: bool = False) -> ssl.SSLContext:
    """TLS for a server; `named` is made out for kube.example only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / f"{name}.pem", TLS / f"{name}.key")
    if ask_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(TLS / "ca.pem")
    return context
