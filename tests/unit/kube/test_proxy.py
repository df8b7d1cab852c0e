"""The proxy that kubectl would take, and the way through each kind."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from fluxstate_tui.kube.errors import BadConfig, CannotConnect
from fluxstate_tui.kube.kubeconfig import Entry, Target
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.kube.proxy import choose_proxy, goes_through_proxy
from tests.unit.kube.certificates import server_side
from tests.unit.kube.exec_server import SUCCESS, plays
from tests.unit.kube.identities import CA
from tests.unit.kube.server import answers, fake_api, ok, open_cluster


def target(server: str, **cluster: Any) -> Target:
    entry = Entry("c", cluster, Path())
    return Target("here", "ctx", server, "ns", entry, Entry("u", {}, Path()))


@pytest.mark.parametrize(
    ("server", "environ", "proxy"),
    [
        ("https://kube", {"HTTPS_PROXY": "proxy.corp:3128"}, "http://proxy.corp:3128"),
        ("https://kube", {"HTTPS_PROXY": "10.0.0.1:3128"}, "http://10.0.0.1:3128"),
        ("https://kube", {"HTTPS_PROXY": "proxy"}, "http://proxy"),
        ("https://kube", {"HTTPS_PROXY": "u:p@proxy:1"}, "http://u:p@proxy:1"),
        ("https://kube", {"https_proxy": "https://p"}, "https://p"),
        ("https://kube", {"HTTPS_PROXY": "a:1", "https_proxy": "b:1"}, "http://a:1"),
        ("https://kube", {"HTTPS_PROXY": "socks5://p:1080"}, "socks5://p:1080"),
        ("https://kube", {"HTTP_PROXY": "p:1", "ALL_PROXY": "p:1"}, None),
        ("http://kube", {"HTTP_PROXY": "p:1"}, "http://p:1"),
        ("https://127.0.0.9", {"HTTPS_PROXY": "p:1"}, None),
        ("https://[::1]:6443", {"HTTPS_PROXY": "p:1"}, None),
        ("https://localhost", {"HTTPS_PROXY": "p:1"}, None),
        ("https://10.2.3.4:6443", {"HTTPS_PROXY": "p:1", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://kube.x", {"HTTPS_PROXY": "p:1", "no_proxy": "y, .x"}, None),
    ],
)
def test_the_environment_means_what_it_means_to_kubectl(
    server: str, environ: dict[str, str], proxy: str | None
) -> None:
    assert choose_proxy(target(server), environ) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "host", "through"),
    [
        ("", "kube", True),
        ("*", "kube", False),
        ("kube", "kube", False),
        ("kube", "a.kube", False),
        ("kube", "mykube", True),
        (".kube", "kube", True),
        (".kube", "a.kube", False),
        ("*.kube", "a.kube", False),
        ("*.kube", "kube", True),
        ("KUBE", "kube", False),
        ("kube:6443", "kube", False),
        ("kube:443", "kube", True),
        ("10.0.0.1", "10.0.0.1", False),
        ("10.0.0.1:443", "10.0.0.1", True),
        ("10.0.0.0/24", "10.0.1.1", True),
        ("fd00::/8", "fd00::1", False),
        ("fd00::1", "fd00::1", False),
        ("a,,b, kube", "kube", False),
    ],
)
def test_no_proxy_means_what_it_means_to_kubectl(no_proxy: str, host: str, through: bool) -> None:
    assert goes_through_proxy(host, 6443, no_proxy) is through


@pytest.mark.parametrize("proxy", ["localhost:8080", "ftp://p:1", "http://", "socks4://p", "p:x"])
def test_another_proxy_is_refused_in_words_and_without_its_password(proxy: str) -> None:
    with pytest.raises(BadConfig, match="proxy-url of cluster 'c' is no proxy") as caught:
        choose_proxy(target("https://kube", **{"proxy-url": proxy}), {})
    assert "socks5://" in caught.value.advice
    with pytest.raises(BadConfig) as caught:
        choose_proxy(target("https://kube"), {"HTTPS_PROXY": "ftp://me:secret@p:1"})
    assert "secret" not in caught.value.message


@dataclass
class SocksProxy:
    """A SOCKS5 proxy that leads everybody to one port of this computer."""

    to: int
    password: str = ""
    reply: int = 0
    url: str = ""
    wanted: list[tuple[bytes, int]] = field(default_factory=list)
    open: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            _, count = await reader.readexactly(2)
            methods = await reader.readexactly(count)
            method = 2 if self.password else 0
            if method not in methods:
                writer.write(b"\x05\xff")
                return
            writer.write(bytes([5, method]))
            if method == 2:
                name = await reader.readexactly((await reader.readexactly(2))[1])
                secret = await reader.readexactly((await reader.readexactly(1))[0])
                good = f"{name.decode()}:{secret.decode()}" == self.password
                writer.write(bytes([1, 0 if good else 1]))
            kind = (await reader.readexactly(4))[3]
            length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
            host = await reader.readexactly(length)
            (port,) = struct.unpack(">H", await reader.readexactly(2))
            self.wanted.append((host, port))
            writer.write(bytes([5, self.reply, 0, 1]) + bytes(6))
            if self.reply == 0:
                await self._relay(reader, writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.to)
        self.open.append(back)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def socks_proxy(url: str, **options: Any) -> AsyncIterator[SocksProxy]:
    proxy = SocksProxy(to=int(URL(url).port or 0), **options)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    user = f"{proxy.password}@" if proxy.password else ""
    proxy.url = f"socks5://{user}127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        for writer in proxy.open:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_requests_and_execs_go_through_a_socks_proxy_which_looks_the_name_up(
    tmp_path: Path,
) -> None:
    async with (
        fake_api(plays([SUCCESS])) as api,
        socks_proxy(api.url) as proxy,
        await open_cluster(
            tmp_path, "http://kube.nowhere.example:6443", cluster={"proxy-url": proxy.url}
        ) as cluster,
    ):
        assert (await cluster.exec("ns", "pod", "box", ["true"])).code == 0
        api.handler = answers(ok({"items": []}))
        await cluster.list(PODS)
    assert proxy.wanted == [(b"kube.nowhere.example", 6443)] * 2


async def test_tls_through_a_socks_proxy_is_checked_for_the_servers_own_name(
    tmp_path: Path,
) -> None:
    async with (
        fake_api(answers(ok({"items": []})), server_side("named")) as api,
        socks_proxy(api.url, password="jo:s3cret") as proxy,
    ):
        cluster_data = {**CA, "proxy-url": proxy.url}
        named = {**cluster_data, "tls-server-name": "kube.example"}
        server = "https://10.9.8.7:6443"
        async with await open_cluster(tmp_path, server, cluster=named) as cluster:
            await cluster.list(PODS)
        async with await open_cluster(tmp_path, server, cluster=cluster_data) as cluster:
            with pytest.raises(CannotConnect, match="TLS connection"):
                await cluster.list(PODS)
    assert proxy.wanted == [(bytes([10, 9, 8, 7]), 6443)] * 2


@pytest.mark.parametrize(
    ("options", "change", "words"),
    [
        ({"reply": 2}, "", "its rules do not allow it"),
        ({"reply": 5}, "", "the connection was refused"),
        ({"password": "jo:s3cret"}, "jo:wrong@", "does not accept this user"),
        ({"password": "jo:s3cret"}, "none", "user and a password"),
    ],
)
async def test_what_a_socks_proxy_refuses_is_told_as_the_proxys(
    tmp_path: Path, options: dict[str, Any], change: str, words: str
) -> None:
    async with (
        fake_api(answers(ok({"items": []}))) as api,
        socks_proxy(api.url, **options) as proxy,
    ):
        url = proxy.url.replace("jo:s3cret@", change.replace("none", ""))
        async with await open_cluster(
            tmp_path, "http://kube.example", cluster={"proxy-url": url}
        ) as cluster:
            with pytest.raises(CannotConnect, match="the proxy failed") as caught:
                await cluster.list(PODS)
        assert words in caught.value.message
        assert "$HTTPS_PROXY" in caught.value.advice
        assert "s3cret" not in caught.value.message
        assert api.asked == []


async def test_a_socks_proxy_that_is_down_is_told_as_the_proxys(tmp_path: Path) -> None:
    cluster_data = {"proxy-url": "socks5h://127.0.0.1:9"}
    async with await open_cluster(tmp_path, "http://kube", cluster=cluster_data) as cluster:
        with pytest.raises(CannotConnect, match=r"the proxy failed \(.*refused"):
            await cluster.list(PODS)
