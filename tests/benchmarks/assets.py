"""Directories saved and restored by the program of the pod, beside plain tar.

Each pair runs directly one after the other. Seconds are CPU (user + system): other programs on the
machine disturb the time by the clock, which is in brackets. Peak memory is the program's own.
`FILES` in the environment changes the number of small files.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

PROGRAM = files("fluxstate_tui.catalog").joinpath("assets_program.py")
FILES = int(os.environ.get("FILES", "100000"))
MIB = 1 << 20


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU and by the clock, and the peak memory in MB."""

    cpu: float
    clock: float
    memory: float = 0.0


def used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ask(do: str, volume: Path, **fields: Any) -> tuple[dict[str, Any], Cost]:
    """The result, and what it took."""
    before, begin = used(), time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-u", str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    store = [str(volume), str(volume / "store")]
    process.stdin.write(json.dumps({"id": 1, "do": do, "store": store, **fields}).encode() + b"\n")
    process.stdin.flush()
    line: dict[str, Any] = {}
    while line.get("t") != "reply":
        line = json.loads(process.stdout.readline())
    clock = time.monotonic() - begin
    status = Path(f"/proc/{process.pid}/status").read_text()
    peak = next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmHWM"))
    process.stdin.close()
    process.wait()
    process.stdout.close()
    assert line["ok"], line
    return line["result"], Cost(used() - before, clock, peak / 1000)


def timed(*argv: str) -> Cost:
    before, begin = used(), time.monotonic()
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    return Cost(used() - before, time.monotonic() - begin)


def small_files(data: Path) -> None:
    """Of 0 to 8 kB, a hundred to a directory."""
    source = random.Random(1)
    for number in range(FILES):
        folder = data / f"{number // 10_000:02}" / f"{number // 100 % 100:02}"
        if number % 100 == 0:
            folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file-{number}").write_bytes(source.randbytes(source.randrange(8192)))


def mixed(data: Path) -> None:
    """About 1 GB: a few large files, many of middle size."""
    source = random.Random(2)
    for number in range(3):
        with open(data / f"large-{number}", "wb") as file:
            for _ in range(200):
                file.write(source.randbytes(MIB))
    for number in range(400):
        (data / f"middle-{number}").write_bytes(source.randbytes(MIB))


def sparse(data: Path) -> None:
    """10 GB of which 80 MB are written."""
    source = random.Random(3)
    with open(data / "sparse", "wb") as file:
        for number in range(10):
            file.seek(number << 30)
            file.write(source.randbytes(8 * MIB))
        file.truncate(10 << 30)


def change(data: Path) -> None:
    """One of a hundred files, by a few bytes."""
    for number, path in enumerate(sorted(data.rglob("*"))):
        if number % 100 == 7 and path.is_file():
            with open(path, "r+b") as file:
                file.write(b"changed")


def measure(name: str, make: Callable[[Path], None], tar_flags: tuple[str, ...]) -> None:
    volume = Path(tempfile.mkdtemp(prefix="assets-"))
    try:
        data = volume / "data"
        data.mkdir()
        make(data)
        os.sync()
        roots = [[str(volume), str(data)]]
        timed("tar", "-cf", "/dev/null", "-C", str(volume), "data")  # what is cached for one ...
        archive = str(volume / "plain.tar")
        tar = timed("tar", *tar_flags, "-cf", archive, "-C", str(volume), "data")
        timed("sync", archive)
        _, first = ask("save", volume, roots=roots)
        report(f"{name}: first save", first, tar, "tar -cf", 1.3)
        time.sleep(2.1)  # no stamp of the tree is fresh any more
        change(data)
        state, second = ask("save", volume, roots=roots)
        report(f"{name}: 1 % changed", second, tar, "tar -cf", 0.2)
        (volume / "tar").mkdir()
        tar = timed("tar", "-xf", archive, "-C", str(volume / "tar"))
        to = {str(data): [str(volume), str(volume / "back")]}
        result, back = ask("restore", volume, state=state["id"], to=to, plan=False)
        assert result["problems"] == 0, result
        report(f"{name}: restore, hashed", back, tar, "tar -xf", 1.3)
        result, checked = ask("verify", volume, state=state["id"])
        assert result["problems"] == 0, result
        print(f"  {name}: verify L2: {checked.cpu:.2f} s, {checked.memory:.0f} MB")
    finally:
        shutil.rmtree(volume)


def report(what: str, ours: Cost, theirs: Cost, name: str, goal: float) -> None:
    ratio = ours.cpu / theirs.cpu
    print(
        f"  {what:37} {ours.cpu:6.2f} s, {name} {theirs.cpu:6.2f} s: {ratio:5.2f} x,"
        f" goal {goal} x ({ours.clock:.1f} and {theirs.clock:.1f} s), {ours.memory:.0f} MB",
        flush=True,
    )


def main() -> None:
    """Print the figures."""
    measure(f"{FILES:,} small files", small_files, ())
    measure("1 GB mixed", mixed, ())
    measure("10 GB with holes", sparse, ("--sparse",))


if __name__ == "__main__":
    main()
