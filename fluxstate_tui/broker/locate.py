"""Where and how a MiniCluster's Flux is reached (ARCHITECTURE.md#F71).

Paths are discovered, never assumed: the socket comes from the operator's own flux-view.sh, whose
place is `spec.flux.container.mountPath`. Arguments travel as arguments of a constant script.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.errors import Forbidden, NotFound
from fluxstate_tui.kube.objects import JOBS, PODS
from fluxstate_tui.minicluster.minicluster import MiniCluster
from fluxstate_tui.minicluster.mount import Mount, mounts_of

if TYPE_CHECKING:
    from fluxstate_tui.kube.client import Cluster


MOUNT_PATH = "/mnt/flux"
INDEX = "batch.kubernetes.io/job-completion-index"

# v1alpha2: flux-view.sh puts the view's flux on PATH and exports `fluxsocket`. It is not there
# when the image brings its own flux (container.disable): then the socket is found where the
# operator puts it (config/run since 2025-10, view/run before).
VIEW_SCRIPT = """\
mount=$1
shift
if [ -f "$mount/flux-view.sh" ]; then . "$mount/flux-view.sh"; fi
if [ -z "$fluxsocket" ]; then
  fluxsocket=local://$mount/config/run/flux/local
  if [ -e "$mount/view/run/flux/local" ]; then fluxsocket=local://$mount/view/run/flux/local; fi
fi
export FLUX_URI="$fluxsocket" FLUX_F58_FORCE_ASCII=1
exec flux "$@"
"""

# v1alpha1: the broker belongs to user `flux` (unless commands.runFluxAsRoot), exec comes as root.
SUDO_SCRIPT = """\
user=$1
shift
socket=/run/flux/local
if [ -e /var/run/flux/local ]; then socket=/var/run/flux/local; fi
export FLUX_URI="local://$socket" FLUX_F58_FORCE_ASCII=1
if [ "$user" = root ]; then exec flux "$@"; fi
exec sudo -u "$user" -E PYTHONPATH="$PYTHONPATH" PATH="$PATH" HOME="/home/$user" \
FLUX_URI="$FLUX_URI" FLUX_F58_FORCE_ASCII=1 flux "$@"
"""

_WAIT_SCRIPT = re.compile(r"/wait-\d+\.sh\b")


class NoLead(FluxstateError):
    """There is no lead broker's container that runs, so Flux cannot be asked now."""

    exit_code = ExitCode.NO_CONNECTION


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One container that runs the lead broker, and the way to its flux.

    `flavour` is v1alpha2 or v1alpha1; `place` is the mount path, or the user for v1alpha1.
    `mounts` are the volumes of the container.
    """

    namespace: str
    pod: str
    pod_uid: str
    container: str
    flavour: str = "v1alpha2"
    place: str = MOUNT_PATH
    mounts: tuple[Mount, ...] = ()

    def flux_argv(self, args: Sequence[str]) -> list[str]:
        """The argv of `flux ARGS` in that container: `["queue", "stop", "--all"]`."""
        script = SUDO_SCRIPT if self.flavour == "v1alpha1" else VIEW_SCRIPT
        return ["/bin/bash", "-c", script, "flux", self.place, *args]


def find_endpoint(
    minicluster: MiniCluster, raw_pods: Iterable[dict[str, Any]], job_uid: str = ""
) -> Endpoint:
    """The running lead (completion index 0) among pods as the API gives them.

    Pods are chosen by owner: the Kubernetes Job with `job_uid` (or, if it is unknown, with the
    MiniCluster's name). Raises NoLead with the reason.
    """
    ref = minicluster.ref
    leads = [pod for pod in raw_pods if _owned(pod, ref.name, job_uid) and _index(pod) == 0]
    alive = [pod for pod in leads if "deletionTimestamp" not in pod["metadata"]]
    if not alive:
        what = "is being deleted" if leads else "does not exist yet"
        raise NoLead(f"The lead pod of MiniCluster {ref} {what}.", safe="Nothing was asked.")
    pod = max(alive, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    container = _container(pod, ref.name)
    name = str(pod["metadata"]["name"])
    if not _runs(pod, container):
        raise NoLead(
            f"Container '{container}' of the lead pod {name} does not run.",
            safe="Nothing was asked.",
            advice=f"kubectl -n {ref.namespace} describe pod {name}",
        )
    flavour, place = _flavour(minicluster)
    uid = str(pod["metadata"].get("uid", ""))
    mounts = mounts_of(pod, container)
    return Endpoint(
        namespace=ref.namespace,
        pod=name,
        pod_uid=uid,
        container=container,
        flavour=flavour,
        place=place,
        mounts=mounts,
    )


def _owned(pod: dict[str, Any], name: str, job_uid: str) -> bool:
    for owner in pod["metadata"].get("ownerReferences") or []:
        if owner.get("kind") == "Job" and owner.get("controller", True):
            return bool(owner.get("uid") == job_uid if job_uid else owner.get("name") == name)
    return False


def _index(pod: dict[str, Any]) -> int | None:
    text = (pod["metadata"].get("annotations") or {}).get(INDEX, "")
    return int(text) if str(text).isdigit() else None


def _container(pod: dict[str, Any], name: str) -> str:
    """The one that runs the operator's wait script, else the one with the MiniCluster's name."""
    containers = pod["spec"].get("containers") or []
    for container in containers:
        words = [*(container.get("command") or []), *(container.get("args") or [])]
        if any(_WAIT_SCRIPT.search(str(word)) for word in words):
            return str(container["name"])
    names = [str(container["name"]) for container in containers]
    return name if name in names or not names else names[0]


def _runs(pod: dict[str, Any], container: str) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return any(
        status.get("name") == container and "running" in (status.get("state") or {})
        for status in statuses
    )


def _flavour(minicluster: MiniCluster) -> tuple[str, str]:
    spec = minicluster.raw.get("spec") or {}
    if minicluster.api_version.endswith("v1alpha1"):
        as_root = any(
            (container.get("commands") or {}).get("runFluxAsRoot")
            for container in spec.get("containers") or []
        )
        return "v1alpha1", "root" if as_root else "flux"
    view = (spec.get("flux") or {}).get("container") or {}
    return "v1alpha2", str(view.get("mountPath") or MOUNT_PATH)


# Ask the API server where a MiniCluster's lead broker runs.


async def locate(cluster: Cluster, minicluster: MiniCluster) -> Endpoint:
    """The lead's container right now.

    Raises NoLead (no Job, no pod, not running), or the KubeError of the request.
    """
    ref = minicluster.ref
    try:
        job = await cluster.get(JOBS, ref.name, ref.namespace)
    except NotFound:
        raise NoLead(f"MiniCluster {ref} has no Job yet.", safe="Nothing was asked.") from None
    except Forbidden:
        job_uid = ""  # without this right the Job's name has to do
    else:
        owners = job["metadata"].get("ownerReferences") or []
        if not any(owner.get("uid") == ref.uid for owner in owners):
            raise NoLead(
                f"The Job of MiniCluster {ref} belongs to an earlier one.",
                safe="Nothing was asked.",
            )
        job_uid = job["metadata"]["uid"]
    pods = await cluster.list(PODS, ref.namespace, label_selector=f"job-name={ref.name}")
    return find_endpoint(minicluster, pods, job_uid)
