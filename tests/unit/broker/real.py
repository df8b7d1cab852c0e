"""A real Flux instance of this computer, for the tests that run where one is installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fluxstate_tui.broker.locate import Endpoint
from tests.unit.broker.local import LocalExecutor

FLUX = shutil.which("flux") or ""
needs_flux = pytest.mark.skipif(not FLUX, reason="no flux on PATH")


class RealFlux:
    """A running instance: its endpoint, what runs programs beside it, and its own commands."""

    def __init__(self, process: subprocess.Popen[bytes], uri: str, folder: Path) -> None:
        self.process = process
        self.uri = uri
        view = f"export PATH={Path(FLUX).parent}:$PATH fluxsocket={uri}\n"
        (folder / "flux-view.sh").write_text(view, "utf-8")
        self.endpoint = Endpoint("ns", "pod-0", "uid", "c", "v1alpha2", str(folder))
        self.executor = LocalExecutor()

    def kill(self) -> None:
        """As the death of the container does it: no broker has time for anything."""
        broker = int(self.flux("getattr", "broker.pid"))
        self.process.kill()
        os.kill(broker, signal.SIGKILL)

    def flux(self, *args: str) -> str:
        """What `flux ARGS` prints."""
        environment = {**os.environ, "FLUX_URI": self.uri, "FLUX_F58_FORCE_ASCII": "1"}
        done = subprocess.run(
            [FLUX, *args], env=environment, capture_output=True, check=True, timeout=60
        )
        return done.stdout.decode()


@contextmanager
def instance(folder: Path, config: str = "", size: int = 2, *options: str) -> Iterator[RealFlux]:
    """`flux start`, with a configuration (TOML) and options of its brokers.

    It ends with the block. Its state is kept.
    """
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(config, "utf-8")
    (folder / "state").mkdir(exist_ok=True)
    argv = [FLUX, "start", f"--test-size={size}", f"-o,--config-path={folder}/config.toml"]
    argv += [f"-o,{option}" for option in (f"-Sstatedir={folder}/state", *options)]
    script = 'echo "$FLUX_URI"; exec cat'
    pipe = subprocess.PIPE
    with subprocess.Popen([*argv, "sh", "-c", script], stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            uri = process.stdout.readline().decode().strip()
            assert uri, "flux start did not come up"
            yield RealFlux(process, uri, folder)
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
