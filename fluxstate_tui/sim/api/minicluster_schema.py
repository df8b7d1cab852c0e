"""The MiniCluster CRD's schema, v1alpha2 (operator 2026-06) and v1alpha1 (2023-09).

Fields and defaults: api/v1alpha2/minicluster_types.go and the generated CRD. Defaults inside an
object only appear when the object is there, as structural defaulting does it.
"""

from __future__ import annotations

from fluxstate_tui.sim.api.schema import (
    Schema,
    any_value,
    array,
    boolean,
    integer,
    mapping,
    record,
    text,
)

DEADLINE_SECONDS = 31500000


def _security_context() -> Schema:
    return any_value()


def _volume() -> Schema:
    names = ("path", "claimName", "hostPath", "secretName", "configMapName", "emptyDirMedium",
             "emptyDirSizeLimit", "csiDriver")  # fmt: skip
    fields: dict[str, Schema] = {name: text() for name in names}
    fields["path"] = text()
    fields["claimName"] = text()
    fields["emptyDir"] = boolean(False)
    fields["readOnly"] = boolean(False)
    fields["delete"] = boolean(True)
    fields["items"] = mapping(text())
    fields["csiDriverAttributes"] = mapping(text())
    return record(fields)


def _commands() -> Schema:
    names = ("prefix", "script", "init", "pre", "post", "workerPre", "brokerPre", "servicePre")
    return record({name: text() for name in names})


def _container(volume: Schema, required: tuple[str, ...] = ()) -> Schema:
    return record(
        {
            "image": text("ghcr.io/rse-ops/accounting:app-latest"),
            "imagePullSecret": text(),
            "imagePullPolicy": text(),
            "workingDir": text(),
            "name": text(),
            "command": text(),
            "pullAlways": boolean(False),
            "ports": array(integer()),
            "environment": mapping(text()),
            "secrets": mapping(record({"name": text(), "key": text()}, ("key", "name"))),
            "launcher": boolean(),
            "batch": boolean(),
            "batchRaw": boolean(),
            "logs": text(),
            "runFlux": boolean(),
            "noWrapEntrypoint": boolean(),
            "volumes": mapping(volume),
            "lifeCycle": record({"postStartExec": text(), "preStopExec": text()}),
            "resources": any_value(),
            "commands": _commands(),
            "securityContext": _security_context(),
        },
        required,
    )


def _flux() -> Schema:
    view = record(
        {
            "image": text("ghcr.io/converged-computing/flux-view-ubuntu:tag-noble"),
            "name": text("flux-view"),
            "mountPath": text("/mnt/flux"),
            "disable": boolean(False),
            "pullAlways": boolean(False),
            "imagePullSecret": text(),
            "workingDir": text(),
            "pythonPath": text(),
            "resources": any_value(),
            "securityContext": _security_context(),
        }
    )
    lead = record({"address": text(), "name": text(), "size": integer(), "port": integer(8050)})
    names = ("submitCommand", "wrap", "optionFlags", "curveCert", "mungeSecret", "brokerConfig",
             "arch", "topology")  # fmt: skip
    fields: dict[str, Schema] = {name: text() for name in names}
    fields |= {
        "container": view,
        "connectTimeout": text("5s"),
        "logLevel": integer(6),
        "minimalService": boolean(),
        "disableSocket": boolean(),
        "noWaitSocket": boolean(),
        "completeWorkers": boolean(),
        "scheduler": record({"simple": boolean(), "queuePolicy": text()}),
        "bursting": record(
            {"leadBroker": lead, "hostlist": text(), "clusters": array(any_value())}
        ),
        "environment": mapping(text()),
    }
    return record(fields)


def _pod() -> Schema:
    names = (
        "restartPolicy",
        "serviceAccountName",
        "runtimeClassName",
        "schedulerName",
        "dnsPolicy",
    )
    fields: dict[str, Schema] = {name: text() for name in names}
    fields |= {
        "annotations": mapping(text()),
        "labels": mapping(text()),
        "nodeSelector": mapping(text()),
        "nodeAffinity": mapping(array(text())),
        "tolerations": array(any_value()),
        "resources": any_value(),
        "securityContext": _security_context(),
        "automountServiceAccountToken": boolean(),
        "hostIPC": boolean(),
        "hostPID": boolean(),
    }
    return record(fields)


def _common() -> dict[str, Schema]:
    return {
        "interactive": boolean(False),
        "size": integer(1),
        "maxSize": integer(),
        "minSize": integer(),
        "tasks": integer(1),
        "cleanup": boolean(False),
        "deadlineSeconds": integer(DEADLINE_SECONDS, "int64"),
        "backoffLimit": integer(),
        "jobLabels": mapping(text()),
        "shareProcessNamespace": boolean(),
        "archive": record({"path": text()}),
        "logging": record({
            name: boolean(False) for name in ("quiet", "strict", "debug", "zeromq", "timed")
        }),
        "pod": _pod(),
    }  # fmt: skip


def _status() -> Schema:
    condition = ("lastTransitionTime", "message", "reason", "status", "type")
    return record(
        {
            "size": integer(),
            "maximumSize": integer(),
            "selector": text(),
            "jobid": text(),
            "conditions": array(record({name: text() for name in condition}, condition)),
        },
        ("jobid", "maximumSize", "selector", "size"),
    )


def _whole(spec: dict[str, Schema]) -> Schema:
    return record({"spec": record(spec, ("containers",)), "status": _status()})


def v1alpha2() -> Schema:
    """spec and status of flux-framework.org/v1alpha2."""
    spec = _common()
    spec |= {
        "containers": array(_container(_volume())),
        "services": array(_container(_volume())),
        "network": record({"headlessName": text(), "disableAffinity": boolean(False)}),
        "flux": _flux(),
    }
    return _whole(spec)


def v1alpha1() -> Schema:
    """spec and status of flux-framework.org/v1alpha1: volumes at the top, Flux in the image."""
    spec = _common()
    volume = record(
        {
            "path": text(),
            "labels": mapping(text()),
            "annotations": mapping(text()),
            "claimAnnotations": mapping(text()),
            "attributes": mapping(text()),
            "volumeHandle": text(),
            "storageClass": text("hostpath"),
            "driver": text(),
            "delete": boolean(True),
            "secret": text(),
            "secretNamespace": text("default"),
            "capacity": text("5Gi"),
        }
    )
    container = _container(record({"path": text(), "readOnly": boolean(False)}))
    extra = {
        "cores": integer(),
        "diagnostics": boolean(),
        "fluxUser": record({"name": text("flux"), "uid": integer(1000)}),
        "existingVolumes": mapping(any_value()),
    }
    merged = record({**container.properties, **extra}, container.required)
    flux = _flux()
    spec |= {
        "containers": array(merged),
        "services": array(merged),
        "volumes": mapping(volume),
        "users": array(any_value()),
        "fluxRestful": any_value(),
        "flux": record({**flux.properties, "installRoot": text("/usr"), "curveCertSecret": text()}),
    }
    return _whole(spec)
