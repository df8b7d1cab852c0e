"""Flags that every command shares, named as kubectl names them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxstate_tui.kube.options import KubeOptions


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Which cluster, as whom, and in which namespace."""
    group = parser.add_argument_group("cluster")
    group.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, ~/.kube/config")
    group.add_argument("--context", metavar="NAME", help="a context of the kubeconfig")
    group.add_argument("--cluster", metavar="NAME", help="a cluster of the kubeconfig")
    group.add_argument("--user", metavar="NAME", help="a user of the kubeconfig")
    group.add_argument("-n", "--namespace", metavar="NS", help="default: the context's")
    group.add_argument("-A", "--all-namespaces", action="store_true", help="all namespaces")
    group.add_argument("--as", dest="as_user", metavar="USER", help="impersonate this user")
    group.add_argument(
        "--as-group", dest="as_groups", metavar="GROUP", action="append", default=[], help="a group"
    )
    group.add_argument(
        "--request-timeout", type=float, default=15.0, metavar="S", help="seconds (default 15)"
    )
    group.add_argument(
        "--read-only", action="store_true", help="no request that changes anything leaves"
    )


def kube_options(args: argparse.Namespace) -> KubeOptions:
    """The parsed flags as the client layer takes them."""
    from fluxstate_tui.kube.options import KubeOptions

    return KubeOptions(
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
    )
