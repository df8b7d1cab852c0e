"""A simulated cluster in a process of its own, for as long as the demo lasts.

It is a separate process so that its work never delays a frame of the dashboard, and so that the
dashboard reaches it as any other cluster: over HTTP, with a kubeconfig.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fluxstate_tui.errors import FluxstateError

START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0


@contextlib.contextmanager
def simulated_cluster(world: str, speed: float, seed: int = 0) -> Iterator[Path]:
    """Serve the named world and yield the path of its kubeconfig. `speed`: seconds per second."""
    with tempfile.TemporaryDirectory(prefix="fluxstate-demo-") as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        errors = Path(folder) / "stderr"
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                _command(world, speed, seed, kubeconfig),
                # Nothing is written: it closes when we die, however we die, and the cluster ends.
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                # A Ctrl-C in the terminal is for the dashboard; it ends the cluster itself.
                start_new_session=True,
            )
        try:
            _wait_until_served(process, kubeconfig, errors)
            yield kubeconfig
        finally:
            _stop(process)


def _command(world: str, speed: float, seed: int, kubeconfig: Path) -> list[str]:
    serve = ["sim", "serve", "--world", world, "--speed", str(speed), "--seed", str(seed)]
    serve += ["--kubeconfig", str(kubeconfig), "--until-stdin-ends"]
    return [sys.executable, "-m", "fluxstate_tui", *serve]


def _wait_until_served(process: subprocess.Popen[bytes], kubeconfig: Path, errors: Path) -> None:
    """The kubeconfig appears, whole, once the server listens."""
    deadline = time.monotonic() + START_TIMEOUT
    while not kubeconfig.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            said = errors.read_text(errors="replace").strip().splitlines()
            raise FluxstateError(
                "the simulated cluster did not start" + (f": {said[-1]}" if said else ""),
                safe="nothing outside this process was touched",
                advice="try `fluxstate-tui sim serve --world tutorial` to see why",
            )
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
