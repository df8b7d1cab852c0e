"""Commands in a mount namespace of their own, with the shell and the programs of a container."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.unit.broker.local import LocalExecutor

APPLETS = ("stat", "head", "tail", "cut", "cat", "grep", "sha256sum", "ln", "mv", "rm", "rmdir",
           "mkdir", "chmod", "chown", "sync", "df", "sh", "ls", "printf")  # fmt: skip
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


class Namespace(LocalExecutor):
    """Runs everything in the mount namespace of process `pid`."""

    def __init__(self, pid: int, shell: str, tools: Path) -> None:
        super().__init__({"PATH": f"{tools}:{os.environ['PATH']}"})
        self.tools = tools
        self._enter = ["nsenter", f"--target={pid}", "--mount"]
        if os.geteuid():
            self._enter += ["--user", "--preserve-credentials"]
        self._shell_path = shell
        if shell == "busybox":
            for name in APPLETS:
                (tools / name).symlink_to(str(shutil.which("busybox")))
            self._shell_path = str(tools / "sh")

    def _argv(self, argv: Sequence[str]) -> list[str]:
        words = super()._argv(argv)
        if words[0] == "/bin/sh":
            words[0] = self._shell_path
        return [*self._enter, *words]

    def run(self, *words: str) -> str:
        """A command there, at once."""
        return subprocess.run(
            [*self._enter, *words], check=True, capture_output=True, text=True
        ).stdout

    def instead(self, name: str, before: str = ":", after: str = ":") -> None:
        """The program `name` does something else first, and last."""
        real = str(shutil.which(name))
        tool = self.tools / name
        call = f'{real} "$@"'
        if tool.is_symlink():
            call = f'{shutil.which("busybox")} {name} "$@"'
            tool.unlink()
        tool.write_text(
            f"#!/bin/bash\nPATH=/usr/bin:/bin\n{before}\n{call}\ncode=$?\n{after}\nexit $code\n"
        )
        tool.chmod(0o755)


@contextmanager
def namespace(shell: str, folder: Path) -> Iterator[Namespace]:
    """One with a file system of its own (a "volume") at `folder`/state."""
    (folder / "state").mkdir()
    (folder / "tools").mkdir()
    words = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    with subprocess.Popen(
        [*words, "sh", "-c", 'mount -t tmpfs volume "$1" && echo ready && exec sleep 600', "sh",
         str(folder / "state")],
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield Namespace(process.pid, shell, folder / "tools")
        finally:
            process.kill()
