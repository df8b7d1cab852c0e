"""Credentials that a plugin gives: asked for once, renewed in time, never replaced by nobody."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from fluxstate_tui.kube.errors import CredentialError
from fluxstate_tui.kube.objects import PODS
from tests.unit.kube.certificates import TLS, server_side
from tests.unit.kube.clock import QuickClock
from tests.unit.kube.identities import CA, ask, credential, plugin
from tests.unit.kube.server import answers, fake_api, ok, open_cluster, status


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


async def test_a_plugin_can_give_a_client_certificate(tmp_path: Path) -> None:
    cert, key = ((TLS / f"client.{end}").read_text() for end in ("pem", "key"))
    user = plugin(tmp_path, credential(clientCertificateData=cert, clientKeyData=key))
    async with fake_api(answers(ok()), server_side(ask_client=True)) as api:
        assert await ask(tmp_path, api, user=user, cluster=CA) == []
    assert len(api.asked) == 1
