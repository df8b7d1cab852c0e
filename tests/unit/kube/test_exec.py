"""Commands in containers: exit codes are true, and an unknown outcome is never a good one."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from fluxstate_tui.kube.errors import (
    CommandNotFound,
    ContainerNotFound,
    ContainerNotRunning,
    ExecError,
    ExecUnknown,
    Forbidden,
    NotFound,
    ReadOnly,
)
from fluxstate_tui.kube.exec import STDERR, STDOUT, ExecResult
from tests.unit.kube.exec_server import SUCCESS, V4, Cat, exited, failed, plays
from tests.unit.kube.server import Handler, answers, fake_api, open_cluster, status

RUNC = (
    "Internal error occurred: error executing command in container: OCI runtime exec failed: "
    'exec failed: unable to start container process: exec: "/nonexistent/program": '
    "stat /nonexistent/program: no such file or directory: unknown"
)


async def run(folder: Path, handler: Handler, **options: object) -> ExecResult:
    async with fake_api(handler) as api, await open_cluster(folder, api.url) as cluster:
        return await cluster.exec("ns", "pod", "box", ["cmd", "a b", "ƒ"], **options)  # type: ignore[arg-type]


async def test_output_and_exit_code_of_a_command_are_kept_apart(tmp_path: Path) -> None:
    result = await run(tmp_path, plays([b"\x01out\n", b"\x02err\n", exited(3)]))
    assert result == ExecResult(3, b"out\n", b"err\n")


async def test_a_good_command_is_zero(tmp_path: Path) -> None:
    assert (await run(tmp_path, plays([SUCCESS]))).code == 0


async def test_a_v4_server_is_accepted(tmp_path: Path) -> None:
    assert (await run(tmp_path, plays([exited(137)], protocols=[V4]))).code == 137


async def test_bytes_come_through_as_they_are(tmp_path: Path) -> None:
    raw = bytes(range(256)) * 3
    halves = [b"\x01" + raw[:333], b"\x01" + raw[333:], SUCCESS]
    assert (await run(tmp_path, plays(halves))).stdout == raw


async def test_words_travel_as_words(tmp_path: Path) -> None:
    async with (
        fake_api(plays([SUCCESS])) as api,
        await open_cluster(tmp_path, api.url) as cluster,
    ):
        await cluster.exec("ns", "pod", "box", ["cmd", "a b; rm -rf /", "ƒ&x=1"])
    assert api.words == [["cmd", "a b; rm -rf /", "ƒ&x=1"]]


@pytest.mark.parametrize("cut", [False, True])
async def test_a_stream_without_a_status_has_an_unknown_outcome(tmp_path: Path, cut: bool) -> None:
    with pytest.raises(ExecUnknown) as caught:
        await run(tmp_path, plays([b"\x01all good\n"], cut=cut))
    assert caught.value.exit_code == 8


async def test_a_status_that_cannot_be_read_is_an_unknown_outcome(tmp_path: Path) -> None:
    with pytest.raises(ExecUnknown):
        await run(tmp_path, plays([b"\x03command terminated"]))


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandNotFound, match="/nonexistent/program"):
        await run(tmp_path, plays([failed(RUNC, reason="InternalError")]))


async def test_another_failure_to_start_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ExecError, match="runtime is on fire"):
        await run(tmp_path, plays([failed("runtime is on fire")]))


async def test_a_wrong_container_is_an_error_of_its_own(tmp_path: Path) -> None:
    refuse = status(400, "container nope is not valid for pod t1", reason="BadRequest")
    with pytest.raises(ContainerNotFound):
        await run(tmp_path, answers(refuse))


async def test_a_container_that_does_not_run_is_an_error_of_its_own(tmp_path: Path) -> None:
    def text() -> web.Response:
        return web.Response(status=500, text='container not found ("c")')

    with pytest.raises(ContainerNotRunning):
        await run(tmp_path, answers(text))
    pending = status(400, "pod pending does not have a host assigned", reason="BadRequest")
    with pytest.raises(ContainerNotRunning):
        await run(tmp_path, answers(pending))


async def test_a_container_that_dies_just_now_does_not_run(tmp_path: Path) -> None:
    said = (
        "Internal error occurred: error executing command in container: failed to exec in "
        'container: failed to start exec "0ab423d1": OCI runtime exec failed: exec failed: unable '
        "to start container process: error executing setns process: exit status 1: unknown"
    )
    with pytest.raises(ContainerNotRunning):
        await run(tmp_path, plays([failed(said)]))


async def test_a_missing_pod_and_missing_rights_are_what_they_are(tmp_path: Path) -> None:
    missing = status(404, 'pods "nopod" not found', reason="NotFound", details={"name": "nopod"})
    with pytest.raises(NotFound):
        await run(tmp_path, answers(missing))
    said = 'pods "t1" is forbidden: User "alice" cannot get resource "pods/exec" in API group ""'
    with pytest.raises(Forbidden) as caught:
        await run(tmp_path, answers(status(403, said, reason="Forbidden")))
    assert (caught.value.verb, caught.value.resource) == ("get", "pods/exec")


async def test_input_is_sent_and_ended(tmp_path: Path) -> None:
    cat = Cat()
    big = b"x" * 200_000
    result = await run(tmp_path, cat, stdin=big)
    assert (cat.came, result.stdout, result.code) == (big, big, 0)


async def test_a_v4_server_cannot_end_the_input_so_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExecError, match="v4"):
        await run(tmp_path, plays([SUCCESS], protocols=[V4]), stdin=b"x")


async def test_a_command_that_takes_too_long_has_an_unknown_outcome(tmp_path: Path) -> None:
    with pytest.raises(ExecUnknown, match="did not end within"):
        await run(tmp_path, Cat(), timeout=0.05)


async def test_one_can_talk_to_a_running_command(tmp_path: Path) -> None:
    async with (
        fake_api(Cat()) as api,
        await open_cluster(tmp_path, api.url) as cluster,
        cluster.exec_stream("ns", "pod", "box", ["cat"]) as stream,
    ):
        await stream.write(b"one")
        assert await stream.read() == (STDOUT, b"one")
        assert stream.exit_code is None
        await stream.close_stdin()
        assert await stream.read() is None
        assert stream.exit_code == 0
        assert await stream.read() is None
    assert STDERR == 2


async def test_leaving_a_running_command_closes_its_connection(tmp_path: Path) -> None:
    cat = Cat()
    async with fake_api(cat) as api, await open_cluster(tmp_path, api.url) as cluster:
        async with cluster.exec_stream("ns", "pod", "box", ["cat"]) as stream:
            await stream.write(b"one")
            await stream.read()
        await cat.gone.wait()


async def test_read_only_lets_only_commands_through_that_only_read(tmp_path: Path) -> None:
    async with (
        fake_api(plays([SUCCESS])) as api,
        await open_cluster(tmp_path, api.url, read_only=True) as cluster,
    ):
        with pytest.raises(ReadOnly):
            await cluster.exec("ns", "pod", "box", ["rm"])
        assert api.asked == []
        assert (await cluster.exec("ns", "pod", "box", ["ls"], only_reads=True)).code == 0
