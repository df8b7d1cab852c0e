"""Answers that are not the API server's: a proxy's page is not a missing right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from fluxstate_tui.errors import ExitCode
from fluxstate_tui.kube import errors
from fluxstate_tui.kube.objects import MINICLUSTERS, PODS
from tests.unit.kube.server import answers, fake_api, open_cluster, status

PAGE = "<html><body>Forbidden by proxy</body></html>"


def page(code: int) -> Callable[[], web.StreamResponse]:
    return lambda: web.Response(status=code, text=PAGE, content_type="text/html")


@pytest.mark.parametrize("code", [200, 302, 401, 403, 404, 407, 500, 502, 503])
async def test_an_exec_that_a_proxy_refuses_is_refused_on_the_way(
    tmp_path: Path, code: int
) -> None:
    async with (
        fake_api(answers(page(code))) as api,
        await open_cluster(tmp_path, api.url) as cluster,
    ):
        with pytest.raises(errors.BadAnswer) as caught:
            await cluster.exec("ns", "lead-0", "main", ["true"])
    if code == 302:
        assert "sends us elsewhere" in caught.value.message
        return
    assert isinstance(caught.value, errors.RefusedOnTheWay)
    assert f"refused on the way (HTTP {code} with HTML: not from the API server" in (
        caught.value.message
    )
    assert "Role" not in caught.value.advice
    assert caught.value.exit_code is ExitCode.NO_CONNECTION


@pytest.mark.parametrize("code", [403, 502])
async def test_a_refusal_in_plain_text_by_a_proxy_is_on_the_way_too(
    tmp_path: Path, code: int
) -> None:
    def denied() -> web.Response:
        return web.Response(status=code, text="RBAC: access denied")

    async with fake_api(answers(denied)) as api, await open_cluster(tmp_path, api.url) as cluster:
        with pytest.raises(errors.RefusedOnTheWay, match=f"HTTP {code} with a text"):
            await cluster.exec("ns", "lead-0", "main", ["true"])
        with pytest.raises(errors.RefusedOnTheWay, match=f"HTTP {code} with a text"):
            await cluster.list(PODS)


@pytest.mark.parametrize("code", [401, 403, 404, 407, 500, 502, 503])
async def test_a_page_instead_of_an_answer_is_neither_a_right_nor_an_operator_that_is_missing(
    tmp_path: Path, code: int
) -> None:
    async with (
        fake_api(answers(page(code))) as api,
        await open_cluster(tmp_path, api.url) as cluster,
    ):
        with pytest.raises(errors.RefusedOnTheWay, match=f"HTTP {code} with HTML"):
            await cluster.list(MINICLUSTERS, "ns")


async def test_a_change_that_a_gateway_answered_may_have_been_carried_out(tmp_path: Path) -> None:
    async with (
        fake_api(answers(page(502))) as api,
        await open_cluster(tmp_path, api.url) as cluster,
    ):
        with pytest.raises(errors.RefusedOnTheWay) as caught:
            await cluster.create(MINICLUSTERS, {"metadata": {"name": "x"}}, "ns")
    assert "may have been carried out" in caught.value.safe
    assert caught.value.exit_code is ExitCode.UNKNOWN


async def test_the_api_servers_own_refusals_stay_what_they_are(tmp_path: Path) -> None:
    said = 'pods "lead-0" is forbidden: User "jo" cannot get resource "pods/exec" in API group ""'
    for answer, kind in (
        (status(403, said), errors.Forbidden),
        (status(500, "error dialing backend: No agent available"), errors.ServerError),
        (lambda: web.Response(status=404, text="404 page not found\n"), errors.CrdMissing),
    ):
        async with (
            fake_api(answers(answer)) as api,
            await open_cluster(tmp_path, api.url) as cluster,
        ):
            with pytest.raises(kind) as caught:
                await cluster.exec("ns", "lead-0", "main", ["true"])
            assert not isinstance(caught.value, errors.RefusedOnTheWay)
