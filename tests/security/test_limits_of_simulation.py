"""A hostile job in the simulated cluster does not take its user's memory."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from fluxstate_tui.sim import files as sim_files
from fluxstate_tui.sim.api import runtime
from fluxstate_tui.sim.files import Volume
from fluxstate_tui.sim.flux.joblogs import MOST_OUTPUT, GuestLogs
from fluxstate_tui.sim.operator.container import LogWriter
from fluxstate_tui.sim.shell import streams
from tests.unit.sim_shell.inside import Inside

MOST = 1 << 20


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Inside:
    monkeypatch.setattr(streams, "MOST_MEMORY", MOST)
    monkeypatch.setattr("fluxstate_tui.sim.shell.coreutils.archives.MOST_MEMORY", MOST)
    monkeypatch.setattr(sim_files, "MOST_BYTES", 2 * MOST)
    return Inside()


@pytest.mark.parametrize(
    "script",
    [
        "zcat /state/bomb > /dev/null",
        "gzip -t /state/bomb",
        "seq 1 400000 | tr 1 2 > /dev/null",
        'x=$(seq 1 400000); echo "$x" > /dev/null',
        "echo {1..1000000000} > /dev/null",
        "echo {1..500}{1..500}{1..500} > /dev/null",
        "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x$x$x; done",
        "printf '%9999999999d' 1 > /dev/null",
        "printf '%.9999999999d' 1 > /dev/null",
        "seq 1 400000 | sort > /dev/null",
        "while true; do cat /state/mib /state/mib; done > /state/large",
        "while true; do cat /state/mib /state/mib >> /state/large; done",
    ],
)
async def test_what_would_take_all_memory_fails_in_words(inside: Inside, script: str) -> None:
    inside.files.write("/state/bomb", gzip.compress(bytes(64 * MOST)))
    inside.files.write("/state/mib", b"x" * (MOST // 2))
    tracemalloc.start()
    try:
        ran = await inside.sh(f"set -e; {script}")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ran.code != 0, ran
    assert "allocate memory" in ran.err or "No space left" in ran.err, ran.err
    assert peak < 24 * MOST, peak


async def test_numbers_are_those_of_a_shell(inside: Inside) -> None:
    script = 'x=3; for i in 1 2 3 4 5 6 7 8 9; do x=$((x*x)); done; echo "$x $((1<<999999999))"'
    ran = await inside.sh(script)
    assert ran.code == 0
    assert len(ran.out) < 50
    assert (await inside.sh("echo $((9223372036854775807+1))")).out == "-9223372036854775808\n"


async def test_what_is_many_and_passes_through_is_fine(inside: Inside) -> None:
    assert (await inside.sh("seq 1 400000 | cat | head -n 2")).out == "1\n2\n"


def test_the_output_of_a_job_is_cut_and_said_to_be() -> None:
    logs = GuestLogs(mock=False)
    for _ in range(300):
        logs.data(0.0, "stdout", 0, b"x\n" * 4096)
    found = logs.content()["output"]
    assert len(found) < 4 * MOST_OUTPUT
    assert found.count(b"is truncated") == 1


def test_a_volume_that_was_emptied_has_its_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim_files, "MOST_BYTES", MOST)
    volume = Volume("v")
    for _ in range(10):
        node = volume.new_node(0o100644)
        volume.append(node, b"x" * (MOST // 2))
        node.data.clear()
    with pytest.raises(OSError, match="No space left"):
        volume.append(node, b"x" * (2 * MOST))


def test_the_log_of_a_container_ends_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "MOST_LOG", 1000)
    log = runtime.LogFile()
    for _ in range(100):
        log.write(0.0, "x" * 90)
    assert len(log.lines) < 12
    assert "the log ends here" in log.lines[-1][1]


async def test_a_line_without_an_end_is_split() -> None:
    log = runtime.LogFile()
    writer = LogWriter(log, lambda: 0.0)
    for _ in range(100):
        await writer.write_out(b"x" * 1000)
    assert len(log.lines) > 3
    assert max(len(line) for _, line in log.lines) < 20_000
