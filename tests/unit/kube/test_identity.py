"""Credentials and TLS as they arrive at a server: whoever we are, it is who was chosen."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fluxstate_tui.kube.errors import BadConfig, CannotConnect, CredentialError, Unauthorized
from fluxstate_tui.kube.objects import PODS
from tests.unit.kube.certificates import TLS, data, server_side
from tests.unit.kube.clock import QuickClock
from tests.unit.kube.exec_server import SUCCESS, plays
from tests.unit.kube.identities import CA, ask, credential, plugin
from tests.unit.kube.server import answers, fake_api, ok, open_cluster, status


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


EXPIRED = {"id-token": id_token(1), "client-id": "x", "client-secret": "y"}


@pytest.mark.parametrize(
    ("provider", "words", "advice"),
    [
        ({"name": "azure", "config": {}}, "no auth-provider 'azure' any more", "kubelogin"),
        ({"name": "gcp", "config": {"expiry": "2020-01-01T00:00:00Z"}}, "", "gke-gcloud-auth"),
        ({"name": "oidc", "config": EXPIRED}, "idp-issuer-url", "oidc_login"),
        (
            {"name": "oidc", "config": {**EXPIRED, "idp-issuer-url": "http://127.0.0.1:9"}},
            "refused",
            "oidc_login",
        ),
        ({"name": "oidc", "config": {}}, "id-token", "oidc_login"),
        ({"name": "oidc", "config": {"id-token": "words"}}, "gave no token", "oidc_login"),
        ({"name": "oidc"}, "it has no config", "oidc_login"),
        ({"config": {}}, "it has no name", "exec credential plugin"),
        ("oidc", "it has no name", "exec credential plugin"),
    ],
)
async def test_an_auth_provider_that_fails_says_why_and_is_never_nobody(
    tmp_path: Path, provider: Any, words: str, advice: str
) -> None:
    user = {"auth-provider": provider, "username": "not-me", "password": "x"}
    async with fake_api(answers(ok())) as api:
        with pytest.raises(CredentialError, match="auth-provider of user 'u' failed") as caught:
            await ask(tmp_path, api, user=user)
    assert words in caught.value.message
    assert advice in caught.value.advice
    assert api.asked == []


async def test_an_id_token_that_could_not_be_renewed_is_not_sent(tmp_path: Path) -> None:
    async def provider(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("openid-configuration"):
            return web.json_response({"token_endpoint": f"{idp.url}/token"})
        return web.json_response({"error": "invalid_client"}, status=401)

    async with fake_api(provider) as idp, fake_api(answers(ok())) as api:
        config = {**EXPIRED, "refresh-token": "r", "idp-issuer-url": idp.url}
        with pytest.raises(CredentialError, match="auth-provider of user 'u' failed"):
            await ask(tmp_path, api, user={"auth-provider": {"name": "oidc", "config": config}})
    assert api.asked == []


async def test_an_identity_provider_that_nobody_vouches_for_gets_no_token(tmp_path: Path) -> None:
    async with fake_api(answers(ok({})), server_side()) as idp, fake_api(answers(ok())) as api:
        config = {**EXPIRED, "refresh-token": "r", "idp-issuer-url": idp.url}
        with pytest.raises(CredentialError, match=r"certificate verify failed"):
            await ask(tmp_path, api, user={"auth-provider": {"name": "oidc", "config": config}})
        assert idp.asked == []


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
