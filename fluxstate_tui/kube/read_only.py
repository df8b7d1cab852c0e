"""--read-only, enforced where requests leave (promise P16): nothing that changes anything goes out.

An exec over websocket is a GET but may do anything, so it counts as a change unless the caller
vouches that its program only reads.
"""

from __future__ import annotations

from fluxstate_tui.kube.errors import NOTHING_SENT, ReadOnly

TO_ALLOW = (
    "Start again without --read-only to allow changes (with --write, if your configuration"
    " protects this context)."
)

# Reviews are POSTs that change nothing (Kubernetes API: authorization, authentication).
_REVIEWS = frozenset(
    {
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    }
)
_READING = frozenset({"GET", "HEAD"})
# Subresources that reach into a pod, whatever the method.
_REACHING = frozenset({"exec", "attach", "portforward", "proxy"})


def changes_something(method: str, path: str) -> bool:
    """True unless this request is sure to change nothing."""
    if method == "POST" and path in _REVIEWS:
        return False
    if method not in _READING:
        return True
    return not _REACHING.isdisjoint(path.split("?")[0].split("/"))


def refuse_changes(method: str, path: str) -> None:
    """Raise ReadOnly if this request could change something."""
    if changes_something(method, path):
        raise ReadOnly(
            f"Refused, because of --read-only: {method} {path.split('?')[0]}.",
            safe=NOTHING_SENT,
            advice=TO_ALLOW,
        )
