"""A connection that breaks before or after the effect: what is there decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from fluxstate_tui.broker.files import RemoteFileTaken
from fluxstate_tui.broker.retry import RetryingFiles
from fluxstate_tui.kube.errors import ExecUnknown
from fluxstate_tui.kube.exec import ExecResult
from fluxstate_tui.sim.clock import ScaledClock
from tests.unit.broker.local import LocalExecutor
from tests.unit.operations.test_arming import content, names, write


class Breaking(LocalExecutor):
    """Loses the connection of the next `breaks` commands, before or after they were run."""

    def __init__(self, breaks: int, *, after: bool) -> None:
        super().__init__()
        self._breaks = breaks
        self._after = after

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float | None = None,
        only_reads: bool = False,
    ) -> ExecResult:
        broken = self._breaks > 0
        self._breaks -= 1
        if broken and not self._after:
            raise ExecUnknown("sh", "cut")
        result = await super().exec(
            namespace, pod, container, argv, stdin=stdin, timeout=timeout, only_reads=only_reads
        )
        if broken:
            raise ExecUnknown("sh", "cut")
        return result


@pytest.fixture(params=["before", "after"])
def files(request: pytest.FixtureRequest) -> RetryingFiles:
    executor = Breaking(1, after=request.param == "after")
    return RetryingFiles(executor, ScaledClock(100), ("default", "pod", "container"), ())


async def test_a_new_file_is_written_once(files: RetryingFiles, tmp_path: Path) -> None:
    found = await files.write_new(str(tmp_path / "a.json"), b"{}")
    assert found.size == 2
    assert names(tmp_path) == ["a.json"]


async def test_a_link_is_made_once(files: RetryingFiles, tmp_path: Path) -> None:
    write(tmp_path / "part", b"abc")
    await files.link_new(str(tmp_path / "part"), str(tmp_path / "final"))
    assert content(tmp_path / "final") == b"abc"


async def test_a_copy_is_made_once(files: RetryingFiles, tmp_path: Path) -> None:
    write(tmp_path / "version", b"abc")
    await files.copy(str(tmp_path / "version"), str(tmp_path / "armed"))
    assert names(tmp_path) == ["armed", "version"]


async def test_somebody_elses_file_is_never_taken_for_ours(
    files: RetryingFiles, tmp_path: Path
) -> None:
    write(tmp_path / "a.json", b"theirs")
    with pytest.raises(RemoteFileTaken):
        await files.write_new(str(tmp_path / "a.json"), b"ours")
    assert content(tmp_path / "a.json") == b"theirs"


class Late(LocalExecutor):
    """Loses the connection of the first command that changes something, which goes on and is done
    only when the same is asked for again."""

    def __init__(self) -> None:
        super().__init__()
        self._first: Sequence[str] | None = None

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float | None = None,
        only_reads: bool = False,
    ) -> ExecResult:
        place = (namespace, pod, container)
        if self._first is None and not only_reads:
            self._first = argv
            raise ExecUnknown("sh", "cut")
        if self._first is not None and not only_reads:
            await super().exec(*place, self._first)
        return await super().exec(*place, argv, stdin=stdin, timeout=timeout, only_reads=only_reads)


async def test_a_change_that_arrives_late_is_not_taken_for_somebody_elses(tmp_path: Path) -> None:
    files = RetryingFiles(Late(), ScaledClock(100), ("default", "pod", "container"), ())
    write(tmp_path / "part", b"abc")
    await files.link_new(str(tmp_path / "part"), str(tmp_path / "final"))
    assert content(tmp_path / "final") == b"abc"


async def test_trouble_that_lasts_is_an_error(tmp_path: Path) -> None:
    files = RetryingFiles(Breaking(10_000, after=False), ScaledClock(500), ("d", "p", "c"), ())
    with pytest.raises(ExecUnknown):
        await files.list(str(tmp_path))
