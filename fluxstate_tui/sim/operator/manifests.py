"""The objects that the Flux Operator creates for a MiniCluster."""

from __future__ import annotations

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.operator.cluster_view import MiniClusterView

COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
DEFAULT_BACKOFF_LIMIT = 100


def labels(cluster: MiniClusterView) -> dict[str, str]:
    """Labels of pods and Job."""
    return {
        "app": "flux-operator",
        "app.kubernetes.io/name": cluster.name,
        "hpa-selector": cluster.name,
        "job-name": cluster.name,
        "namespace": cluster.namespace,
    }


def owner_reference(obj: JsonObject) -> JsonObject:
    """A controlling ownerReference to `obj`."""
    metadata = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _metadata(cluster: MiniClusterView, name: str) -> JsonObject:
    return {
        "name": name,
        "namespace": cluster.namespace,
        "ownerReferences": [owner_reference(cluster.obj)],
    }


def config_map_name(cluster_name: str) -> str:
    """The ConfigMap with the entrypoints."""
    return f"{cluster_name}-entrypoint"


def config_map(cluster: MiniClusterView) -> JsonObject:
    """The entrypoints. Their text is the simulation's own: the kubelet acts them out."""
    text = "#!/bin/bash\n# The simulated cluster acts this entrypoint out.\n"
    data = {
        f"wait-{cluster.flux_index}": text,
        "curve.cert": "#  a certificate of the simulation\n",
    }
    if cluster.flavour.has_view:
        data[str(cluster.view["name"])] = text
    return {"metadata": _metadata(cluster, config_map_name(cluster.name)), "data": data}


def service(cluster: MiniClusterView) -> JsonObject:
    """The headless service through which brokers find each other."""
    selector = {"job-name": cluster.name}
    spec = {"selector": selector, "clusterIP": "None", "clusterIPs": ["None"]}
    return {"metadata": _metadata(cluster, cluster.service_name), "spec": spec}


def job(cluster: MiniClusterView) -> JsonObject:
    """The Indexed Job."""
    spec = cluster.spec
    metadata = _metadata(cluster, cluster.name)
    metadata["labels"] = {**labels(cluster), **(spec.get("jobLabels") or {})}
    pod = spec.get("pod") or {}
    template_metadata: JsonObject = {
        "name": cluster.name,
        "namespace": cluster.namespace,
        "creationTimestamp": None,
        "labels": {**labels(cluster), **(pod.get("labels") or {})},
    }
    if pod.get("annotations"):
        template_metadata["annotations"] = pod["annotations"]
    return {
        "metadata": metadata,
        "spec": {
            "parallelism": cluster.size,
            "completions": cluster.size,
            "activeDeadlineSeconds": spec.get("deadlineSeconds", 31500000),
            "backoffLimit": spec.get("backoffLimit") or DEFAULT_BACKOFF_LIMIT,
            "completionMode": "Indexed",
            "template": {"metadata": template_metadata, "spec": _pod_spec(cluster)},
        },
    }


def job_rejection(cluster: MiniClusterView) -> str:
    """Why the API server would refuse the Job, or empty: a volume without a source."""
    if cluster.flavour.has_view:
        for container in cluster.spec["containers"]:
            for name, volume in (container.get("volumes") or {}).items():
                if not any(volume.get(kind) for kind in _SOURCES):
                    return f"volume {name}: persistentVolumeClaim.claimName: Required value"
    return ""


_SOURCES = ("hostPath", "claimName", "emptyDir", "secretName", "configMapName", "csiDriver")


def _pod_spec(cluster: MiniClusterView) -> JsonObject:
    spec, pod = cluster.spec, cluster.spec.get("pod") or {}
    volumes, shared = _shared_volumes(cluster)
    containers = []
    for index, container in enumerate(spec["containers"]):
        volumes += _extra_volumes(cluster, container)
        containers.append(_container(cluster, index, container, shared))
    built: JsonObject = {
        "volumes": volumes,
        "containers": containers,
        "restartPolicy": pod.get("restartPolicy") or "OnFailure",
        "automountServiceAccountToken": pod.get("automountServiceAccountToken", False),
        "shareProcessNamespace": spec.get("shareProcessNamespace", False),
        "subdomain": cluster.service_name,
        "affinity": _affinity(cluster.name),
        "setHostnameAsFQDN": False,
    }
    if cluster.flavour.has_view:
        built["initContainers"] = [_view_container(cluster)]
    for name in ("nodeSelector", "tolerations", "schedulerName", "serviceAccountName", "dnsPolicy"):
        if pod.get(name):
            built[name] = pod[name]
    return built


def _affinity(name: str) -> JsonObject:
    def term(topology: str) -> JsonObject:
        expression = {"key": "app.kubernetes.io/name", "operator": "In", "values": [name]}
        selector = {"matchExpressions": [expression]}
        rule = {"labelSelector": selector, "topologyKey": topology}
        return {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 100, "podAffinityTerm": rule}
            ]
        }

    return {
        "podAffinity": term("topology.kubernetes.io/zone"),
        "podAntiAffinity": term("kubernetes.io/hostname"),
    }


def _shared_volumes(cluster: MiniClusterView) -> tuple[list[JsonObject], list[JsonObject]]:
    """Volumes that each pod has, and their mounts in the Flux container."""
    entry = config_map_name(cluster.name)
    index = cluster.flux_index
    items: list[JsonObject] = [{"key": f"wait-{index}", "path": f"wait-{index}.sh", "mode": 511}]
    volumes: list[JsonObject] = []
    mounts: list[JsonObject] = []
    if cluster.flavour.has_view:
        items.append({"key": cluster.view["name"], "path": "flux-init.sh", "mode": 511})
        volumes = [{"name": name, "emptyDir": {}}
                   for name in ("spack-software", "flux-operator-home", "flux-view")]  # fmt: skip
        mounts = [
            {"name": "flux-operator-home", "mountPath": "/home/flux-operator"},
            {"name": "flux-view", "mountPath": cluster.mount_path},
            {"name": "spack-software", "mountPath": "/opt/software"},
        ]
    items.append({"key": "curve.cert", "path": "curve.cert"})
    source = {"name": entry, "items": items, "defaultMode": 420}
    volumes.append({"name": entry, "configMap": source})
    mounts.append({"name": entry, "readOnly": True, "mountPath": "/flux_operator/"})
    return volumes, mounts


def _extra_volumes(cluster: MiniClusterView, container: JsonObject) -> list[JsonObject]:
    """Volumes that the containers name: v1alpha2 inline, v1alpha1 by spec.volumes."""
    built = []
    for name, volume in (container.get("volumes") or {}).items():
        if not cluster.flavour.has_view:
            source: JsonObject = {"persistentVolumeClaim": {"claimName": f"{name}-claim"}}
        elif volume.get("secretName"):
            source = {"secret": {"secretName": volume["secretName"]}}
        elif volume.get("emptyDir"):
            source = {"emptyDir": {}}
        elif volume.get("hostPath"):
            source = {"hostPath": {"path": volume["hostPath"], "type": "Directory"}}
        elif volume.get("configMapName"):
            source = {"configMap": {"name": volume["configMapName"]}}
        else:
            source = {"persistentVolumeClaim": {"claimName": volume.get("claimName", "")}}
        built.append({"name": name, **source})
    for name, volume in (container.get("existingVolumes") or {}).items():
        source = {"persistentVolumeClaim": {"claimName": volume.get("claimName", "")}}
        built.append({"name": name, **source})
    return built


def _environment() -> JsonObject:
    path = f"metadata.labels['{COMPLETION_INDEX}']"
    return {
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}},
    }


def _container(
    cluster: MiniClusterView, index: int, container: JsonObject, shared: list[JsonObject]
) -> JsonObject:
    runs_flux = container is cluster.flux_container
    script = "wait" if runs_flux else "start"
    mounted = {**(container.get("volumes") or {}), **(container.get("existingVolumes") or {})}
    mounts = [
        {"name": name, "mountPath": volume.get("path", "/dev/shm"), "readOnly": True}
        if volume.get("readOnly")
        else {"name": name, "mountPath": volume.get("path", "/dev/shm")}
        for name, volume in mounted.items()
    ]
    environment = [
        {"name": key, "value": value} for key, value in (container.get("environment") or {}).items()
    ]
    return {
        "name": cluster.name if runs_flux else container.get("name", f"{cluster.name}-{index}"),
        "image": container["image"],
        "command": ["/bin/bash", f"/flux_operator/{script}-{index}.sh"],
        "env": [_environment(), *environment],
        "resources": container.get("resources") or {},
        "volumeMounts": [*shared, *mounts],
        "lifecycle": {},
        "imagePullPolicy": "Always" if container.get("pullAlways") else "IfNotPresent",
        "securityContext": container.get("securityContext") or {},
        "stdin": True,
        "tty": True,
    }


def _view_container(cluster: MiniClusterView) -> JsonObject:
    view = cluster.view
    return {
        "name": view["name"],
        "image": view["image"],
        "command": ["/bin/bash", "/flux_operator/flux-init.sh"],
        "env": [_environment()],
        "resources": view.get("resources") or {},
        "volumeMounts": [
            {"name": "flux-operator-home", "mountPath": "/home/flux-operator"},
            {"name": "flux-view", "mountPath": cluster.mount_path},
            {"name": config_map_name(cluster.name), "readOnly": True,
             "mountPath": "/flux_operator/"},
        ],
        "imagePullPolicy": "Always" if view.get("pullAlways") else "IfNotPresent",
        "securityContext": {},
        "stdin": True,
        "tty": True,
    }  # fmt: skip
