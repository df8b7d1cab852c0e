"""What real Flux does with an archive at a start, once nothing changes any more."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.job_json import job_from_json
from tests.unit.archive.given import make_r

_SECONDS = 60.0
FLUX = shutil.which("flux")

# Runs inside the instance: prints the jobs when they were alike for a while.
_UNTIL_QUIET = """
import json, os, subprocess, sys, time
def look():
    out = subprocess.run(["flux", "jobs", "-a", "-A", "-c0", "--json"], capture_output=True).stdout
    return {job["id"]: job for job in json.loads(out)["jobs"]}
before, since = None, time.monotonic()
while True:
    jobs = look()
    seen = {job_id: job["status"] for job_id, job in jobs.items()}
    moving = [one for one in seen.values() if one in ("NEW", "PRIORITY", "CLEANUP")]
    if seen != before or moving:
        before, since = seen, time.monotonic()
    if time.monotonic() - since > 0.7:
        break
with open(sys.argv[1] + ".part", "w") as file:
    json.dump(list(jobs.values()), file)
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(60)
"""


def started(archive: bytes, folder: Path, *, size: int, cores: int, up: int = 0) -> dict[int, Job]:
    """All jobs, by id, of an instance of `size` ranks n0.. of which `up` run (0 = all)."""
    assert FLUX is not None
    (folder / "archive.tar.gz").write_bytes(archive)
    hosts = [f"n{rank}" for rank in range(size)]
    (folder / "R").write_text(json.dumps(make_r(hosts, cores)))
    (folder / "quiet.py").write_text(_UNTIL_QUIET)
    told = folder / "jobs.json"
    config = folder / "conf.toml"
    config.write_text(f'[resource]\npath = "{folder}/R"\nnoverify = true\n')
    words = [FLUX, "start", f"--test-size={up or size}", f"--config-path={config}"]
    words += [f"-Scontent.restore={folder}/archive.tar.gz"]
    words += ["flux", "python", str(folder / "quiet.py"), str(told)]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, "LANG": "C.UTF-8", "HOME": str(folder)},
            start_new_session=True,
        )
    try:
        until = time.monotonic() + _SECONDS
        while not told.exists() and time.monotonic() < until:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
                break
    finally:
        # Its own way out waits for jobs, for ever where a restart has miscounted them.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert told.exists(), log.read_text()
    return {job.id: job for job in map(job_from_json, json.loads(told.read_text()))}
