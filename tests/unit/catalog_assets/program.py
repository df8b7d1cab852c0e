"""The program of the pod, run here on real directories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any

from fluxstate_tui.catalog import assets_program

PROGRAM = files("fluxstate_tui.catalog").joinpath("assets_program.py")
# The root user reads everything: without its capabilities it is as any other.
UNPRIVILEGED = ("setpriv", "--bounding-set=-all") if os.geteuid() == 0 else ()


@dataclass
class Answer:
    """The last line of a request, and those before it."""

    reply: dict[str, Any]
    more: list[dict[str, Any]] = field(default_factory=list)

    @property
    def result(self) -> dict[str, Any]:
        assert self.reply["ok"], self.reply
        found: dict[str, Any] = self.reply["result"]
        return found

    @property
    def failure(self) -> str:
        assert not self.reply["ok"], self.reply
        return str(self.reply["kind"])


class Program:
    """Started in the block; its stdin stays open until `close_stdin`."""

    def __init__(self, prefix: Sequence[str] = (), python: str = sys.executable) -> None:
        self.process = subprocess.Popen(
            [*prefix, python, "-u", str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.hello = self.line()

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close_stdin()
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended with {self.process.wait(30)}"
        fields: dict[str, Any] = json.loads(line)
        return fields

    def send(self, do: str, **fields: Any) -> None:
        assert self.process.stdin is not None
        line = json.dumps({"id": 1, "do": do, **fields}) + "\n"
        self.process.stdin.write(line.encode("ascii"))
        self.process.stdin.flush()

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def answer(self) -> Answer:
        more = []
        while (line := self.line())["t"] != "reply":
            more.append(line)
        return Answer(line, more)

    def ask(self, do: str, **fields: Any) -> Answer:
        self.send(do, **fields)
        return self.answer()


def text(path: bytes | Path) -> str:
    raw = path if isinstance(path, bytes) else os.fsencode(path)
    return raw.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Volume:
    """A directory as a mount point: `data` is saved, `store` has the states."""

    mount: Path
    prefix: tuple[str, ...] = ()
    python: str = sys.executable

    @property
    def data(self) -> Path:
        return self.mount / "data"

    @property
    def store(self) -> Path:
        return self.mount / "store"

    def place(self, path: Path) -> list[str]:
        return [text(self.mount), text(path)]

    def start(self) -> Program:
        return Program(self.prefix, self.python)

    def ask(self, do: str, **fields: Any) -> Answer:
        with self.start() as program:
            return program.ask(do, store=self.place(self.store), **fields)

    def save(self, *roots: Path, **fields: Any) -> dict[str, Any]:
        return self.ask(
            "save", roots=[self.place(root) for root in roots or [self.data]], **fields
        ).result

    def restore(self, state: str, to: Path | None = None, **fields: Any) -> Answer:
        targets = {text(self.data): self.place(to or self.data)}
        return self.ask("restore", state=state, to=targets, plan=False, **fields)

    def plan(self, state: str, to: Path | None = None) -> dict[str, Any]:
        targets = {text(self.data): self.place(to or self.data)}
        return self.ask("restore", state=state, to=targets, plan=True).result

    def verify(self, state: str, **fields: Any) -> dict[str, Any]:
        return self.ask("verify", state=state, **fields).result

    def entries(self, state: str) -> dict[str, dict[str, Any]]:
        answer = self.ask("files", state=state)
        assert answer.result
        return {one["path"]: one for line in answer.more for one in line.get("entries", [])}

    def packs(self) -> list[Path]:
        return sorted((self.store / "packs").glob("*.tar"))

    def remains(self) -> list[Path]:
        return list(self.mount.rglob(".fluxstate-part-*"))


class AppendingChannel(assets_program.Channel):
    """Somebody writes to that file whenever a piece of something was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closed = False
        self.begin(1)

    def count(self, files: int, octets: int) -> None:
        if octets:
            with open(self.path, "ab") as file:
                file.write(b"x")
