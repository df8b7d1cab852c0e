"""/version, /api, /apis and their resource lists, as Kubernetes 1.33 answers them."""

from __future__ import annotations

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import ALL_VERBS, Kind, Registry

VERSION: JsonObject = {
    "major": "1",
    "minor": "33",
    "emulationMajor": "1",
    "emulationMinor": "33",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "32",
    "gitVersion": "v1.33.13",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-08-20T09:19:00Z",
    "goVersion": "go1.24.11",
    "compiler": "gc",
    "platform": "linux/amd64",
}

# Groups without stored objects: only reviews are posted to them.
_REVIEWS = {
    "authorization.k8s.io": (("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
                             ("selfsubjectrulesreviews", "SelfSubjectRulesReview")),
    "authentication.k8s.io": (("selfsubjectreviews", "SelfSubjectReview"),),
}  # fmt: skip

_SUBRESOURCE_VERBS = {
    "status": ["get", "patch", "update"],
    "scale": ["get", "patch", "update"],
    "finalize": ["update"],
    "log": ["get"],
    "exec": ["create", "get"],
    "eviction": ["create"],
}


def _group(name: str, versions: list[str]) -> JsonObject:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def _subresource(kind: Kind, name: str) -> JsonObject:
    entry: JsonObject = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
    }
    if name == "scale":
        entry |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    elif name == "exec":
        entry["kind"] = "PodExecOptions"
    elif name == "eviction":
        entry |= {"group": "policy", "version": "v1", "kind": "Eviction"}
    else:
        entry["kind"] = kind.kind
    entry["verbs"] = _SUBRESOURCE_VERBS[name]
    return entry


def _resources(kinds: list[Kind]) -> list[JsonObject]:
    listed: list[JsonObject] = []
    for kind in kinds:
        entry: JsonObject = {
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": list(ALL_VERBS),
        }
        if kind.short:
            entry["shortNames"] = list(kind.short)
        if kind.categories:
            entry["categories"] = list(kind.categories)
        listed.append(entry)
        listed += [_subresource(kind, name) for name in kind.subresources]
    return listed


def discover(registry: Registry, path: str, address: str) -> JsonObject | None:
    """The answer to a discovery path, or None if it is none."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["version"]:
            return VERSION
        case ["api"]:
            cidr = {"clientCIDR": "0.0.0.0/0", "serverAddress": address}
            versions = {"kind": "APIVersions", "versions": ["v1"]}
            return {**versions, "serverAddressByClientCIDRs": [cidr]}
        case ["apis"]:
            groups = {**registry.groups(), **{name: ["v1"] for name in _REVIEWS}}
            listed = [_group(name, versions) for name, versions in groups.items()]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        case ["apis", group] if group in registry.groups():
            found = _group(group, registry.groups()[group])
            return {"kind": "APIGroup", "apiVersion": "v1", **found}
        case ["apis", group] if group in _REVIEWS:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, ["v1"])}
        case ["api", "v1"]:
            return _resource_list("v1", _resources(registry.in_group("", "v1")))
        case ["apis", group, "v1"] if group in _REVIEWS:
            listed = [
                {"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind,
                 "verbs": ["create"]}
                for plural, kind in _REVIEWS[group]
            ]  # fmt: skip
            return _resource_list(f"{group}/v1", listed)
        case ["apis", group, version] if registry.in_group(group, version):
            return _resource_list(
                f"{group}/{version}", _resources(registry.in_group(group, version))
            )
    return None


def _resource_list(group_version: str, resources: list[JsonObject]) -> JsonObject:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }
