"""A MiniCluster manifest before it is sent: what would go wrong without a word, said in advance."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fluxstate_tui.errors import ExitCode
from fluxstate_tui.kube.errors import NOTHING_SENT, KubeError
from fluxstate_tui.kube.objects import FLUX_GROUP
from fluxstate_tui.minicluster.spec_check import Effect, SpecProblem, check_spec
from fluxstate_tui.yaml_text import YamlError, load_documents

Object = dict[str, Any]

# What the server or the operator writes; a new object must not carry it.
_SERVER_FIELDS = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
    "ownerReferences",
    "finalizers",
)
_MAPS = ("spec", "spec.archive", "spec.pod", "spec.volumes")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class ManifestError(KubeError):
    """A manifest that is not sent, because no working MiniCluster would come out of it."""

    exit_code = ExitCode.REFUSED

    def __init__(
        self, message: str, problems: Sequence[SpecProblem] = (), advice: str = ""
    ) -> None:
        super().__init__(message, safe=NOTHING_SENT, advice=advice)
        self.problems = tuple(problems)


def load_manifest(path: Path, name: str = "") -> Object:
    """The one MiniCluster in a YAML or JSON file; other objects in it are left alone.

    Several documents and lists are read as kubectl reads them. Of several MiniClusters it is the
    one with that `name`. Raises ManifestError if the file cannot be read or has none, or several.
    """
    try:
        documents = load_documents(path.read_bytes())
    except OSError as error:
        unreadable = ManifestError(f"{path} cannot be read ({error.strerror}).")
        if isinstance(error, FileNotFoundError):
            unreadable.exit_code = ExitCode.NOT_FOUND
        raise unreadable from error
    except YamlError as error:
        where = f" (line {error.line})" if error.line else ""
        raise ManifestError(f"{path} is not valid YAML{where}: {error.problem}.") from error
    found = [one for one in _objects(documents) if one.get("kind") == "MiniCluster"]
    if len(found) > 1 and name:
        named = [one for one in found if _metadata(one).get("name") == name]
        found = named or found
    if len(found) != 1:
        names = ", ".join(str(_metadata(one).get("name") or "without a name") for one in found)
        several = f" ({names})" if found else ""
        raise ManifestError(
            f"{path} has {len(found) or 'no'} MiniCluster{'s' if len(found) > 1 else ''}{several}.",
            advice="Say which one: give its name." if found else "Give a file with exactly one.",
        )
    _require_texts(path, _metadata(found[0]))
    return found[0]


def _objects(documents: Sequence[Any]) -> Iterator[Object]:
    """The objects of all documents; what a list holds stands for itself."""
    for document in documents:
        if not isinstance(document, dict):
            continue
        items = document.get("items")
        if str(document.get("kind") or "").endswith("List") and isinstance(items, list):
            yield from _objects(items)
        else:
            yield document


def _metadata(raw: Object) -> Object:
    metadata = raw.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _require_texts(path: Path, metadata: Object) -> None:
    """Names, labels and annotations are texts: `yes` or `12` without quotes is refused."""
    fields = {f"metadata.{key}": metadata.get(key) for key in ("name", "namespace")}
    for part in ("labels", "annotations"):
        values = metadata.get(part)
        if isinstance(values, dict):
            # As for the API server: one without a value is not there.
            metadata[part] = {key: value for key, value in values.items() if value is not None}
            fields |= {f"metadata.{part}.{key}": value for key, value in values.items()}
    for field, value in fields.items():
        if value is not None and not isinstance(value, str):
            kind = "a truth value" if isinstance(value, bool) else "not a text"
            raise ManifestError(f"{path}: {field} is {kind}.", advice="Put it into quotes.")


def check_manifest(manifest: Object, served_version: str = "") -> tuple[SpecProblem, ...]:
    """All problems, fatal ones first. `served_version`: what the cluster serves, e.g. v1alpha2."""
    problems = check_spec(manifest)
    group, _, version = str(manifest.get("apiVersion") or "").partition("/")
    if served_version and group == FLUX_GROUP and version != served_version:
        wrong = SpecProblem(
            "apiVersion",
            Effect.API_REFUSES,
            f"This cluster serves MiniClusters as {served_version}, not as {version}.",
            f"Write it for {FLUX_GROUP}/{served_version}; fields differ, not only the version.",
        )
        return (wrong, *problems)
    return problems


def refuse_broken(manifest: Object, served_version: str = "") -> tuple[SpecProblem, ...]:
    """Raise ManifestError if anything is fatal; returns the warnings that are left."""
    problems = check_manifest(manifest, served_version)
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        first = fatal[0]
        more = f" ({len(fatal) - 1} more)" if len(fatal) > 1 else ""
        raise ManifestError(
            f"{first.path}: {first.message.rstrip('.')}; {first.effect.value}{more}.",
            problems,
            advice=" ".join(dict.fromkeys(problem.fix for problem in fatal)),
        )
    return problems


def for_create(raw: Object, *, name: str | None = None, size: int | None = None) -> Object:
    """A copy that can be created again: nothing of the server's, perhaps another name or size.

    A `maxSize` that would be too small for the new size is raised with it. Raises ManifestError
    for what is no MiniCluster by its shape: people write them, and anybody into a catalog.
    """
    _require_shape(raw)
    manifest = copy.deepcopy({key: value for key, value in raw.items() if key != "status"})
    metadata = manifest["metadata"]
    for field in _SERVER_FIELDS:
        metadata.pop(field, None)
    annotations = metadata.get("annotations")
    if annotations:
        annotations.pop(_LAST_APPLIED, None)
    if name is not None:
        metadata["name"] = name
    if size is not None:
        spec = manifest["spec"]
        spec["size"] = size
        if spec.get("maxSize") and spec["maxSize"] < size:
            spec["maxSize"] = size
        if spec.get("minSize") and spec["minSize"] > size:
            spec["minSize"] = size
    return manifest


def _require_shape(raw: Object) -> None:
    for path in ("metadata", "metadata.annotations", *_MAPS):
        value: Any = raw
        for key in path.split("."):
            value = value.get(key)
        _require(path, value, dict, optional="." in path)
    spec = raw["spec"]
    for field in ("maxSize", "minSize"):
        _require(f"spec.{field}", spec.get(field), int, optional=True)
    containers = spec.get("containers")
    for container in containers if isinstance(containers, list) else ():
        if isinstance(container, dict):
            _require("spec.containers.volumes", container.get("volumes"), dict, optional=True)


def _require(path: str, value: object, kind: type, *, optional: bool) -> None:
    if not isinstance(value, kind) and not (optional and value is None):
        word = "a map" if kind is dict else "a whole number"
        raise ManifestError(
            f"{path} is not {word}.", advice="Compare it with examples/minicluster.yaml."
        )
