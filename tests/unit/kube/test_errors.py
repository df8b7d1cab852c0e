"""Every way to fail is one sentence with advice and an exit code; bodies are the recorded ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from fluxstate_tui.kube import errors
from fluxstate_tui.kube.errors import KubeError, RequestInfo
from fluxstate_tui.kube.objects import MINICLUSTERS, PODS
from tests.unit.kube.clock import QuickClock
from tests.unit.kube.server import FakeApi, answers, fake_api, ok, open_cluster, status

Failure = TypeVar("Failure", bound=KubeError)
CREATE_BODY = {"metadata": {"name": "a"}}
FORBIDDEN = (
    'miniclusters.flux-framework.org is forbidden: User "alice" cannot list resource '
    '"miniclusters" in API group "flux-framework.org" in the namespace "flux"'
)


async def failing(
    folder: Path, answer: Callable[[], web.StreamResponse], kind: type[Failure]
) -> tuple[Failure, FakeApi]:
    """The error of listing MiniClusters when the server answers so."""
    async with (
        fake_api(answers(answer)) as api,
        await open_cluster(folder, api.url, QuickClock()) as cluster,
    ):
        with pytest.raises(kind) as caught:
            await cluster.list(MINICLUSTERS, "flux")
    error = caught.value
    assert "\n" not in error.message
    assert error.message.endswith((".", "…"))
    return error, api


async def test_a_403_names_the_missing_right(tmp_path: Path) -> None:
    error, _ = await failing(tmp_path, status(403, FORBIDDEN), errors.Forbidden)
    assert error.message == "User 'alice' may not list miniclusters in namespace 'flux'."
    rule = '- {apiGroups: ["flux-framework.org"], resources: ["miniclusters"], verbs: ["list"]}'
    assert error.rule == rule
    assert rule in error.advice
    assert "Role" in error.advice
    assert (error.verb, error.resource, error.namespace) == ("list", "miniclusters", "flux")
    assert error.exit_code == 3


def test_the_rule_for_exec_is_enough_for_old_and_new_servers() -> None:
    asked = RequestInfo.of("GET", "/api/v1/namespaces/flux/pods/a/exec")
    assert asked.verb == "get"
    rule = '- {apiGroups: [""], resources: ["pods/exec"], verbs: ["get", "create"]}'
    assert asked.rbac_rule() == rule


async def test_a_missing_group_means_that_the_operator_is_not_installed(tmp_path: Path) -> None:
    """The API server answers with a text, not with a Status (status_404_group.json)."""

    def text() -> web.Response:
        return web.Response(status=404, text="404 page not found\n")

    error, _ = await failing(tmp_path, text, errors.CrdMissing)
    assert "Flux Operator is not installed" in error.message
    assert "github.com/flux-framework/flux-operator" in error.advice
    assert error.exit_code == 4
    async with fake_api(answers(text)) as api, await open_cluster(tmp_path, api.url) as cluster:
        with pytest.raises(errors.CrdMissing):
            await cluster.minicluster_resource()
        with pytest.raises(errors.CrdMissing, match="does not serve pods"):
            await cluster.list(PODS)


async def test_a_missing_object_is_not_a_missing_group(tmp_path: Path) -> None:
    said = 'miniclusters.flux-framework.org "nope" not found'
    answer = status(404, said, reason="NotFound", details={"name": "nope", "group": "x"})
    async with fake_api(answers(answer)) as api, await open_cluster(tmp_path, api.url) as cluster:
        with pytest.raises(errors.NotFound, match="nope") as caught:
            await cluster.get(MINICLUSTERS, "nope", "flux")
    assert not isinstance(caught.value, errors.CrdMissing)


async def test_a_422_lists_its_causes(tmp_path: Path) -> None:
    causes = [{"field": "spec.size", "message": "must be of type integer"}, {"message": "bad"}]
    answer = status(422, "is invalid", reason="Invalid", details={"causes": causes})
    error, _ = await failing(tmp_path, answer, errors.Invalid)
    assert error.causes == ("spec.size: must be of type integer", "bad")


async def test_a_409_says_what_kind_of_conflict_it_is(tmp_path: Path) -> None:
    error, _ = await failing(tmp_path, status(409, "x", reason="AlreadyExists"), errors.Conflict)
    assert error.already_exists
    error, _ = await failing(tmp_path, status(409, "x", reason="Conflict"), errors.Conflict)
    assert not error.already_exists
    assert "at the same time" in error.advice


async def test_an_expired_page_starts_the_list_again_once(tmp_path: Path) -> None:
    first = {"items": [{"n": 1}], "metadata": {"continue": "old"}}
    gone = status(410, "expired", metadata={"continue": "fresh"}, reason="Expired")
    whole = {"items": [{"n": 1}, {"n": 2}], "metadata": {}}
    async with (
        fake_api(answers(ok(first), gone, ok(whole))) as api,
        await open_cluster(tmp_path, api.url) as cluster,
    ):
        assert len(await cluster.list(PODS)) == 2
    error, _ = await failing(tmp_path, gone, errors.Gone)
    assert error.token == "fresh"


async def test_a_429_waits_as_long_as_it_is_told_and_then_gives_up(tmp_path: Path) -> None:
    clock = QuickClock()
    busy = status(429, "too many", headers={"Retry-After": "7"})
    async with (
        fake_api(answers(busy, busy, ok({"items": []}))) as api,
        await open_cluster(tmp_path, api.url, clock) as cluster,
    ):
        await cluster.list(PODS)
    assert clock.pauses == [7.0, 7.0]
    error, api = await failing(tmp_path, busy, errors.TooManyRequests)
    assert error.retry_after == 7
    assert len(api.asked) == 4


async def test_a_5xx_that_asks_to_wait_is_repeated_for_reading_only(tmp_path: Path) -> None:
    clock = QuickClock()
    later = status(503, "starting", headers={"Retry-After": "2"})
    async with (
        fake_api(answers(later, ok({"items": []}), later)) as api,
        await open_cluster(tmp_path, api.url, clock) as cluster,
    ):
        await cluster.list(PODS)
        assert clock.pauses == [2.0]
        with pytest.raises(errors.ServerError) as caught:
            await cluster.create(PODS, CREATE_BODY, "ns")
    assert len(api.asked) == 3
    assert "may have been carried out or not" in caught.value.safe


async def test_a_5xx_says_that_it_is_the_server(tmp_path: Path) -> None:
    error, _ = await failing(tmp_path, status(500, "etcd is gone"), errors.ServerError)
    assert "HTTP 500" in error.message
    assert "etcd is gone" in error.message


async def test_a_body_that_is_no_json_is_shown_short(tmp_path: Path) -> None:
    page = "<html>" + "please log in " * 1000

    def login() -> web.Response:
        return web.Response(text=page, content_type="text/html")

    def gateway() -> web.Response:
        return web.Response(status=502, text=page)

    def array() -> web.Response:
        return web.json_response([1])

    error, _ = await failing(tmp_path, login, errors.BadAnswer)
    assert error.exit_code == 3
    assert len(error.message) < 400
    other, _ = await failing(tmp_path, gateway, errors.RefusedOnTheWay)
    assert len(other.message) < 400
    await failing(tmp_path, array, errors.BadAnswer)


async def test_a_redirect_is_not_followed_with_our_credentials(tmp_path: Path) -> None:
    def elsewhere() -> web.Response:
        return web.Response(status=302, headers={"Location": "https://login.example/"})

    error, api = await failing(tmp_path, elsewhere, errors.BadAnswer)
    assert "login.example" in error.message
    assert len(api.asked) == 1


async def test_a_server_that_is_down_is_said_without_the_secrets_of_its_path(
    tmp_path: Path,
) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    async with await open_cluster(tmp_path, f"{url}/sim/token/secret") as cluster:
        assert cluster.server == url
        with pytest.raises(errors.CannotConnect, match="connect") as caught:
            await cluster.list(PODS)
        assert url in caught.value.message
        assert "sim/token" not in caught.value.message
        assert caught.value.exit_code == 3
        with pytest.raises(errors.CannotConnect):
            await cluster.create(PODS, CREATE_BODY, "ns")
        with pytest.raises(errors.CannotConnect):
            await cluster.exec("ns", "pod", "box", ["true"])


async def test_a_name_that_does_not_exist_is_said(tmp_path: Path) -> None:
    async with await open_cluster(tmp_path, "http://no-such-host.invalid") as cluster:
        with pytest.raises(errors.CannotConnect, match=r"no-such-host\.invalid"):
            await cluster.list(PODS)


async def test_a_change_whose_answer_is_lost_has_an_unknown_outcome(tmp_path: Path) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with fake_api(cut) as api, await open_cluster(tmp_path, api.url) as cluster:
        for change in (
            cluster.create(PODS, CREATE_BODY, "ns"),
            cluster.delete(PODS, "a", "ns"),
            cluster.replace(PODS, "a", CREATE_BODY, "ns"),
        ):
            with pytest.raises(errors.OutcomeUnknown) as caught:
                await change
            assert caught.value.exit_code == 8
        assert [asked.method for asked in api.asked] == ["POST", "DELETE", "PUT"]
        with pytest.raises(errors.CannotConnect, match="broke"):
            await cluster.list(PODS)


async def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    done = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        await done.wait()
        return web.Response()

    async with (
        fake_api(silent) as api,
        await open_cluster(tmp_path, api.url, request_timeout=0.05) as cluster,
    ):
        with pytest.raises(errors.CannotConnect, match="does not answer in time"):
            await cluster.list(PODS)
        with pytest.raises(errors.OutcomeUnknown):
            await cluster.create(PODS, CREATE_BODY, "ns")
        done.set()
