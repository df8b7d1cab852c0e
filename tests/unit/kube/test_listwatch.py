"""List and watch: whatever happens to the connection, the picture comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from fluxstate_tui.kube.watch import Changed, Deleted, Listed
from tests.unit.kube.server import status
from tests.unit.kube.watching import (
    GONE,
    Watched,
    WatchServer,
    bookmark,
    event,
    listed,
    pod,
    watching,
)

FORBIDDEN = status(403, 'pods is forbidden: User "alice" cannot list resource "pods"')


async def test_a_watch_goes_on_from_the_version_of_the_list(tmp_path: Path) -> None:
    server = WatchServer(
        [listed(pod("a"), version="10")],
        [Watched([event("ADDED", pod("b", "11")), event("DELETED", pod("a", "12"))])],
    )
    async with watching(tmp_path, server) as (seen, api):
        await seen.until(lambda: seen.names(Deleted) == ["a"])
    assert seen.names(Changed) == ["b"]
    assert seen.states == ["live"]
    assert server.watched_from == ["10"]
    asked = api.asked[1].query
    assert asked["allowWatchBookmarks"] == "true"
    assert 300 <= int(asked["timeoutSeconds"]) <= 600


async def test_managed_fields_are_dropped_on_arrival(tmp_path: Path) -> None:
    server = WatchServer([listed(pod("a"))], [Watched([event("ADDED", pod("b", "11"))])])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: seen.names(Changed) == ["b"])
    for found in seen.events:
        items = found.items if isinstance(found, Listed) else []
        items = [found.item] if isinstance(found, Changed) else items
        assert all("managedFields" not in item["metadata"] for item in items)


async def test_a_bookmark_moves_the_version_and_is_no_object(tmp_path: Path) -> None:
    server = WatchServer([listed(pod("a"))], [Watched([bookmark("77")], "close"), Watched()])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(server.watched_from) == 2)
    assert server.watched_from == ["10", "77"]
    assert seen.names(Changed) == []
    assert (seen.states, seen.clock.pauses) == (["live"], [])


async def test_lines_may_be_cut_anywhere_and_be_very_long(tmp_path: Path) -> None:
    big = pod("big", "11")
    big["spec"] = {"text": "x" * 6_000_000}
    line = event("ADDED", big)
    pieces = [line[:5], line[5:4_000_000], line[4_000_000:] + event("ADDED", pod("c", "12"))]
    server = WatchServer([listed()], [Watched(pieces)])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: seen.names(Changed) == ["big", "c"])


async def test_a_cut_connection_is_resumed_from_the_last_event(tmp_path: Path) -> None:
    server = WatchServer(
        [listed(pod("a"))], [Watched([event("ADDED", pod("b", "15"))], "abort"), Watched()]
    )
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(server.watched_from) == 2)
        await seen.clock.lose_patience(1.0)
        await seen.until(lambda: seen.states[-1] == "live")
    assert server.watched_from == ["10", "15"]
    assert server.asked_lists == 1
    assert seen.states == ["live", "stale", "live"]


@pytest.mark.parametrize("how", ["event", "http"])
async def test_an_expired_version_means_a_fresh_list(tmp_path: Path, how: str) -> None:
    expired = Watched([GONE]) if how == "event" else status(410, "gone", reason="Expired")
    server = WatchServer(
        [listed(pod("a"), version="10"), listed(pod("a"), pod("z"), version="99")],
        [expired, Watched()],
    )
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(server.watched_from) == 2)
    assert server.watched_from == ["10", "99"]
    assert [len(e.items) for e in seen.events if isinstance(e, Listed)] == [1, 2]
    assert (seen.states, seen.clock.pauses) == (["live"], [0.0])


async def test_a_server_that_is_gone_again_and_again_is_not_hammered(tmp_path: Path) -> None:
    server = WatchServer([listed(pod("a"))], [Watched([GONE])])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(seen.clock.pauses) > 8)
    assert server.asked_lists <= len(seen.clock.pauses) + 1
    assert max(seen.clock.pauses) > 10


async def test_a_watch_that_closes_at_once_is_a_failure_not_a_hot_loop(tmp_path: Path) -> None:
    server = WatchServer([listed(pod("a"))], [Watched([], "close")])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(seen.clock.pauses) >= 6)
    assert "stale" in seen.states
    first = seen.clock.pauses[:6]
    for nth, pause in enumerate(first):
        assert 0.8 * 2**nth <= pause <= min(1.6 * 2**nth, 30)


async def test_a_watch_that_ends_after_a_while_is_renewed_at_once(tmp_path: Path) -> None:
    server = WatchServer(
        [listed(pod("a"))], [Watched([event("ADDED", pod("b", "11"))], "close"), Watched()]
    )
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(server.watched_from) == 2)
    assert (seen.states, seen.clock.pauses) == (["live"], [])


async def test_a_silent_stream_is_dead_after_70_seconds(tmp_path: Path) -> None:
    server = WatchServer([listed(pod("a"))], [Watched([bookmark("20")]), Watched([bookmark("21")])])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(server.watched_from) == 1)
        await seen.clock.lose_patience(70.0)
        await seen.until(lambda: seen.states == ["live", "stale", "live"])
    assert server.watched_from == ["10", "20"]
    assert server.asked_lists == 1


async def test_a_watch_that_falls_silent_soon_after_an_outage_is_opened_anew_at_once(
    tmp_path: Path,
) -> None:
    outage = [status(500, "starting")] * 6
    server = WatchServer([*outage, listed(pod("a"))], [Watched(), Watched()])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(server.watched_from) == 1)
        await seen.clock.lose_patience(1.0)
        await seen.clock.lose_patience(70.0)
        await seen.until(lambda: len(server.watched_from) == 2)
    assert max(seen.clock.pauses) > 10
    assert seen.clock.pauses[-1] < 2


async def test_a_server_without_bookmarks_is_given_more_time(tmp_path: Path) -> None:
    server = WatchServer([listed(pod("a"))], [Watched()])
    async with watching(tmp_path, server) as (seen, _):
        for _round in range(2):
            await seen.clock.lose_patience(1.0)
            await seen.clock.lose_patience(70.0)
        await seen.until(lambda: len(server.watched_from) == 3)
        await seen.clock.lose_patience(1.0)
        await seen.until(lambda: seen.clock.patient[-1][0] > 300)


async def test_a_short_403_is_no_verdict(tmp_path: Path) -> None:
    """A restarted API server answers 403 for about 1.7 s (ARCHITECTURE.md#F82)."""
    server = WatchServer([FORBIDDEN, listed(pod("a"))], [Watched()])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(server.watched_from) == 1)
    assert "forbidden" not in seen.states


async def test_a_lasting_403_is_said_and_asked_again_after_a_minute(tmp_path: Path) -> None:
    server = WatchServer([FORBIDDEN], [Watched()])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: server.asked_lists >= 6)
        server.lists = [listed(pod("a"))]
        await seen.until(lambda: seen.states[-1] == "live")
    assert seen.states == ["forbidden", "live"]
    assert [pause for pause in seen.clock.pauses if pause >= 60]
    told = next(e for e in seen.events if getattr(e, "detail", ""))
    assert 'verbs: ["list"]' in told.detail  # type: ignore[union-attr]


async def test_who_may_list_but_not_watch_still_sees_a_list_now_and_then(tmp_path: Path) -> None:
    refused = status(403, 'pods is forbidden: User "a" cannot watch resource "pods"')
    server = WatchServer([listed(pod("a"))], [refused])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: server.asked_lists >= 8)
    assert seen.states == ["live", "stale", "forbidden"]
    assert len([e for e in seen.events if isinstance(e, Listed)]) >= 7


async def test_a_missing_resource_is_absent_and_looked_for_again(tmp_path: Path) -> None:
    missing = lambda: web.Response(status=404, text="404 page not found\n")  # noqa: E731
    server = WatchServer([missing, missing, listed(pod("a"))], [Watched()])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: "live" in seen.states)
    assert seen.states == ["absent", "live"]


async def test_a_busy_server_is_left_alone_as_long_as_it_says(tmp_path: Path) -> None:
    busy = status(429, "too many", headers={"Retry-After": "17"})
    server = WatchServer([listed(pod("a"))], [busy, Watched()])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(server.watched_from) == 2)
    assert seen.clock.pauses == [17.0]
    assert server.asked_lists == 1


async def test_rubbish_in_a_watch_is_survived_by_a_fresh_list(tmp_path: Path) -> None:
    rubbish = Watched([b"<html>login</html>\n"], "close")
    server = WatchServer([listed(pod("a"))], [rubbish, rubbish, rubbish, Watched()])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(server.watched_from) == 4)
    assert server.asked_lists == 2


async def test_an_error_event_other_than_410_keeps_the_version(tmp_path: Path) -> None:
    broken = event("ERROR", {"kind": "Status", "code": 500, "message": "etcd leader changed"})
    server = WatchServer([listed(pod("a"))], [Watched([broken]), Watched()])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: len(server.watched_from) == 2)
    assert server.watched_from == ["10", "10"]
    assert "etcd leader changed" in str(seen.events)


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"3",
        b"{}",
        b'{"type":"ADDED"}',
        b'{"type":"ADDED","object":[1]}',
        b'{"type":"ADDED","object":{"metadata":null}}',
        b'{"type":"MODIFIED","object":{"metadata":{}}}',
        b'{"type":"ERROR"}',
        b'{"type":"ERROR","object":{"code":"x","message":7}}',
        b'{"type":"NEWS","object":{"metadata":{}}}',
        b'{"type":"BOOKMARK"}',
        b"\xff\xfe",
    ],
)
async def test_no_junk_ends_a_watch(tmp_path: Path, line: bytes) -> None:
    good = Watched([event("ADDED", pod("b", "11"))])
    server = WatchServer([listed(pod("a"))], [Watched([line + b"\n"], "close"), good])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: "b" in seen.names(Changed))


async def test_an_object_that_is_none_does_not_end_a_list(tmp_path: Path) -> None:
    broken = lambda: web.json_response({"items": [{"metadata": None}]})  # noqa: E731
    server = WatchServer([broken, broken, listed(pod("a"))], [Watched()])
    async with watching(tmp_path, server) as (seen, _):
        await seen.until(lambda: seen.states[-1:] == ["live"])
    assert seen.states == ["stale", "live"]


async def test_a_long_back_off_ends_when_the_server_is_known_to_be_back(tmp_path: Path) -> None:
    server = WatchServer([status(500, "starting"), listed(pod("a"))], [Watched()])
    async with watching(tmp_path, server, sluggish=True) as (seen, _):
        await seen.until(lambda: seen.states == ["stale"] and bool(seen.clock.patient))
        assert server.asked_lists == 1
        assert seen.watch is not None
        seen.watch.retry()
        await seen.until(lambda: seen.states == ["stale", "live"])
