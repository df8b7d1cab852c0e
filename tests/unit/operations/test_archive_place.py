"""An archive that no restore would find is said before anything is deleted or created."""

from __future__ import annotations

from typing import Any

import pytest

from fluxstate_tui.minicluster.archive_volume import archive_volume, no_place
from fluxstate_tui.minicluster.spec_check import dropped
from tests.unit.operations.builders import manifest


def test_the_tutorials_manifest_has_a_place_for_archives() -> None:
    assert no_place(manifest()["spec"]) == ""


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"archive": {}}, "archive.path is missing"),
        ({"archive": {"path": "/elsewhere/a.tar.gz"}}, "no volume"),
        ({"archive": {"path": "/statement/a.tar.gz"}}, "no volume"),
        ({"containers": []}, "no volume"),
    ],
)
def test_an_archive_on_no_volume_is_named(spec: dict[str, Any], words: str) -> None:
    assert words in no_place(manifest(**spec)["spec"])


@pytest.mark.parametrize(
    ("volume", "words"),
    [({"emptyDir": True}, "emptyDir"), ({"hostPath": "/data", "readOnly": True}, "read-only")],
)
def test_a_volume_that_keeps_nothing_is_named(volume: dict[str, Any], words: str) -> None:
    container = {"image": "x", "volumes": {"data": {"path": "/state", **volume}}}
    assert words in no_place(manifest(containers=[container])["spec"])


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


def test_fields_that_the_api_server_drops_are_found() -> None:
    sent = {"size": 2, "containers": [{"image": "x", "cores": 4}], "volumes": {"a": {}}, "b": {}}
    stored = {"size": 2, "containers": [{"image": "x"}], "tasks": 1}
    assert dropped(sent, stored) == ["spec.containers[0].cores", "spec.volumes"]


def test_existing_volumes_are_a_place_in_v1alpha1_and_dropped_in_v1alpha2() -> None:
    claim = {"claimName": "data", "path": "/state"}
    spec = manifest(containers=[{"image": "flux", "existingVolumes": {"data": claim}}])["spec"]
    assert archive_volume(spec) == claim
    assert no_place(spec, "flux-framework.org/v1alpha1") == ""
    assert "lies on no volume" in no_place(spec, "flux-framework.org/v1alpha2")
