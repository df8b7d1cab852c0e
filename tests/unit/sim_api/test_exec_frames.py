"""pods/exec, frame by frame, against recordings of a real API server and kubelet."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any

import aiohttp
import pytest

from fluxstate_tui.sim.clock import VirtualClock
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.sim_api.conftest import Client, recorded

EXEC: dict[str, Any] = recorded("exec_frames.json")
PODS = "/api/v1/namespaces/flux/pods"
# What the client sends in the midst of a session, and what differs from run to run (a prompt).
INTERACTIVE = {name for name in EXEC if "stdin" in name or "tty_bash" in name or "ping" in name}
# The client never sees the exit code of a program that ends at once on v4 with a tty.
LOST_OUTPUT = {"v4_tty_with_stderr_true"}
ENDED_BY_OTHERS = {"pod_deleted_during_exec", "container_dies_during_exec"}


def pod(name: str, *containers: tuple[str, str, list[str]], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"app": "t"}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": n, "image": i, "command": c} for n, i, c in containers],
            **spec,
        },
    }


@pytest.fixture
async def pods(cluster: SimulatedCluster, api: Client) -> None:
    """t1 with two containers, done, pending, badimage and victim, as they were recorded."""
    forever = ["sleep", "infinity"]
    image = "registry.local/debian:12"
    await api("POST", PODS, pod("t1", ("c1", image, forever), ("c2", image, forever)))
    await api("POST", PODS, pod("victim", ("c", image, forever)))
    await api("POST", PODS, pod("done", ("c", image, ["true"])))
    await api("POST", PODS, pod("badimage", ("c", "registry.local/nope:1", forever)))
    await api("POST", PODS, pod("pending", ("c", image, forever), nodeSelector={"no": "where"}))
    clock = cluster.clock
    assert isinstance(clock, VirtualClock)
    await clock.advance(30)


def headers(api: Client, case: dict[str, Any], token: str | None = None) -> dict[str, str]:
    auth = {"Authorization": f"Bearer {token or api.token}"}
    protocols = {"Sec-WebSocket-Protocol": ", ".join(case["protocol"])} if case["protocol"] else {}
    return {**auth, **protocols}


def path_of(case: dict[str, Any]) -> str:
    return str(case["request"].split(" ")[1])


def comparable(channel: int, data: bytes) -> Any:
    """A frame without the id of the exec."""
    text = re.sub(r"[0-9a-f]{60,}", "ID", data.decode())
    return (channel, json.loads(text)) if channel == 3 and text[:1] == "{" else (channel, text)


def joined(frames: list[Any]) -> list[Any]:
    """Output by channel: how it is cut into frames, and which stream is first, is chance."""
    out = "".join(text for channel, text in frames if channel == 1)
    err = "".join(text for channel, text in frames if channel == 2)
    return [frames[0], out, err, frames[-1]]


SESSIONS = [
    name
    for name, case in EXEC.items()
    if " 101 " in case["handshake"] and name not in INTERACTIVE | LOST_OUTPUT | ENDED_BY_OTHERS
]
REFUSED = [name for name, case in EXEC.items() if " 101 " not in case["handshake"]]


@pytest.mark.parametrize("name", SESSIONS)
async def test_a_recorded_session_comes_back_frame_by_frame(
    name: str, api: Client, pods: None
) -> None:
    case = EXEC[name]
    async with api.session.ws_connect(
        api.url + path_of(case), headers=headers(api, case), protocols=()
    ) as socket:
        async with asyncio.timeout(5):
            frames = [comparable(m.data[0], m.data[1:]) async for m in socket]
        assert socket.close_code == 1000
    theirs = [
        comparable(frame["channel"], frame["text"].encode())
        for frame in case["frames"]
        if frame["dir"] == "recv" and "close_code" not in frame
    ]
    assert joined(frames) == joined(theirs)


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refused_handshake_is_answered_as_recorded(
    name: str, api: Client, alice: str, pods: None
) -> None:
    case = EXEC[name]
    token = {"forbidden_alice": alice, "unauthorized": "nonsense"}.get(name)
    upgrade = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
    }  # fmt: skip
    status, body = await api("GET", path_of(case), None, {**upgrade, **headers(api, case, token)})
    assert status == int(case["handshake"].split(" ")[1])
    assert body == case["body"]


async def test_without_an_upgrade_exec_is_a_bad_request(api: Client, pods: None) -> None:
    for method in ("GET", "POST"):
        status, body = await api(method, f"{PODS}/t1/exec?container=c2&command=id&stdout=true")
        assert (status, body["message"]) == (400, "Upgrade request required")


async def cat(api: Client, protocol: str) -> aiohttp.ClientWebSocketResponse:
    """An open session of `cat` that has echoed one line."""
    query = "command=cat&container=c2&stdin=true&stdout=true&stderr=true"
    case = {"protocol": [protocol]}
    socket = await api.session.ws_connect(
        f"{api.url}{PODS}/t1/exec?{query}", headers=headers(api, case)
    )
    assert (await socket.receive_bytes(timeout=5)) == b"\x01"
    await socket.send_bytes(b"\x00hello\n")
    assert (await socket.receive_bytes(timeout=5)) == b"\x01hello\n"
    return socket


async def test_v5_closes_stdin_with_its_own_frame(api: Client, pods: None) -> None:
    socket = await cat(api, "v5.channel.k8s.io")
    await socket.send_bytes(b"\xff\x00")
    assert json.loads((await socket.receive_bytes(timeout=5))[1:])["status"] == "Success"
    assert (await socket.receive(timeout=5)).data == 1000
    await socket.close()


async def test_v4_ignores_that_frame_and_the_command_hangs(api: Client, pods: None) -> None:
    socket = await cat(api, "v4.channel.k8s.io")
    await socket.send_bytes(b"\xff\x00")
    with pytest.raises(TimeoutError):
        await socket.receive(timeout=0.2)
    await socket.close()


@pytest.mark.parametrize("how", ["delete", "kill"])
async def test_a_container_that_dies_ends_the_session_with_137(
    how: str, cluster: SimulatedCluster, api: Client, pods: None
) -> None:
    name = "pod_deleted_during_exec"
    case = EXEC[name]
    clock = cluster.clock
    assert isinstance(clock, VirtualClock)
    async with api.session.ws_connect(
        api.url + path_of(case), headers=headers(api, case)
    ) as socket:
        assert (await socket.receive_bytes(timeout=5)) == b"\x01"
        if how == "delete":
            await api("DELETE", f"{PODS}/victim")
            await clock.advance(40)
        else:
            cluster.state.kubelet.kill_container("flux", "victim", "c")
        status = await socket.receive_bytes(timeout=5)
    theirs = next(f for f in case["frames"] if f.get("channel") == 3)["text"]
    assert json.loads(status[1:]) == json.loads(theirs)


async def run(api: Client, command: str) -> tuple[bytes, Any]:
    """stdout of a shell command, and the Status, or None when none came."""
    query = f"command=sh&command=-c&command={command}&container=c2&stdout=true"
    out, status = b"", None
    async with api.session.ws_connect(
        f"{api.url}{PODS}/t1/exec?{query}",
        headers=headers(api, {"protocol": ["v5.channel.k8s.io"]}),
    ) as socket:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            if message.data[0] == 3:
                status = json.loads(message.data[1:])
            else:
                out += message.data[1:]
    return out, status


async def test_faults_cut_exec_in_the_ways_that_real_networks_do(
    cluster: SimulatedCluster, api: Client, pods: None
) -> None:
    cluster.faults.add("exec-truncate", amount=3)
    assert await run(api, "echo%20hello") == (b"hel", {"metadata": {}, "status": "Success"})
    cluster.faults.add("exec-no-status")
    assert await run(api, "echo%20hello") == (b"hello\n", None)
    cluster.faults.add("exec-cut", amount=2)
    assert await run(api, "echo%20hello") == (b"he", None)
    assert (await run(api, "echo%20hello"))[0] == b"hello\n"
