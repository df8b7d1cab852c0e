"""What the operator would reject in silence is said before it is sent, with the fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.errors import ExitCode
from fluxstate_tui.kube.manifest import (
    ManifestError,
    check_manifest,
    for_create,
    load_manifest,
    refuse_broken,
)
from fluxstate_tui.minicluster.spec_check import Effect
from tests.unit.minicluster.making import manifest

BOX = {"image": "rockylinux:9"}


def volumes(**volume: Any) -> list[dict[str, Any]]:
    return [{**BOX, "volumes": {"data": volume}}]


def test_the_tutorials_manifest_in_the_repository_is_fine() -> None:
    """examples/state/basic-job-completion/minicluster.yaml of the operator, with a hostPath."""
    good = manifest(containers=volumes(path="/state", hostPath="/data"))
    assert check_manifest(good, "v1alpha2") == ()
    assert refuse_broken(manifest()) == ()


@pytest.mark.parametrize(
    ("spec", "path", "effect", "words"),
    [
        ({"containers": volumes(path="/state")}, "data", Effect.JOB_REFUSED, "Add claimName"),
        ({"size": 4, "maxSize": 2}, "spec.size", Effect.IGNORED, "Raise maxSize"),
        ({"size": 0}, "spec.size", Effect.IGNORED, "size of 1 or more"),
        ({"size": -3}, "spec.size", Effect.IGNORED, "size of 1 or more"),
        ({"size": 2, "minSize": 3}, "spec.minSize", Effect.IGNORED, "Lower minSize"),
        ({"maxSize": 2, "minSize": 3}, "spec.minSize", Effect.IGNORED, "Lower minSize"),
        ({"size": "q"}, "spec.size", Effect.API_REFUSES, "whole number"),
        ({"backoffLimit": -1}, "spec.backoffLimit", Effect.IGNORED, "0 or more"),
        ({"containers": None}, "spec.containers", Effect.API_REFUSES, "at least one"),
        ({"containers": [BOX, BOX]}, "spec.containers", Effect.IGNORED, "exactly one"),
        (
            {"containers": [{**BOX, "runFlux": True}, {**BOX, "runFlux": True}]},
            "spec.containers",
            Effect.IGNORED,
            "exactly one",
        ),
        (
            {"containers": [{**BOX, "runFlux": True}, BOX]},
            "spec.containers[1].name",
            Effect.IGNORED,
            "Give it one",
        ),
        (
            {"containers": [{**BOX, "launcher": True, "batch": True}]},
            "spec.containers[0]",
            Effect.IGNORED,
            "Choose one",
        ),
        (
            {"containers": [{**BOX, "command": "x", "commands": {"script": "y"}}]},
            "spec.containers[0]",
            Effect.IGNORED,
            "Choose one",
        ),
        ({"services": [{}]}, "spec.services[0].name", Effect.IGNORED, "Give it one"),
        (
            {"services": [{"name": "s", "commands": {"pre": "x"}}]},
            "spec.services[0].commands",
            Effect.IGNORED,
            "servicePre",
        ),
        (
            {"containers": volumes(claimName="data")},
            "spec.containers[0].volumes.data",
            Effect.IGNORED,
            "Add path",
        ),
        (
            {"containers": volumes(configMapName="other", path="/x")},
            "spec.containers[0].volumes.data",
            Effect.JOB_REFUSED,
            "Call the volume other",
        ),
        ({"pod": {"resources": {"cpu": 1}}}, "spec.pod.resources", Effect.NO_PODS, "containers"),
    ],
)
def test_what_would_fail_in_silence_is_refused_with_the_fix(
    spec: dict[str, Any], path: str, effect: Effect, words: str
) -> None:
    problems = check_manifest(manifest(**spec))
    found = [p for p in problems if path in p.path and p.effect is effect and words in p.fix]
    assert found, problems
    with pytest.raises(ManifestError) as caught:
        refuse_broken(manifest(**spec))
    assert words in caught.value.advice
    assert caught.value.exit_code == 5


def test_v1alpha1_volumes_under_v1alpha2_are_called_what_they_are() -> None:
    """The API server drops spec.volumes; what is left is a volume with only a path."""
    mounted = [{**BOX, "volumes": {"data": {"path": "/state"}}, "existingVolumes": {"x": {}}}]
    ported = manifest(volumes={"data": {"storageClass": "hostpath"}}, containers=mounted)
    effects = {problem.path: problem.effect for problem in check_manifest(ported)}
    assert effects["spec.volumes"] is Effect.DROPPED
    assert effects["spec.containers[0].existingVolumes"] is Effect.DROPPED
    assert effects["spec.containers[0].volumes.data"] is Effect.JOB_REFUSED
    old = {**ported, "apiVersion": "flux-framework.org/v1alpha1"}
    assert not any(problem.fatal for problem in check_manifest(old))
    unknown = {**old, "spec": {**old["spec"], "volumes": {}}}
    assert any(problem.effect is Effect.JOB_REFUSED for problem in check_manifest(unknown))


def test_a_version_that_the_cluster_does_not_serve_is_refused() -> None:
    assert refuse_broken(manifest(), "v1alpha2") == ()
    with pytest.raises(ManifestError, match="serves MiniClusters as v1alpha1"):
        refuse_broken(manifest(), "v1alpha1")


@pytest.mark.parametrize(
    ("length", "size", "fine"),
    [(61, 2, True), (62, 2, False), (60, 11, True), (61, 11, False), (72, 2, False)],
)
def test_names_leave_room_for_the_index_in_host_names(length: int, size: int, fine: bool) -> None:
    named = manifest(size=size)
    named["metadata"]["name"] = "x" * length
    assert (check_manifest(named) == ()) is fine


@pytest.mark.parametrize("name", ["", "Flux", "1flux", "a.b", "a_b", "a-", "-a"])
def test_names_that_are_no_host_names_are_refused(name: str) -> None:
    named = manifest()
    named["metadata"]["name"] = name
    with pytest.raises(ManifestError):
        refuse_broken(named)


def test_surprises_are_warnings_not_refusals() -> None:
    odd = manifest(
        archive={"path": "archive.sqlite"},
        containers=[{**BOX, "command": "hostname", "volumes": {}}],
    )
    warnings = refuse_broken(odd)
    assert {warning.effect for warning in warnings} == {Effect.SURPRISE}
    told = " ".join(warning.message for warning in warnings)
    for words in ("relative", "flux dump makes no archives", "on no volume", "not run"):
        assert words in told
    shm = manifest(containers=volumes(path="/scratch", emptyDir=True))
    assert any("/dev/shm" in warning.message for warning in refuse_broken(shm))
    two = manifest(containers=volumes(path="/state", hostPath="/d", claimName="c"))
    assert any("hostPath is used" in warning.message for warning in refuse_broken(two))


@pytest.mark.parametrize("rubbish", [{}, {"spec": None}, {"spec": [1]}, {"metadata": []}])
def test_rubbish_is_refused_without_a_crash(rubbish: dict[str, Any]) -> None:
    with pytest.raises(ManifestError):
        refuse_broken(rubbish)


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": "x"},
        {"containers": [1, None]},
        {"containers": [{"volumes": [1]}]},
        {"containers": [{"volumes": {"d": None}}]},
        {"containers": [{"commands": "x"}]},
        {"services": {"a": 1}},
        {"archive": "x"},
        {"pod": 3},
    ],
)
def test_fields_of_the_wrong_shape_do_not_crash_it(spec: dict[str, Any]) -> None:
    check_manifest(manifest(**spec))


FIELDS = [
    *("containers", "volumes", "path", "size", "maxSize", "commands", "name", "services"),
    *("archive", "pod", "resources", "runFlux", "configMapName", "emptyDir", "claimName"),
]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "/x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(spec=JUNK, version=st.sampled_from(["v1alpha1", "v1alpha2", ""]))
def test_no_junk_crashes_it(spec: Any, version: str) -> None:
    check_manifest({"apiVersion": f"flux-framework.org/{version}", "spec": spec}, "v1alpha2")


def test_a_manifest_is_loaded_from_a_file_with_other_objects(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text("kind: PersistentVolume\n---\nkind: MiniCluster\nspec: {}\n---\n")
    assert load_manifest(path) == {"kind": "MiniCluster", "spec": {}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: Pod", "has no MiniCluster"),
        ("kind: MiniCluster\n---\nkind: MiniCluster", "has 2 MiniClusters"),
        ("a: [", "not valid YAML"),
        ("", "has no MiniCluster"),
    ],
)
def test_a_file_without_one_minicluster_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(ManifestError, match=words):
        load_manifest(path)


HEAD = "apiVersion: flux-framework.org/v1alpha2\nkind: MiniCluster\n"


def manifest_file(folder: Path, text: str) -> Path:
    path = folder / "m.yaml"
    path.write_text(text)
    return path


def test_dates_and_times_stay_the_texts_that_they_are_to_kubectl(tmp_path: Path) -> None:
    path = manifest_file(
        tmp_path,
        HEAD + "metadata: {name: a, labels: {release: 2024-01-15, at: 12:30:45, gone: }}\n"
        "spec: {size: 0o10}\n",
    )
    found = load_manifest(path)
    assert found["metadata"]["labels"] == {"release": "2024-01-15", "at": "12:30:45"}
    assert found["spec"] == {"size": 8}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("metadata:\n  name: a\nspec: {}\nmetadata:\n  name: b\n", r"\(line 6\): the key 'metad"),
        ("metadata: {name: a, labels: {on: yes}}\n", "metadata.labels.true is a truth value"),
        ("metadata: {name: a, annotations: {v: 1.10}}\n", "metadata.annotations.v is not a text"),
        ("metadata: {name: 123}\n", "metadata.name is not a text"),
    ],
)
def test_what_would_mean_something_else_is_refused_with_its_place(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ManifestError, match=words) as caught:
        load_manifest(manifest_file(tmp_path, HEAD + text))
    assert caught.value.exit_code is ExitCode.REFUSED


@pytest.mark.parametrize("kind", ["List", "MiniClusterList"])
def test_a_list_is_what_is_in_it(tmp_path: Path, kind: str) -> None:
    items = [{"kind": "ConfigMap"}, {"kind": "MiniCluster", "metadata": {"name": "a"}}]
    path = manifest_file(tmp_path, json.dumps({"kind": kind, "items": items}, indent="\t"))
    assert load_manifest(path)["metadata"] == {"name": "a"}


def test_of_several_miniclusters_the_name_says_which(tmp_path: Path) -> None:
    text = "\n---\n".join(f"{HEAD}metadata: {{name: {name}}}" for name in "ab")
    path = manifest_file(tmp_path, text)
    assert load_manifest(path, "b")["metadata"]["name"] == "b"
    for name in ("", "c"):
        with pytest.raises(ManifestError, match=r"has 2 MiniClusters \(a, b\)") as caught:
            load_manifest(path, name)
        assert "name" in caught.value.advice


def test_a_manifest_is_utf_8_whatever_the_locale_is(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(("\ufeff" + HEAD + "metadata: {name: a, annotations: {x: é}}").encode())
    assert load_manifest(path)["metadata"]["annotations"] == {"x": "é"}
    path.write_bytes(b"kind: MiniCluster\nx: \xe9\n")
    with pytest.raises(ManifestError, match=r"\(line 2\): it is not UTF-8"):
        load_manifest(path)


def test_a_manifest_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read") as refused:
        load_manifest(tmp_path / "missing")
    assert refused.value.exit_code is ExitCode.NOT_FOUND


def test_an_object_is_made_ready_to_be_created_again() -> None:
    raw = manifest(size=2, maxSize=3)
    raw["status"] = {"size": 2}
    raw["metadata"] |= {
        "resourceVersion": "5",
        "creationTimestamp": "x",
        "labels": {"keep": "me"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "keep": "too"},
    }
    before = str(raw)
    again = for_create(raw, name="other", size=4)
    assert str(raw) == before
    assert again["metadata"] == {
        "name": "other",
        "namespace": "ns",
        "labels": {"keep": "me"},
        "annotations": {"keep": "too"},
    }
    assert (again["spec"]["size"], again["spec"]["maxSize"]) == (4, 4)
    assert "status" not in again
    assert for_create(manifest(minSize=2), size=1)["spec"]["minSize"] == 1
