"""`as:` of the kubeconfig and --as: acting as somebody else (Kubernetes user impersonation)."""

from __future__ import annotations

from urllib.parse import quote

from fluxstate_tui.kube.errors import NOTHING_SENT, BadConfig
from fluxstate_tui.kube.kubeconfig import Target
from fluxstate_tui.kube.options import KubeOptions


def impersonation_headers(target: Target, options: KubeOptions) -> list[tuple[str, str]]:
    """The Impersonate-* headers; none if nobody is impersonated.

    --as and --as-group replace what the kubeconfig says, as in kubectl.
    """
    user = target.user.data
    name = options.as_user if options.as_user is not None else str(user.get("as") or "")
    replaced = options.as_user is not None or bool(options.as_groups)
    groups = list(options.as_groups if replaced else user.get("as-groups") or ())
    uid = "" if replaced else str(user.get("as-uid") or "")
    extra = {} if replaced else dict(user.get("as-user-extra") or {})
    if not name:
        if groups or uid or extra:
            raise BadConfig(
                "Groups are impersonated without a user.",
                safe=NOTHING_SENT,
                advice="Give --as together with --as-group.",
            )
        return []
    headers = [("Impersonate-User", name)]
    headers += [("Impersonate-Group", str(group)) for group in groups]
    if uid:
        headers.append(("Impersonate-Uid", uid))
    for key, values in extra.items():
        name = f"Impersonate-Extra-{quote(str(key), safe='')}"
        headers += [(name, str(value)) for value in values]
    return headers
