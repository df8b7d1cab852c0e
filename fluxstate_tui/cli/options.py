"""Flags that every command shares, named as kubectl names them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from fluxstate_tui.cli.numbers import factor, seconds

if TYPE_CHECKING:
    from fluxstate_tui.config import Config
    from fluxstate_tui.kube.kubeconfig import KubeOptions


DEFAULTS: dict[str, Any] = {
    "kubeconfig": None,
    "context": None,
    "cluster": None,
    "user": None,
    "namespace": None,
    "all_namespaces": False,
    "as_user": None,
    "as_groups": [],
    "read_only": False,
    "write": False,
    "request_timeout": 15.0,
    "demo": False,
    "demo_speed": None,
}


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Which cluster, as whom, and in which namespace.

    The flags have no defaults here (DEFAULTS is set once, on the main parser): a command's parser
    would overwrite with them what stands before the command.
    """
    group = parser.add_argument_group("cluster")

    def flag(*names: str, **options: Any) -> None:
        group.add_argument(*names, default=argparse.SUPPRESS, **options)

    flag("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, ~/.kube/config")
    flag("--context", metavar="NAME", help="a context of the kubeconfig")
    flag("--cluster", metavar="NAME", help="a cluster of the kubeconfig")
    flag("--user", metavar="NAME", help="a user of the kubeconfig")
    flag("-n", "--namespace", metavar="NS", help="default: the context's")
    flag("-A", "--all-namespaces", action="store_true", help="all namespaces")
    flag("--as", dest="as_user", metavar="USER", help="impersonate this user")
    flag("--as-group", dest="as_groups", metavar="GROUP", action="append", help="and this group")
    flag("--request-timeout", type=seconds, metavar="S", help="seconds (default 15)")
    flag("--read-only", action="store_true", help="no request that changes anything leaves")
    flag("--write", action="store_true", help="allow changes of a context that is protected")
    flag("--demo", action="store_true", help="start a simulated cluster and use that")
    flag("--demo-speed", type=factor, metavar="X", help="seconds per second in the demo")


def kube_options(args: argparse.Namespace, *, terminal: bool = True) -> KubeOptions:
    """The parsed flags as the client layer takes them; the dashboard keeps the terminal."""
    from fluxstate_tui.kube.kubeconfig import KubeOptions

    options = KubeOptions(
        kubeconfig=args.kubeconfig,
        context=args.context,
        cluster=args.cluster,
        user=args.user,
        namespace=args.namespace,
        all_namespaces=args.all_namespaces,
        as_user=args.as_user,
        as_groups=tuple(args.as_groups),
        read_only=args.read_only,
        request_timeout=args.request_timeout,
        terminal=terminal,
    )
    if options.read_only or args.write or args.demo:
        return options
    return replace(options, read_only=_protected(options))


@cache
def configuration() -> Config:
    """The user's settings, read once; what was not understood is told on stderr."""
    from fluxstate_tui.config import config_path, load_config

    config = load_config(config_path())
    for problem in config.problems:
        print(f"warning: {problem}", file=sys.stderr)
    return config


def _protected(options: KubeOptions) -> bool:
    """Whether the configuration protects the context that is going to be used."""
    config = configuration()
    if not config.protected:
        return False
    from fluxstate_tui.kube.kubeconfig import current_context

    named = filter(None, (options.context or current_context(options), options.cluster))
    return config.protects(*(tuple(named) or ("",)))
