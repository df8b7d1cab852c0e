"""What a MiniCluster's spec gives to its pods, and how two specs differ. Pure rules.

Whoever may mount the volume of the archives may write the spec that a manifest there holds. So a
field counts as a right unless it is known to be harmless, also one of an operator to come.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

Path = tuple[str | int, ...]
_LONGEST = 400
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Right(Enum):
    """What a field gives, the gravest first."""

    PRIVILEGED = "privileged"
    CAPABILITY = "capabilities"
    HOST_NAMESPACE = "namespaces of the node"
    HOST_PATH = "directories of the node"
    SERVICE_ACCOUNT = "a service account"
    SECRET = "secrets"
    SECURITY_CONTEXT = "a security context"
    NETWORK = "network"
    COMMAND = "commands"
    IMAGE = "images"
    VOLUME = "volumes"
    ENVIRONMENT = "environment"
    OTHER = "other settings"
    HARMLESS = "nothing"


GRAVE = frozenset(list(Right)[: list(Right).index(Right.NETWORK)])
"""Beyond what every MiniCluster has: an image that runs commands, with an environment, on a
volume."""

_RANK = {right: number for number, right in enumerate(Right)}

_BY_NAME = {
    "privileged": Right.PRIVILEGED,
    "allowPrivilegeEscalation": Right.PRIVILEGED,
    "capabilities": Right.CAPABILITY,
    "hostPID": Right.HOST_NAMESPACE,
    "hostIPC": Right.HOST_NAMESPACE,
    "hostNetwork": Right.HOST_NAMESPACE,
    "shareProcessNamespace": Right.HOST_NAMESPACE,
    "hostPath": Right.HOST_PATH,
    "serviceAccountName": Right.SERVICE_ACCOUNT,
    "automountServiceAccountToken": Right.SERVICE_ACCOUNT,
    "secrets": Right.SECRET,
    "secret": Right.SECRET,
    "secretName": Right.SECRET,
    "secretNamespace": Right.SECRET,
    "imagePullSecret": Right.SECRET,
    "mungeSecret": Right.SECRET,
    "curveCert": Right.SECRET,
    "curveCertSecret": Right.SECRET,
    "securityContext": Right.SECURITY_CONTEXT,
    "fluxUser": Right.SECURITY_CONTEXT,
    "users": Right.SECURITY_CONTEXT,
    "network": Right.NETWORK,
    "ports": Right.NETWORK,
    "bursting": Right.NETWORK,
    "fluxRestful": Right.NETWORK,
    "command": Right.COMMAND,
    "commands": Right.COMMAND,
    "preCommand": Right.COMMAND,
    "lifeCycle": Right.COMMAND,
    "launcher": Right.COMMAND,
    "batch": Right.COMMAND,
    "batchRaw": Right.COMMAND,
    "submitCommand": Right.COMMAND,
    "wrap": Right.COMMAND,
    "optionFlags": Right.COMMAND,
    "brokerConfig": Right.COMMAND,
    "image": Right.IMAGE,
    "imagePullPolicy": Right.IMAGE,
    "volumes": Right.VOLUME,
    "existingVolumes": Right.VOLUME,
    "archive": Right.VOLUME,
    "environment": Right.ENVIRONMENT,
}

# Whole paths, list places as 0; nothing below a key that a user names.
_HARMLESS: frozenset[Path] = frozenset(
    [
        *((name,) for name in ("size", "maxSize", "minSize", "tasks", "interactive", "cleanup")),
        *((name,) for name in ("deadlineSeconds", "backoffLimit")),
        *(("logging", name) for name in ("quiet", "strict", "debug", "zeromq", "timed")),
        *(("flux", name) for name in ("logLevel", "connectTimeout", "minimalService")),
        *(("flux", name) for name in ("noWaitSocket", "completeWorkers", "disableSocket")),
        *(("flux", "scheduler", name) for name in ("simple", "queuePolicy")),
        *((group, 0, name) for group in ("containers", "services") for name in ("name", "runFlux")),
        *(
            ("containers", 0, "resources", kind, what)
            for kind in ("limits", "requests")
            for what in ("cpu", "memory", "ephemeral-storage")
        ),
    ]
)


@dataclass(frozen=True, slots=True)
class SpecRight:
    """One field that gives something; `value` is never a map or a list that has anything in it."""

    right: Right
    path: Path
    value: Any

    def __str__(self) -> str:
        return f"{self.right.value}: {path_text(self.path)} = {value_text(self.value)}"


@dataclass(frozen=True, slots=True)
class SpecDifference:
    """A field whose values differ; None is a field that is not set."""

    right: Right
    path: Path
    known: Any
    asked: Any

    def __str__(self) -> str:
        kind = "" if self.right is Right.HARMLESS else f"{self.right.value}: "
        known, asked = value_text(self.known), value_text(self.asked)
        return f"{kind}{path_text(self.path)} = {asked} (known: {known})"


def rights_of(spec: dict[str, Any]) -> tuple[SpecRight, ...]:
    """All fields that are set and not known to be harmless, the gravest first."""
    found = [
        SpecRight(right, path, value)
        for path, value in _leaves(spec)
        if (right := _right(spec, path)) is not Right.HARMLESS and _gives(right, value)
    ]
    return tuple(sorted(found, key=lambda one: (_RANK[one.right], path_text(one.path))))


def differences(known: dict[str, Any], asked: dict[str, Any]) -> tuple[SpecDifference, ...]:
    """Every field of `asked` that is not as in `known`, the gravest first."""
    before, after = dict(_leaves(known)), dict(_leaves(asked))
    found = []
    for path in before.keys() | after.keys():
        one, other = before.get(path), after.get(path)
        # As JSON, for 1 and True are equal to Python. A default may be written out or not.
        if value_text(one, 0) == value_text(other, 0):
            continue
        right = min(_right(known, path), _right(asked, path), key=_RANK.__getitem__)
        # Not in a security context: there, what was forbidden may not be forbidden any more.
        nothing = not _gives(right, one) and not _gives(right, other)
        if nothing and "securityContext" not in path:
            continue
        found.append(SpecDifference(right, path, one, other))
    return tuple(sorted(found, key=lambda one: (_RANK[one.right], path_text(one.path))))


def grave_words(spec: dict[str, Any]) -> str:
    """The grave rights in a few words, '' when it has none."""
    grave = [one.right for one in rights_of(spec) if one.right in GRAVE]
    return ", ".join(right.value for right in dict.fromkeys(grave))


def path_text(path: Path) -> str:
    """As people write it: `containers[0].image`; strange keys in quotes."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN_KEY.fullmatch(key):
            text += f".{key}" if text else key
        else:
            text += f"[{value_text(key)}]"
    return text


def value_text(value: Any, longest: int = _LONGEST) -> str:
    """As JSON on one line; what is longer is cut and says so (`longest` 0 cuts nothing)."""
    if value is None:
        return "not set"
    text = json.dumps(value, sort_keys=True, default=str)
    if 0 < longest < len(text):
        return f"{text[:longest]}… and {len(text) - longest} more characters"
    return text


def _leaves(value: Any) -> Iterator[tuple[Path, Any]]:
    """Every value below that holds no other. Without recursion: others chose the depth."""
    rest: list[tuple[Path, Any]] = [((), value)]
    while rest:
        path, inside = rest.pop()
        if isinstance(inside, dict) and inside:
            rest.extend(((*path, str(key)), item) for key, item in inside.items())
        elif isinstance(inside, list) and inside:
            rest.extend(((*path, number), item) for number, item in enumerate(inside))
        else:
            yield path, inside


def _right(spec: dict[str, Any], path: Path) -> Right:
    if tuple(0 if isinstance(key, int) else key for key in path) in _HARMLESS:
        return Right.HARMLESS
    named = [_BY_NAME[key] for key in path if isinstance(key, str) and key in _BY_NAME]
    if _made_of_host_path(spec, path):
        named.append(Right.HOST_PATH)
    return min(named, key=_RANK.__getitem__, default=Right.OTHER)


def _made_of_host_path(spec: dict[str, Any], path: Path) -> bool:
    """`spec.volumes.NAME.path` of v1alpha1 is a directory of the node unless a class is named."""
    if len(path) != 3 or path[0] != "volumes" or path[2] != "path":
        return False
    volumes = spec.get("volumes")
    volume = volumes.get(path[1]) if isinstance(volumes, dict) else None
    return isinstance(volume, dict) and volume.get("storageClass", "hostpath") == "hostpath"


def _gives(right: Right, value: Any) -> bool:
    """A security context says something by 0 and false as well: user 0 is root."""
    if right is Right.SECURITY_CONTEXT:
        return value is not None
    return not (value is None or value is False or value in ("", {}, []))
