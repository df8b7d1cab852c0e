"""Credentials that a plugin gives: asked for once, renewed in time, never replaced by nobody."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fluxstate_tui.kube import auth
from fluxstate_tui.kube.errors import CredentialError
from fluxstate_tui.kube.objects import PODS
from tests.unit.kube.certificates import TLS, data, server_side
from tests.unit.kube.clock import QuickClock
from tests.unit.kube.exec_server import SUCCESS, plays
from tests.unit.kube.identities import CA, ask, credential, plugin
from tests.unit.kube.server import answers, fake_api, ok, open_cluster, status, write_kubeconfig


@contextmanager
def our_own_input(text: bytes) -> Iterator[None]:
    """Keys wait on our stdin: they are for the dashboard, not for a plugin."""
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    before = os.dup(0)
    os.dup2(reading, 0)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(reading)


async def test_many_401_at_once_run_the_plugin_once(tmp_path: Path) -> None:
    log = tmp_path / "runs"
    body = f"n = len(open({str(log)!r}, 'a+').read()); f = open({str(log)!r}, 'a'); f.write('x')"
    body += "\nf.close()\nrun = os.path.getsize(" + repr(str(log)) + ")\n"
    body += credential(token="RUN").replace("RUN", "t%d").replace("print(", "print((") + " % run)"
    user = plugin(tmp_path, body)

    async def picky(request: web.Request) -> web.StreamResponse:
        good = request.headers["Authorization"] == "Bearer t2"
        return (ok() if good else status(401, "Unauthorized"))()

    async with (
        fake_api(picky) as api,
        await open_cluster(tmp_path, api.url, user=user) as cluster,
    ):
        await asyncio.gather(*(cluster.list(PODS) for _ in range(8)))
    assert log.read_text() == "xx"


async def test_an_exec_plugin_gives_a_token_and_is_told_about_the_cluster(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    body = f"open({str(seen)!r}, 'w').write(json.dumps([os.environ['KUBERNETES_EXEC_INFO'], "
    body += "os.environ['EXTRA'], sys.argv[1:], sys.stdin.read()]))\n" + credential(token="p")
    user = plugin(
        tmp_path,
        body,
        args=["--for", "a b"],
        env=[{"name": "EXTRA", "value": "yes"}],
        provideClusterInfo=True,
    )
    async with fake_api(answers(ok())) as api:
        with our_own_input(b"typed by the user"):
            assert await ask(tmp_path, api, user=user) == ["Bearer p"]
    info, extra, argv, stdin = json.loads(seen.read_text())
    assert (extra, argv, stdin) == ("yes", ["--for", "a b"], "")
    spec = json.loads(info)["spec"]
    assert spec["interactive"] is False
    assert spec["cluster"]["server"] == api.url


async def test_a_plugin_is_given_the_authority_itself_not_its_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes((TLS / "ca.pem").read_bytes())
    body = "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])['spec']['cluster']\n"
    body += f"assert info['certificate-authority-data'] == {data('ca.pem')!r}\n"
    user = plugin(tmp_path, body + credential(token="p"), provideClusterInfo=True)
    async with fake_api(answers(ok()), server_side()) as api:
        cluster = {"certificate-authority": "ca.pem"}
        assert await ask(tmp_path, api, user=user, cluster=cluster) == ["Bearer p"]


async def test_a_plugin_is_asked_again_when_its_token_expires(tmp_path: Path) -> None:
    log = tmp_path / "runs"
    body = f"open({str(log)!r}, 'a').write('x')\n"
    body += credential(token="p", expirationTimestamp="2026-11-22T12:00:00Z")
    clock = QuickClock(1_795_000_000.0)
    user = plugin(tmp_path, body)
    async with (
        fake_api(answers(ok())) as api,
        await open_cluster(tmp_path, api.url, clock, user=user) as cluster,
    ):
        await cluster.list(PODS)
        await cluster.list(PODS)
        clock.time = 1_795_348_796.0
        await cluster.list(PODS)
    assert log.read_text() == "xx"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.stderr.write('please log in'); sys.exit(7)", "exit code 7: please log in"),
        ("print('hello')", "not an ExecCredential"),
        ("print('{}')", "not an ExecCredential"),
        (credential(), "neither a token nor a certificate"),
        (credential(clientCertificateData="x"), "without its key"),
        (credential(token="x").replace("/v1", "/v1beta1"), "instead of"),
    ],
)
async def test_a_plugin_that_fails_is_an_error_and_never_nobody(
    tmp_path: Path, body: str, words: str
) -> None:
    async with fake_api(answers(ok())) as api:
        with pytest.raises(CredentialError, match=words):
            await ask(tmp_path, api, user=plugin(tmp_path, body))
    assert api.asked == []


async def test_a_missing_plugin_shows_how_to_get_it(tmp_path: Path) -> None:
    stanza = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "no-such-login-helper",
        "installHint": "Install it with your package manager.",
    }
    async with fake_api(answers(ok())) as api:
        with pytest.raises(CredentialError, match="cannot be started") as caught:
            await ask(tmp_path, api, user={"exec": stanza})
    assert caught.value.advice == "Install it with your package manager."
    assert api.asked == []


async def test_a_plugin_that_needs_a_terminal_is_refused(tmp_path: Path) -> None:
    user = plugin(tmp_path, credential(token="x"), interactiveMode="Always")
    async with fake_api(answers(ok())) as api:
        with pytest.raises(CredentialError, match="terminal"):
            await ask(tmp_path, api, user=user)


async def test_an_interactive_mode_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    user = plugin(tmp_path, credential(token="x"), interactiveMode="Sometimes")
    async with fake_api(answers(ok())) as api:
        with pytest.raises(CredentialError, match="'Sometimes' is none of Never, IfAvailable"):
            await ask(tmp_path, api, user=user)


@pytest.mark.parametrize("mode", ["Always", "IfAvailable", "Never", None])
async def test_on_the_command_line_a_plugin_may_ask_on_the_terminal(
    tmp_path: Path, mode: str | None
) -> None:
    body = "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])['spec']['interactive']\n"
    body += "sys.stderr.write('Password: '); sys.stderr.flush()\n"
    body += "said = sys.stdin.readline().strip() if info else 'nobody'\n"
    body += (
        credential(token="TOKEN").replace("TOKEN", "%s").replace("print(", "print((") + " % said)"
    )
    user = plugin(tmp_path, body, **({"interactiveMode": mode} if mode else {}))
    async with fake_api(answers(ok({"items": []}))) as api:
        config = write_kubeconfig(tmp_path / "config", api.url, user=user)
        ours, theirs = os.openpty()
        os.write(ours, b"typed\n")
        try:
            done = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "fluxstate_tui", "get", "pods", "x"),
                stdin=theirs,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "KUBECONFIG": config, "FLUXSTATE_STATE_DIR": str(tmp_path)},
            )
            _, complaint = await done.communicate()
        finally:
            os.close(ours)
            os.close(theirs)
    wanted = "Bearer nobody" if mode == "Never" else "Bearer typed"
    assert {asked.headers["Authorization"][0] for asked in api.asked} == {wanted}
    assert complaint.startswith(b"Password: ")


async def test_without_a_terminal_a_plugin_that_needs_one_is_refused_on_the_command_line(
    tmp_path: Path,
) -> None:
    user = plugin(tmp_path, credential(token="x"), interactiveMode="Always")
    async with fake_api(answers(ok())) as api:
        with our_own_input(b""), pytest.raises(CredentialError, match="standard input is none"):
            await ask(tmp_path, api, user=user, terminal=True)


async def test_a_plugin_can_give_a_client_certificate(tmp_path: Path) -> None:
    cert, key = ((TLS / f"client.{end}").read_text() for end in ("pem", "key"))
    user = plugin(tmp_path, credential(clientCertificateData=cert, clientKeyData=key))
    async with fake_api(answers(ok()), server_side(ask_client=True)) as api:
        assert await ask(tmp_path, api, user=user, cluster=CA) == []
    assert len(api.asked) == 1


def is_alive(pid: int) -> bool:
    """Whether that process runs; one that ended and was not waited for does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def shell_plugin(folder: Path, body: str) -> dict[str, Any]:
    script = folder / "plugin"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o700)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": "./plugin", "interactiveMode": "Never"}}


@pytest.mark.parametrize("begin", ["exec sleep 130", "sleep 130", "sleep 130 &\nwait"])
async def test_a_plugin_that_hangs_is_named_and_leaves_no_child(
    tmp_path: Path, begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "PLUGIN_SECONDS", 1.0)
    children = tmp_path / "group"
    user = shell_plugin(tmp_path, f"echo $$ > {children}\necho 'open your browser' >&2\n{begin}")
    begun = time.monotonic()
    async with fake_api(answers(ok())) as api:
        with pytest.raises(CredentialError, match="did not finish within 1 s") as caught:
            await ask(tmp_path, api, user=user, request_timeout=0.2)
    assert api.asked == []
    assert time.monotonic() - begun < 10
    assert "open your browser" in caught.value.message
    await gone(int(children.read_text()))


async def gone(group: int) -> None:
    """Wait until no process of that group is left: a signal takes a moment to arrive."""
    async with asyncio.timeout(5):
        while any(map(is_alive, await asyncio.to_thread(group_of, group))):
            pass


def group_of(group: int) -> list[int]:
    """The processes of a process group."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                found.append(int(entry.parent.name))
    return found


async def test_a_slow_login_is_not_cut_off_by_the_time_limit_of_a_request(tmp_path: Path) -> None:
    user = plugin(tmp_path, "import time; time.sleep(1.0)\n" + credential(token="slow"))
    async with fake_api(answers(ok())) as api:
        assert await ask(tmp_path, api, user=user, request_timeout=0.2) == ["Bearer slow"]


async def test_a_slow_login_is_not_cut_off_by_the_time_limit_of_a_command(tmp_path: Path) -> None:
    user = plugin(tmp_path, "import time; time.sleep(1.0)\n" + credential(token="slow"))
    async with (
        fake_api(plays([SUCCESS])) as api,
        await open_cluster(tmp_path, api.url, user=user, request_timeout=0.2) as cluster,
    ):
        done = await cluster.exec("ns", "lead-0", "main", ["true"], timeout=0.5)
    assert done.code == 0


async def test_a_plugin_that_leaves_a_child_with_its_output_is_not_waited_for(
    tmp_path: Path,
) -> None:
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "p"},
    }
    user = shell_plugin(
        tmp_path, f"echo '{json.dumps(answer)}'\nsleep 30 &\necho $! > {tmp_path}/child"
    )
    begun = time.monotonic()
    async with fake_api(answers(ok())) as api:
        assert await ask(tmp_path, api, user=user) == ["Bearer p"]
    assert time.monotonic() - begun < 15
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


async def test_a_plugin_that_fails_is_not_run_once_more_for_each_who_waits(tmp_path: Path) -> None:
    log = tmp_path / "runs"
    body = f"open({str(log)!r}, 'a').write('x'); import time; time.sleep(0.5); sys.exit(1)"
    async with (
        fake_api(answers(ok())) as api,
        await open_cluster(tmp_path, api.url, user=plugin(tmp_path, body)) as cluster,
    ):
        asked = [cluster.list(PODS) for _ in range(5)]
        got = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in got] == [CredentialError] * 5
    assert log.read_text() == "x"


async def test_who_is_cancelled_takes_the_plugin_along(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    user = shell_plugin(tmp_path, f"echo $$ > {begun}.part; mv {begun}.part {begun}\nsleep 130")
    async with fake_api(answers(ok())) as api:
        asking = asyncio.create_task(ask(tmp_path, api, user=user))
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(begun.exists):
                pass
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    await gone(int(begun.read_text()))
