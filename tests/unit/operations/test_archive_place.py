"""What the operator would reject without a word is said before anything is created."""

from __future__ import annotations

from typing import Any

import pytest

from fluxstate_tui.operations.archive_place import archive_volume, problems
from fluxstate_tui.operations.manifest_edit import dropped, fresh
from tests.unit.operations.builders import manifest


def test_the_tutorials_manifest_is_fine() -> None:
    assert problems(manifest()) == ()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"size": 0}, "spec.size"),
        ({"size": 3, "maxSize": 2}, "maxSize"),
        ({"minSize": 5}, "minSize"),
        ({"containers": []}, "spec.containers"),
        ({"archive": {}}, "archive.path is missing"),
        ({"archive": {"path": "/elsewhere/a.tar.gz"}}, "no volume"),
        ({"archive": {"path": "/statement/a.tar.gz"}}, "no volume"),
    ],
)
def test_what_the_operator_would_ignore_is_named(spec: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in problems(manifest(**spec)))


def test_a_volume_with_only_a_path_is_named_as_in_the_tutorials_own_mistake() -> None:
    container = {"image": "x", "volumes": {"data": {"path": "/state"}}}
    found = problems(manifest(containers=[container]))
    assert any("has only a path" in problem for problem in found)


def test_an_archive_on_an_emptydir_dies_with_the_pod() -> None:
    container = {"image": "x", "volumes": {"data": {"path": "/state", "emptyDir": True}}}
    assert any("emptyDir" in problem for problem in problems(manifest(containers=[container])))


def test_the_deepest_mount_holds_the_archive() -> None:
    volumes = {
        "all": {"path": "/state", "hostPath": "/a"},
        "deep": {"path": "/state/archives", "claimName": "b"},
    }
    spec = manifest(
        containers=[{"image": "x", "volumes": volumes}],
        archive={"path": "/state/archives/a.tar.gz"},
    )["spec"]
    assert archive_volume(spec) == volumes["deep"]


def test_a_fresh_object_has_nothing_of_the_old_one_but_its_wishes() -> None:
    raw = manifest()
    raw["metadata"] |= {
        "uid": "u",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "x"},
        "managedFields": [{}],
    }
    raw["status"] = {"size": 2}
    again = fresh(raw)
    assert again["metadata"] == {
        "name": "flux-sample",
        "namespace": "default",
        "annotations": {"mine": "x"},
    }
    assert "status" not in again
    assert again["spec"] == raw["spec"]


def test_another_size_takes_the_bounds_along() -> None:
    assert fresh(manifest(maxSize=3), size=5)["spec"]["maxSize"] == 5
    assert fresh(manifest(minSize=2), size=1)["spec"]["minSize"] == 1
    assert fresh(manifest(maxSize=9), size=5)["spec"]["maxSize"] == 9


def test_fields_that_the_api_server_drops_are_found() -> None:
    sent = {"size": 2, "containers": [{"image": "x", "cores": 4}], "volumes": {"a": {}}, "b": {}}
    stored = {"size": 2, "containers": [{"image": "x"}], "tasks": 1}
    assert dropped(sent, stored) == ["spec.containers[0].cores", "spec.volumes"]
