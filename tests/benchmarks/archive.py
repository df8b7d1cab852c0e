"""The archive reader against `tar -tzf` and `gzip -t`, and its memory per job.

Seconds are CPU (user + system, with children), the best of several runs in turn: other programs on
the machine disturb all alike. `FLUXSTATE_BENCH_JOBS=1000000` makes the generated archive larger.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fluxstate_tui.archive.writer import tar_member
from tests.unit.archive import given

_ROUNDS = 7
_BIG = given.path("big-10k")
_READER = """
import resource, sys
from pathlib import Path
from fluxstate_tui.archive.reader import read_archive
def now():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss
read_archive(Path(sys.argv[2]))
before, rss = now()
archive = read_archive(Path(sys.argv[1]))
after, peak = now()
print(after - before, len(archive.jobs), archive.entries, (peak - rss) * 1024)
"""


def main() -> None:
    """Print the figures."""
    _compare()
    _memory(int(os.environ.get("FLUXSTATE_BENCH_JOBS", "100000")))


def _compare() -> None:
    show = [sys.executable, "-m", "fluxstate_tui", "archive", "show", str(_BIG), "--json"]
    runs: dict[str, Callable[[], float]] = {
        "tar -tzf": lambda: _cpu(["tar", "-tzf", str(_BIG)]),
        "gzip -t": lambda: _cpu(["gzip", "-t", str(_BIG)]),
        "reader alone": lambda: _reader(_BIG)[0],
        "archive show --json": lambda: _cpu(show),
    }
    best = dict.fromkeys(runs, 1e9)
    for _ in range(_ROUNDS):
        for name, run in runs.items():
            best[name] = min(best[name], run())
    print(f"{_BIG.name}: {_BIG.stat().st_size} bytes, 10,000 jobs, CPU seconds, best of {_ROUNDS}")
    for name, seconds in best.items():
        ratios = f"{seconds / best['tar -tzf']:5.2f} x tar, {seconds / best['gzip -t']:5.2f} x gzip"
        print(f"  {name:<20} {seconds:6.3f} s  {ratios}")


def _memory(jobs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated.tar.gz"
        size = generate(path, jobs)
        seconds, found, entries, memory = _reader(path)
        listing = _cpu(["tar", "-tzf", str(path)])
    print(f"generated: {found} jobs, {entries} entries, {size} bytes")
    print(f"  reader {seconds:.1f} s CPU ({seconds / listing:.2f} x tar -tzf)")
    print(f"  peak memory +{memory / 2**20:.0f} MiB: {memory / jobs:.0f} bytes per job")


def generate(path: Path, jobs: int) -> int:
    """Write an archive of so many jobs; its size."""
    return _write(path, _pieces(jobs))


def _pieces(jobs: int) -> Iterator[bytes]:
    """A tar of finished jobs with names, times and commands of their own."""
    yield from map(tar_member, given.instance())
    for number in range(jobs):
        spec = given.jobspec(f"step-{number}")
        events = given.finished(given.T0 + number / 7)
        yield from map(tar_member, given.job_entries(number << 24, events, spec))
    yield bytes(1024)


def _write(path: Path, pieces: Iterable[bytes]) -> int:
    packer = zlib.compressobj(6, wbits=31)
    with path.open("wb") as file:
        for piece in pieces:
            file.write(packer.compress(piece))
        file.write(packer.flush())
        return file.tell()


def _reader(path: Path) -> tuple[float, int, int, int]:
    """CPU seconds, jobs, entries, and bytes of memory, in a process of its own."""
    command = [sys.executable, "-c", _READER, str(path), str(given.path("mixed"))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, jobs, entries, memory = done.stdout.split()
    return float(seconds), int(jobs), int(entries), int(memory)


def _cpu(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
