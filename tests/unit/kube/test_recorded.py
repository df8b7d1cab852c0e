"""The client against what a real API server and the real operator sent over the wire."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fluxstate_tui.kube import errors
from fluxstate_tui.kube import errors as exec_errors
from fluxstate_tui.kube.errors import KubeError, error_from_response
from fluxstate_tui.kube.exec import ExecResult
from fluxstate_tui.kube.objects import parse_event, parse_job, parse_minicluster, parse_pod
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.minicluster.phase import derive
from tests.unit.kube.exec_server import plays
from tests.unit.kube.server import Handler, fake_api, open_cluster

DATA = Path(__file__).parents[2] / "data" / "kubernetes"
KINDS: dict[str, type[KubeError]] = {
    "400": errors.BadRequest,
    "401": errors.Unauthorized,
    "403": errors.Forbidden,
    "404": errors.NotFound,
    "406": errors.BadRequest,
    "409": errors.Conflict,
    "415": errors.BadRequest,
    "422": errors.Invalid,
    "500": errors.ServerError,
    "504": errors.ServerError,
}


@cache
def recorded(name: str) -> Any:
    return json.loads((DATA / name).read_text())


def refusals() -> list[str]:
    return [name for name, one in recorded("statuses.json").items() if one["status"] >= 400]


def told(name: str) -> KubeError:
    one = recorded("statuses.json")[name]
    body, path = one["body"], one["request"]["path"]
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    path, _, query = path.partition("?")
    params = dict(part.partition("=")[::2] for part in query.split("&") if part)
    return error_from_response(one["request"]["method"], path, one["status"], raw, params=params)


@pytest.mark.parametrize("name", refusals())
def test_every_recorded_refusal_has_its_type_and_one_sentence(name: str) -> None:
    error = told(name)
    assert isinstance(error, KINDS[name[:3]])
    assert error.message.endswith(".")
    assert "\n" not in error.message
    assert not error.message.endswith("..")


def test_what_is_not_there_is_told_apart() -> None:
    assert type(told("404_object")) is errors.NotFound
    assert type(told("404_namespace_create")) is errors.NotFound
    assert type(told("404_group")) is errors.CrdMissing
    assert "Flux Operator is not installed" in told("404_resource").message


def test_what_is_forbidden_is_told_with_the_verb_that_was_used() -> None:
    watch, delete, exec_ = (told(f"403_alice_{what}") for what in ("watch", "delete", "exec"))
    assert watch.message == "User 'alice' may not watch miniclusters in namespace 'flux'."
    assert delete.message == "User 'alice' may not delete miniclusters in namespace 'flux'."
    assert exec_.message == "User 'alice' may not get pods/exec in namespace 'flux'."
    assert "ClusterRole" in told("403_alice_list_all_ns").advice
    assert "does not know who you are" in told("403_anonymous").advice


def test_several_causes_are_all_told() -> None:
    error = told("422_several_causes")
    assert isinstance(error, errors.Invalid)
    assert any(cause.startswith("spec.size: Invalid value") for cause in error.causes)
    assert any(cause.startswith("spec.containers[0].ports[0]") for cause in error.causes)


def frames(name: str) -> Handler:
    """Play one recorded exec."""
    one = recorded("exec_frames.json")[name]
    if not one["handshake"].startswith("HTTP/1.1 101"):
        status, body = int(one["handshake"].split()[1]), one["body"]

        async def refuse(request: web.Request) -> web.StreamResponse:
            if isinstance(body, str):
                return web.Response(status=status, text=body)
            return web.json_response(body, status=status)

        return refuse
    sent = [frame for frame in one["frames"] if frame["dir"] == "recv" and "channel" in frame]
    data = [bytes([f["channel"]]) + f["text"].encode() for f in sent if f["channel"] is not None]
    return plays(data, protocols=[word for word in one["protocol"] if word])


async def run(folder: Path, name: str) -> ExecResult:
    async with fake_api(frames(name)) as api, await open_cluster(folder, api.url) as cluster:
        return await cluster.exec("flux", "t1", "c2", ["sh"])


@pytest.mark.parametrize("version", ["v4", "v5"])
@pytest.mark.parametrize(
    ("name", "code", "stdout", "stderr"),
    [
        ("exit0", 0, b"out\n", b"err\n"),
        ("exit3", 3, b"out\n", b""),
        ("killed_by_signal", 137, b"", b""),
        ("no_output_exit0", 0, b"", b""),
    ],
)
async def test_recorded_commands_end_as_they_did(
    tmp_path: Path, version: str, name: str, code: int, stdout: bytes, stderr: bytes
) -> None:
    assert await run(tmp_path, f"{version}_{name}") == ExecResult(code, stdout, stderr)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("v4_missing_command", exec_errors.CommandNotFound),
        ("v5_missing_command", exec_errors.CommandNotFound),
        ("v4_missing_container", exec_errors.ContainerNotFound),
        ("v5_no_container_given_two_in_pod", exec_errors.ContainerNotFound),
        ("pending_pod", exec_errors.ContainerNotRunning),
        ("completed_pod", exec_errors.ContainerNotRunning),
        ("waiting_container_imagepull", exec_errors.ContainerNotRunning),
        ("unknown_pod", errors.NotFound),
        ("unknown_namespace", errors.NotFound),
        ("forbidden_alice", errors.Forbidden),
        ("unauthorized", errors.Unauthorized),
        ("no_protocol_header", exec_errors.ExecUnknown),
        ("v4_stdin_cat_client_closes", exec_errors.ExecUnknown),
    ],
)
async def test_recorded_failures_have_their_type(
    tmp_path: Path, name: str, kind: type[KubeError]
) -> None:
    with pytest.raises(kind):
        await run(tmp_path, name)


@pytest.mark.parametrize("name", ["pod_deleted_during_exec", "container_dies_during_exec"])
async def test_a_command_whose_container_dies_ends_with_137(tmp_path: Path, name: str) -> None:
    assert (await run(tmp_path, name)).code == 137


def test_a_recorded_life_goes_through_the_phases_in_order() -> None:
    """A MiniCluster of two nodes, from apply to its last pod; the broker was not asked."""
    life = recorded("minicluster_life.json")
    seen: dict[str, dict[str, Any]] = {"miniclusters": {}, "jobs": {}, "pods": {}, "events": {}}
    steps = [(one["at"], kind, one) for kind in seen for one in life[kind]]
    steps.sort(key=lambda step: step[0])
    phases: list[Phase] = []
    start = min(at for at, _, _ in steps)
    created = parse_minicluster(life["miniclusters"][0]["object"]).created
    for at, kind, one in steps:
        uid = one["object"]["metadata"]["uid"]
        if one["type"] != "DELETED":
            seen[kind][uid] = one["object"]
        elif kind == "miniclusters":
            seen[kind][uid]["metadata"]["deletionTimestamp"] = "2026-11-21T21:16:00Z"
        else:
            seen[kind].pop(uid, None)
        if not seen["miniclusters"]:
            continue
        cluster = parse_minicluster(next(iter(seen["miniclusters"].values())))
        jobs = [parse_job(raw) for raw in seen["jobs"].values()]
        job = next((job for job in jobs if job.owner_uid == cluster.ref.uid), None)
        pods = [parse_pod(raw) for raw in seen["pods"].values()]
        events = [parse_event(raw) for raw in seen["events"].values()]
        derived = derive(cluster, job, pods, None, (), created + at - start, events=events)
        if not phases or phases[-1] is not derived.phase:
            phases.append(derived.phase)
    assert phases == [Phase.SCHEDULING, Phase.INIT, Phase.STARTING, Phase.DELETING]
