"""The one node of the simulated cluster: what it can hold, and which images it can pull."""

from __future__ import annotations

import re

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import NODES
from fluxstate_tui.sim.api.store import ObjectStore

NODE_NAME = "sim-node"
NODE_IP = "10.99.0.1"
CORES = 4
_MEMORY = "24684096Ki"

# Images that no registry has; everything else is there.
_MISSING = re.compile(r"(nope|noview|nosuch|no-such|does-not-exist|not-found|missing|typo)")


def image_exists(image: str) -> bool:
    """Whether the node can pull an image: false for names that say so, like `.../nope:1`."""
    return _MISSING.search(image) is None


def pull_error(image: str) -> str:
    """What containerd says about an image that is not there."""
    registry, _, rest = image.partition("/")
    if "." not in registry:
        registry, rest = "registry-1.docker.io", image
    repository, _, tag = rest.partition(":")
    url = f"https://{registry}/v2/{repository}/manifests/{tag or 'latest'}"
    return (
        f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
        f'failed to do request: Head "{url}": dial tcp: lookup {registry}: no such host'
    )


def add_node(store: ObjectStore) -> None:
    """Register the node."""
    resources = {"cpu": str(CORES), "memory": _MEMORY, "pods": "200",
                 "ephemeral-storage": "264212084Ki"}  # fmt: skip
    labels = {"kubernetes.io/hostname": NODE_NAME, "kubernetes.io/os": "linux",
              "kubernetes.io/arch": "amd64"}  # fmt: skip
    status = {
        "capacity": resources,
        "allocatable": resources,
        "conditions": _conditions(store.timestamp()),
        "addresses": [{"type": "InternalIP", "address": NODE_IP},
                      {"type": "Hostname", "address": NODE_NAME}],
        "nodeInfo": _node_info(store),
    }  # fmt: skip
    metadata = {"name": NODE_NAME, "labels": labels}
    store.create(NODES, {"metadata": metadata, "spec": {}, "status": status})


def _conditions(now: str) -> list[JsonObject]:
    """A healthy kubelet's conditions (core/v1 NodeCondition)."""
    rows = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory",
         "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )  # fmt: skip
    return [
        {"type": name, "status": status, "lastHeartbeatTime": now, "lastTransitionTime": now,
         "reason": reason, "message": message}
        for name, status, reason, message in rows
    ]  # fmt: skip


def _node_info(store: ObjectStore) -> JsonObject:
    return {
        "machineID": store.new_uid().replace("-", ""), "systemUUID": store.new_uid(),
        "bootID": store.new_uid(), "kernelVersion": "6.18.0-sim",
        "osImage": "Simulated GNU/Linux", "containerRuntimeVersion": "containerd://1.6.20",
        "kubeletVersion": "v1.33.13", "kubeProxyVersion": "", "operatingSystem": "linux",
        "architecture": "amd64",
    }  # fmt: skip
