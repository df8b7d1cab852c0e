"""The simulated API server answers as the recorded one did."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.sim_api.conftest import MINICLUSTERS, Client, minicluster, recorded

STATUSES: dict[str, Any] = recorded("statuses.json")
# Answers that are meant to differ: without a valid token everything is 401 here.
NOT_ALIKE = {"403_alice_token", "403_anonymous", "403_bad_basic"}
VOLATILE = {"resourceVersion", "uid", "creationTimestamp", "deletionTimestamp", "time",
            "generation", "managedFields"}  # fmt: skip


def comparable(value: Any) -> Any:
    """The value without what differs from run to run; versions inside messages as N."""
    if isinstance(value, dict):
        return {key: comparable(sub) for key, sub in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [comparable(sub) for sub in value]
    if isinstance(value, str):
        value = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UID", value)
        value = re.sub(r"current: \d+", "current: N", value)
        return re.sub(r"json parse error: .*", "json parse error", value)
    return value


MERGE = {"Content-Type": "application/merge-patch+json", "User-Agent": "unknown"}


async def fill(api: Client) -> dict[str, Any]:
    """mc-a, mc-b and mc-c, as they were when the answers were recorded."""
    unknown = {"User-Agent": "unknown"}
    _, created = await api("POST", MINICLUSTERS, minicluster("mc-a"), unknown)
    await api("POST", MINICLUSTERS, minicluster("mc-b", size=4, maxSize=8))
    await api("POST", MINICLUSTERS, minicluster("mc-c"))
    return dict(created)


@pytest.mark.parametrize("name", sorted(set(STATUSES) - NOT_ALIKE))
async def test_every_recorded_answer_comes_back(name: str, api: Client, alice: str) -> None:
    case = STATUSES[name]
    created = await fill(api)
    request = case["request"]
    body = request["body"]
    if name in {"400_name_mismatch", "409_conflict_stale_rv"}:
        body["metadata"]["uid"] = created["metadata"]["uid"]
        body["metadata"]["resourceVersion"] = "1" if "stale" in name else (
            created["metadata"]["resourceVersion"]
        )  # fmt: skip
    if name == "200_scale_patch":
        await api("PATCH", request["path"], {"spec": {"replicas": 3}}, request["headers"])
    if name == "409_apply_ssa":
        await api("PATCH", f"{MINICLUSTERS}/mc-a/scale", {"spec": {"replicas": 3}}, MERGE)
    token = "nonsense" if name == "401_bad_token" else alice if "alice" in request["auth"] else None
    status, answer = await api(request["method"], request["path"], body, request["headers"], token)
    assert status == case["status"]
    expected = comparable(case["body"])
    if name == "200_self_subject_review":
        del expected["status"]["userInfo"]["extra"]
    if name == "200_patch_merge":
        expected["spec"]["tasks"] = 1  # It was patched before, in the recording.
    assert comparable(answer) == expected


async def test_without_a_known_token_nothing_is_answered_but_401(api: Client) -> None:
    for path in ("/api", "/apis", "/version", MINICLUSTERS, "/sim/faults", "/openapi/v2"):
        status, body = await api("GET", path, token="")
        assert (status, body["reason"]) == (401, "Unauthorized")


async def test_a_token_in_the_servers_path_is_as_good_as_a_header(
    cluster: SimulatedCluster, api: Client
) -> None:
    prefix = f"/sim/token/{cluster.token}"
    status, body = await api("GET", f"{prefix}{MINICLUSTERS}?limit=1", token="")
    assert (status, body["kind"]) == (200, "MiniClusterList")
    status, _ = await api("GET", f"/sim/token/wrong{MINICLUSTERS}", token="")
    assert status == 401


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("apis_flux_group", "/apis/flux-framework.org"),
        ("apis_flux_v1alpha2", "/apis/flux-framework.org/v1alpha2"),
    ],
)
async def test_discovery_of_the_flux_group_is_as_recorded(
    name: str, path: str, api: Client
) -> None:
    _, body = await api("GET", path)
    expected = recorded("answers.json")[name]["body"]
    for resource in expected.get("resources", []):
        resource.pop("storageVersionHash", None)
        resource["verbs"].sort()
    for resource in body.get("resources", []):
        resource["verbs"].sort()
    assert body == expected


async def test_the_table_of_miniclusters_has_name_and_age_only(api: Client) -> None:
    await fill(api)
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    _, table = await api("GET", MINICLUSTERS, headers=accept)
    expected = recorded("answers.json")["table"]
    names = [(c["name"], c["type"], c["format"]) for c in table["columnDefinitions"]]
    assert names == [(c["name"], c["type"], c["format"]) for c in expected["columnDefinitions"]]
    assert table["rows"][0]["cells"][0] == "mc-a"
    assert set(table["rows"][0]["object"]) == set(expected["rows"][0]["object"])


async def test_the_version_is_the_recorded_ones(api: Client) -> None:
    _, body = await api("GET", "/version")
    expected = recorded("answers.json")["version"]["body"]
    assert set(body) == set(expected)
    assert body["gitVersion"] == expected["gitVersion"]
