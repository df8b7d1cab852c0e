"""Where a real Flux is installed, it has the last word about our archives."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sim_flux.world import world

FLUX = shutil.which("flux")

SESSION = """
flux submit --job-name=ok echo 'hello world'
flux submit --job-name=unicode sh -c 'echo "grüße, 世界"; echo err >&2'
flux submit -N2 -n4 --job-name=wide hostname
flux submit -n2 sh -c 'exit 3'
flux submit /nonexistent/program
flux submit -t 1s --job-name=timeout sleep 60
flux submit -N9 hostname
C=$(flux submit --job-name=canceled sleep 300)
W=$(flux submit sleep 3)
F=$(flux submit false)
sleep 1
flux submit --dependency=afternotok:$F echo a
U=$(flux submit --urgency=hold -t 1h true)
flux cancel -m 'no longer needed' $C
flux job memo $W stage=two
flux update $U duration=2h
flux job urgency $U 20
sleep 5
flux queue stop
flux submit --job-name=plain echo later
flux submit --urgency=hold echo held
flux submit --begin-time=+30d date
Q=$(flux submit -t 30m echo memo)
flux submit --dependency=afterok:$Q echo chained
flux queue idle
"""


def without_annotations(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The scheduler's annotations live in memory only, so a restored instance lacks them."""
    for job in jobs:
        job["annotations"].pop("sched", None)
    return jobs


def version() -> str:
    """The version of the real one, '' if there is none."""
    if FLUX is None:
        return ""
    ran = subprocess.run([FLUX, "version"], capture_output=True, text=True, check=True)
    return ran.stdout.split()[1]


@pytest.mark.skipif(not version().startswith("0.88."), reason="no flux 0.88, the simulated version")
async def test_real_flux_lists_the_same_jobs_from_our_archive(tmp_path: Path) -> None:
    async with world() as w:
        await w.sh(SESSION)
        ran = await w.sh("flux dump -q /state/a.tar.gz; flux jobs -a -c0 --json")
        expected = json.loads(ran.out)["jobs"]
        path = tmp_path / "a.tar.gz"
        path.write_bytes(w.files.read("/state/a.tar.gz"))
    process = await asyncio.create_subprocess_exec(
        str(FLUX), "start", f"--recovery={path}", "flux", "jobs", "-A", "-a", "-c0", "--json",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    found = json.loads(out)["jobs"]
    assert without_annotations(found) == without_annotations(expected)
