"""Patches, deletion with finalizers and propagation, pruning and defaults."""

from __future__ import annotations

from typing import Any

import pytest

from fluxstate_tui.sim.api.errors import ApiError
from fluxstate_tui.sim.api.patch import json_patch, merge_patch, strategic_merge_patch
from fluxstate_tui.sim.clock import VirtualClock
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.sim_api.conftest import MINICLUSTERS, Client, minicluster
from tests.unit.sim_api.test_lists_and_watches import CONFIGMAPS, config

MERGE = {"Content-Type": "application/merge-patch+json"}


def test_a_merge_patch_removes_with_null_and_replaces_lists() -> None:
    target = {"a": {"b": 1, "c": 2}, "l": [1, 2]}
    assert merge_patch(target, {"a": {"b": None, "d": 3}, "l": [9]}) == {
        "a": {"c": 2, "d": 3},
        "l": [9],
    }


def test_a_strategic_patch_joins_lists_by_their_key() -> None:
    target = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}
    patch = {"containers": [{"name": "b", "image": "3"}, {"name": "a", "$patch": "delete"}]}
    assert strategic_merge_patch(target, patch) == {"containers": [{"name": "b", "image": "3"}]}


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/l/-", "value": 3}], {"a": 1, "l": [1, 2, 3]}),
        ([{"op": "add", "path": "/l/0", "value": 0}], {"a": 1, "l": [0, 1, 2]}),
        ([{"op": "remove", "path": "/a"}], {"l": [1, 2]}),
        ([{"op": "replace", "path": "/l/1", "value": 9}], {"a": 1, "l": [1, 9]}),
        ([{"op": "move", "from": "/a", "path": "/b~1c"}], {"b/c": 1, "l": [1, 2]}),
        ([{"op": "copy", "from": "/l", "path": "/m"}], {"a": 1, "l": [1, 2], "m": [1, 2]}),
        ([{"op": "test", "path": "/a", "value": 1}], {"a": 1, "l": [1, 2]}),
    ],
)
def test_a_json_patch_does_what_rfc_6902_says(operations: Any, result: Any) -> None:
    assert json_patch({"a": 1, "l": [1, 2]}, operations) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/nothing"},
        {"op": "replace", "path": "/nothing", "value": 1},
        {"op": "add", "path": "/l/7", "value": 1},
        {"op": "dance", "path": "/a"},
        {"op": "add", "path": "no-slash", "value": 1},
    ],
)
def test_a_json_patch_that_does_not_fit_is_422(operation: Any) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({"a": 1, "l": [1, 2]}, [operation])
    assert caught.value.code == 422


async def test_unknown_fields_are_pruned_and_defaults_filled_in(api: Client) -> None:
    container = {"image": "app", "volumes": {"data": {"path": "/state"}}}
    body = minicluster(volumes={"data": {"path": "/tmp"}}, containers=[container], flux={})
    _, created = await api("POST", MINICLUSTERS, body)
    spec = created["spec"]
    assert "volumes" not in spec
    assert (spec["tasks"], spec["deadlineSeconds"], spec["cleanup"]) == (1, 31500000, False)
    assert spec["flux"] == {"connectTimeout": "5s", "logLevel": 6}
    assert spec["containers"][0]["pullAlways"] is False


async def test_a_size_in_the_status_is_not_for_users_to_write(api: Client) -> None:
    await api("POST", MINICLUSTERS, minicluster())
    _, patched = await api("PATCH", f"{MINICLUSTERS}/mc-a", {"status": {"size": 7}}, MERGE)
    assert "status" not in patched


async def test_the_generation_follows_the_spec_and_nothing_else(api: Client) -> None:
    await api("POST", MINICLUSTERS, minicluster())
    path = f"{MINICLUSTERS}/mc-a"
    _, labelled = await api("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE)
    assert labelled["metadata"]["generation"] == 1
    _, same = await api("PATCH", path, {"spec": {"size": 2}}, MERGE)
    assert same["metadata"]["resourceVersion"] == labelled["metadata"]["resourceVersion"]
    _, resized = await api("PATCH", path, {"spec": {"size": 3}}, MERGE)
    assert resized["metadata"]["generation"] == 2


async def test_a_patch_with_a_stale_version_conflicts(api: Client) -> None:
    _, made = await api("POST", MINICLUSTERS, minicluster())
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    path = f"{MINICLUSTERS}/mc-a"
    assert (await api("PATCH", path, {**stale, "spec": {"size": 3}}, MERGE))[0] == 200
    status, body = await api("PATCH", path, {**stale, "spec": {"size": 4}}, MERGE)
    assert (status, body["reason"]) == (409, "Conflict")


async def test_a_finalizer_holds_an_object_until_it_is_taken_away(api: Client) -> None:
    made = config("held")
    made["metadata"]["finalizers"] = ["example.org/hold"]
    await api("POST", CONFIGMAPS, made)
    path = f"{CONFIGMAPS}/held"
    await api("DELETE", path)
    _, held = await api("GET", path)
    assert held["metadata"]["deletionTimestamp"]
    await api("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)
    assert (await api("GET", path))[0] == 404


def owned(name: str, owner: dict[str, Any]) -> dict[str, Any]:
    """A ConfigMap that belongs to another."""
    body = config(name)
    metadata = owner["metadata"]
    body["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": metadata["name"], "uid": metadata["uid"]}
    ]
    return body


@pytest.mark.parametrize(
    ("policy", "left"),
    [("Background", []), ("Foreground", []), ("Orphan", ["child"])],
)
async def test_dependents_go_or_stay_as_the_policy_says(
    policy: str, left: list[str], cluster: SimulatedCluster, api: Client
) -> None:
    _, owner = await api("POST", CONFIGMAPS, config("owner"))
    await api("POST", CONFIGMAPS, owned("child", owner))
    await api("DELETE", f"{CONFIGMAPS}/owner", {"propagationPolicy": policy})
    clock = cluster.clock
    assert isinstance(clock, VirtualClock)
    await clock.advance(1)
    _, listed = await api("GET", CONFIGMAPS)
    assert [item["metadata"]["name"] for item in listed["items"]] == left
    for item in listed["items"]:
        assert not item["metadata"]["ownerReferences"]


async def test_deletecollection_takes_what_the_selector_selects(api: Client) -> None:
    await api("POST", CONFIGMAPS, config("a", app="x"))
    await api("POST", CONFIGMAPS, config("b"))
    await api("DELETE", f"{CONFIGMAPS}?labelSelector=app%3Dx")
    _, listed = await api("GET", CONFIGMAPS)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["b"]


async def test_a_lease_can_be_taken_by_one_of_two_writers_only(api: Client) -> None:
    leases = "/apis/coordination.k8s.io/v1/namespaces/flux/leases"
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "a"}}
    _, held = await api("POST", leases, lease)
    assert (await api("POST", leases, lease))[0] == 409
    held["spec"]["holderIdentity"] = "b"
    assert (await api("PUT", f"{leases}/l", held))[0] == 200
    held["spec"]["holderIdentity"] = "c"
    assert (await api("PUT", f"{leases}/l", held))[0] == 409


async def test_server_side_apply_takes_fields_of_others_only_by_force(api: Client) -> None:
    await api("POST", MINICLUSTERS, minicluster())
    apply = {"Content-Type": "application/apply-patch+yaml"}
    path = f"{MINICLUSTERS}/mc-a?fieldManager=me"
    wanted: dict[str, Any] = {"apiVersion": "flux-framework.org/v1alpha2", "kind": "MiniCluster",
              "metadata": {"name": "mc-a", "namespace": "flux"}, "spec": {"size": 4}}  # fmt: skip
    status, body = await api("PATCH", path, wanted, apply)
    assert (status, body["details"]["causes"][0]["field"]) == (409, ".spec.size")
    status, taken = await api("PATCH", f"{path}&force=true", wanted, apply)
    assert (status, taken["spec"]["size"]) == (200, 4)
    wanted["spec"]["size"] = 5
    assert (await api("PATCH", path, wanted, apply))[0] == 200
