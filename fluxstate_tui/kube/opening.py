"""From options to an open transport. Imports aiohttp and `kubernetes`, so it is imported late."""

from __future__ import annotations

import asyncio

from fluxstate_tui.clock import Clock
from fluxstate_tui.kube.credentials import Credentials, choose_source
from fluxstate_tui.kube.exec_plugin import ExecPluginSource
from fluxstate_tui.kube.impersonation import impersonation_headers
from fluxstate_tui.kube.kubeconfig import resolve_target
from fluxstate_tui.kube.options import KubeOptions
from fluxstate_tui.kube.proxy import choose_proxy
from fluxstate_tui.kube.transport import Route, Transport


async def open_transport(options: KubeOptions, clock: Clock) -> Transport:
    """Resolve the kubeconfig in a thread (it imports `kubernetes`) and make a transport."""
    target = await asyncio.to_thread(resolve_target, options)
    route = Route(
        target=target,
        proxy=choose_proxy(target),
        impersonation=tuple(impersonation_headers(target, options)),
        read_only=options.read_only,
        request_timeout=options.request_timeout or None,
    )
    source = choose_source(target, clock, ExecPluginSource)
    return Transport(route, Credentials(source, clock), clock)
