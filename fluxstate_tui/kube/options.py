"""What the user may say about the cluster to talk to: kubectl's own flags."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KubeOptions:
    """The common flags, as kubectl has them. None means: as the kubeconfig says.

    `kubeconfig` is one path (`--kubeconfig`); without it `$KUBECONFIG` (a list of paths), then
    `~/.kube/config`, then the service account of the pod that we run in. `as_user` and `as_groups`
    impersonate. `request_timeout` is in seconds and bounds one request, not a watch; 0 means no
    limit, as in kubectl.
    """

    kubeconfig: str | None = None
    context: str | None = None
    cluster: str | None = None
    user: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()
    read_only: bool = False
    request_timeout: float = 30.0
