"""Credentials and TLS as they arrive at a server: whoever we are, it is who was chosen."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fluxstate_tui.kube.errors import BadConfig, CannotConnect, CredentialError, Unauthorized
from fluxstate_tui.kube.resources import PODS
from tests.unit.kube.certificates import TLS, data, server_side
from tests.unit.kube.clock import QuickClock
from tests.unit.kube.exec_server import SUCCESS, plays
from tests.unit.kube.server import FakeApi, answers, fake_api, ok, open_cluster, status

CA = {"certificate-authority-data": data("ca.pem")}


def plugin(folder: Path, body: str, **stanza: Any) -> dict[str, Any]:
    """A user whose credentials come from a script beside the kubeconfig."""
    script = folder / "plugin"
    script.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": "./plugin", **stanza}}


def credential(**fields: Any) -> str:
    """Python source that prints an ExecCredential."""
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": fields,
    }
    return f"print({json.dumps(json.dumps(answer))})"


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


async def ask(folder: Path, api: FakeApi, **options: Any) -> list[str]:
    """One request; the Authorization header that arrived."""
    async with await open_cluster(folder, api.url, **options) as cluster:
        await cluster.list(PODS)
    return api.asked[-1].headers.get("Authorization", [])


async def test_tokens_and_passwords_travel_as_they_should(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    async with fake_api(answers(ok())) as api:
        assert await ask(tmp_path, api, user={"token": "abc"}) == ["Bearer abc"]
        both = {"token": "old", "tokenFile": "token"}
        assert await ask(tmp_path, api, user=both) == ["Bearer from-file"]
        basic = {"username": "u", "password": "p"}
        assert await ask(tmp_path, api, user=basic) == ["Basic dTpw"]
        assert await ask(tmp_path, api, user={"as": ""}) == []


async def test_a_token_with_line_breaks_is_cleaned_or_refused(tmp_path: Path) -> None:
    async with fake_api(answers(ok())) as api:
        assert await ask(tmp_path, api, user={"token": "abc\n"}) == ["Bearer abc"]
        with pytest.raises(CredentialError, match="cannot be sent"):
            await ask(tmp_path, api, user={"token": "abc\r\nImpersonate-User: admin"})
        with pytest.raises(CredentialError, match="cannot be sent"):
            await ask(tmp_path, api, as_user="a\nb")
    assert len(api.asked) == 1


def id_token(expires: int) -> str:
    """An unsigned JWT as an identity provider would give it."""
    parts = ({"alg": "none"}, {"exp": expires, "sub": "alice"})
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in parts]
    return ".".join([*(part.rstrip("=") for part in encoded), "sig"])


async def test_an_old_auth_provider_is_left_to_the_official_package(tmp_path: Path) -> None:
    token = id_token(4_000_000_000)
    config = {"id-token": token, "client-id": "x", "idp-issuer-url": "http://127.0.0.1:9"}
    async with fake_api(answers(ok())) as api:
        oidc = {"auth-provider": {"name": "oidc", "config": config}}
        assert await ask(tmp_path, api, user=oidc) == [f"Bearer {token}"]
        gcp = {"auth-provider": {"name": "gcp", "config": {"access-token": "g"}}}
        assert await ask(tmp_path, api, user=gcp) == ["Bearer g"]


@pytest.mark.parametrize(
    "provider",
    [
        {"name": "azure", "config": {}},
        {"name": "oidc", "config": {"id-token": id_token(1), "idp-issuer-url": "http://[::1]:9"}},
        {"name": "oidc", "config": {}},
        {"config": {}},
    ],
)
async def test_an_auth_provider_that_fails_is_an_error_and_never_nobody(
    tmp_path: Path, provider: dict[str, Any]
) -> None:
    user = {"auth-provider": provider, "username": "not-me", "password": "x"}
    async with fake_api(answers(ok())) as api:
        with pytest.raises(CredentialError, match="auth-provider of user 'u' failed"):
            await ask(tmp_path, api, user=user)
    assert api.asked == []


async def test_a_rotated_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    clock = QuickClock()
    (tmp_path / "token").write_text("one")
    async with (
        fake_api(answers(ok())) as api,
        await open_cluster(tmp_path, api.url, clock, user={"tokenFile": "token"}) as cluster,
    ):
        await cluster.list(PODS)
        (tmp_path / "token").write_text("two")
        await cluster.list(PODS)
        clock.time += 61
        await cluster.list(PODS)
    sent = [asked.headers["Authorization"][0] for asked in api.asked]
    assert sent == ["Bearer one", "Bearer one", "Bearer two"]


async def test_a_token_file_that_is_gone_or_empty_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    async with fake_api(answers(ok())) as api:
        for name in ("missing", "empty"):
            with pytest.raises(CredentialError, match=name):
                await ask(tmp_path, api, user={"tokenFile": name})
    assert api.asked == []


async def test_a_401_renews_the_credentials_once(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")

    async def picky(request: web.Request) -> web.StreamResponse:
        good = request.headers["Authorization"] == "Bearer new"
        (tmp_path / "token").write_text("new")
        return (ok() if good else status(401, "Unauthorized"))()

    user = {"tokenFile": "token"}
    async with (
        fake_api(picky) as api,
        await open_cluster(tmp_path, api.url, user=user) as cluster,
    ):
        await cluster.list(PODS)
    assert len(api.asked) == 2


async def test_a_second_401_is_final(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("bad")
    async with fake_api(answers(status(401, "Unauthorized"))) as api:
        with pytest.raises(Unauthorized) as caught:
            await ask(tmp_path, api, user={"token": "fixed"})
        assert len(api.asked) == 1
        with pytest.raises(Unauthorized):
            await ask(tmp_path, api, user={"tokenFile": "token"})
    assert caught.value.exit_code == 3


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


async def test_client_certificates_come_from_data_or_files_and_leave_no_key_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / name).write_bytes((TLS / name).read_bytes())
    inline = {
        "client-certificate-data": data("client.pem"),
        "client-key-data": data("client.key"),
    }
    relative = {"client-certificate": "client.pem", "client-key": "./client.key"}
    async with fake_api(answers(ok()), server_side(ask_client=True)) as api:
        await ask(tmp_path, api, user=inline, cluster=CA)
        await ask(tmp_path, api, user=relative, cluster={"certificate-authority": "ca.pem"})
    assert len(api.asked) == 2
    assert list(temporary.iterdir()) == []


async def test_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    async with fake_api(answers(ok()), server_side()) as api:
        with pytest.raises(CannotConnect, match="TLS connection") as caught:
            await ask(tmp_path, api)
        assert "certificate-authority-data" in caught.value.advice
        await ask(tmp_path, api, cluster={"insecure-skip-tls-verify": True})
    assert len(api.asked) == 1


async def test_tls_server_name_counts_for_requests_and_exec(tmp_path: Path) -> None:
    async with fake_api(plays([SUCCESS]), server_side("named")) as api:
        with pytest.raises(CannotConnect, match="TLS"):
            await ask(tmp_path, api, cluster=CA)
        named = {**CA, "tls-server-name": "kube.example"}
        async with await open_cluster(tmp_path, api.url, cluster=named) as cluster:
            assert (await cluster.exec("ns", "pod", "box", ["true"])).code == 0
        api.handler = answers(ok())
        await ask(tmp_path, api, cluster=named)


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({}, {"certificate-authority-data": "aGVsbG8="}, "not a PEM certificate"),
        ({}, {"certificate-authority-data": "///"}, "not base64"),
        ({}, {"certificate-authority": "missing.pem"}, "cannot be read"),
        ({}, {**CA, "insecure-skip-tls-verify": True}, "both a certificate authority and"),
        ({"client-key-data": data("client.key")}, CA, "without a key, or a key without one"),
        (
            {
                "client-certificate-data": data("client.pem"),
                "client-key-data": data("server.key"),
            },
            CA,
            "cannot be used",
        ),
    ],
)
async def test_broken_tls_settings_are_one_sentence(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], words: str
) -> None:
    async with fake_api(answers(ok()), server_side()) as api:
        with pytest.raises(BadConfig, match=words):
            await ask(tmp_path, api, user=user, cluster=cluster)
    assert api.asked == []


async def test_impersonation_is_never_forgotten(tmp_path: Path) -> None:
    """The official package ignores `as:` and acts as the real user."""
    acting = {
        "token": "t",
        "as": "alice",
        "as-groups": ["one", "two"],
        "as-uid": "7",
        "as-user-extra": {"scopes/a": ["x"]},
    }
    async with fake_api(plays([SUCCESS])) as api:
        async with await open_cluster(tmp_path, api.url, user=acting) as cluster:
            assert cluster.user == "alice"
            await cluster.exec("ns", "pod", "box", ["true"])
        by_exec = api.asked[-1].headers
        api.handler = answers(ok())
        await ask(tmp_path, api, user=acting)
        by_request = api.asked[-1].headers
        await ask(tmp_path, api, user=acting, as_user="bob", as_groups=("three",))
    for headers in (by_exec, by_request):
        assert headers["Impersonate-User"] == ["alice"]
        assert headers["Impersonate-Group"] == ["one", "two"]
        assert headers["Impersonate-Uid"] == ["7"]
        assert headers["Impersonate-Extra-scopes%2Fa"] == ["x"]
    replaced = api.asked[-1].headers
    assert replaced["Impersonate-User"] == ["bob"]
    assert replaced["Impersonate-Group"] == ["three"]
    assert "Impersonate-Uid" not in replaced


async def test_groups_without_a_user_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="without a user"):
        await open_cluster(tmp_path, "http://localhost", as_groups=("admins",))


async def test_the_proxy_of_the_cluster_is_used_for_requests_and_exec(tmp_path: Path) -> None:
    """kubernetes.aio ignores it for exec: a proxy that is down must be noticed."""
    async with fake_api(plays([SUCCESS])) as proxy:
        cluster_data = {"proxy-url": proxy.url}
        async with await open_cluster(
            tmp_path, "http://kube.example:6443", cluster=cluster_data
        ) as cluster:
            assert (await cluster.exec("ns", "pod", "box", ["true"])).code == 0
            proxy.handler = answers(ok())
            await cluster.list(PODS)
        hosts = [asked.headers["Host"] for asked in proxy.asked]
        assert hosts == [["kube.example:6443"]] * 2
    async with await open_cluster(
        tmp_path, "http://kube.example:6443", cluster=cluster_data
    ) as cluster:
        with pytest.raises(CannotConnect):
            await cluster.list(PODS)


async def test_a_socks_proxy_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="neither http nor https") as caught:
        await open_cluster(
            tmp_path, "http://localhost", cluster={"proxy-url": "socks5://localhost:1080"}
        )
    assert "SOCKS" in caught.value.advice


async def test_the_usual_environment_names_a_proxy_but_never_for_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    async with fake_api(answers(ok())) as api:
        monkeypatch.setenv("http_proxy", api.url)
        async with await open_cluster(tmp_path, "http://kube.example") as cluster:
            await cluster.list(PODS)
        assert api.asked[-1].headers["Host"] == ["kube.example"]
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        await ask(tmp_path, api)
        monkeypatch.setenv("no_proxy", "kube.example")
        async with await open_cluster(tmp_path, "http://kube.example:1") as cluster:
            assert cluster.route.proxy is None


async def test_the_kubeconfig_is_never_written(tmp_path: Path) -> None:
    user = plugin(tmp_path, credential(token="p", expirationTimestamp="2020-01-01T00:00:00Z"))
    async with (
        fake_api(answers(ok())) as api,
        await open_cluster(tmp_path, api.url, user=user) as cluster,
    ):
        config = tmp_path / "config"
        before = config.read_bytes(), config.stat().st_mtime_ns
        await cluster.list(PODS)
        await cluster.list(PODS)
        assert (config.read_bytes(), config.stat().st_mtime_ns) == before
