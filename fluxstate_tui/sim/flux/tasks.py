"""Tasks that need a shell run on the simulated machine of their host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fluxstate_tui.sim.files import Files, Volume
from fluxstate_tui.sim.flux.executor import Task

if TYPE_CHECKING:
    from fluxstate_tui.sim.flux.instance import FluxInstance
    from fluxstate_tui.sim.machine import Machine


class _TaskIO:
    def __init__(self, write: Callable[[str, bytes], None]) -> None:
        self._write = write

    async def read(self, size: int) -> bytes:
        return b""

    async def write_out(self, data: bytes) -> None:
        self._write("stdout", data)

    async def write_err(self, data: bytes) -> None:
        self._write("stderr", data)


class ShellTasks:
    """`machine_of` gives the container of a rank; without one, a bare machine is made."""

    def __init__(self, instance: FluxInstance) -> None:
        self._instance = instance
        self.machine_of: Callable[[int], Machine | None] = lambda rank: None
        self._bare: dict[int, Machine] = {}

    def _machine(self, rank: int) -> Machine:
        from fluxstate_tui.sim.machine import Machine

        machine = self.machine_of(rank) or self._bare.get(rank)
        if machine is None:
            instance = self._instance
            files = Files({"/": Volume("scratch", now=instance.clock.now)})
            machine = Machine(
                instance.hosts[rank], files, instance.clock, broker=lambda: instance, rank=rank
            )
            self._bare[rank] = machine
        return machine

    def knows(self, task: Task) -> bool:
        """Whether there is such a program on that host."""
        return self._machine(task.node).knows(task.argv[0], task.env.get("PATH", ""))

    async def run(self, task: Task, write: Callable[[str, bytes], None]) -> int:
        """Run it to its end; its exit code."""
        machine = self._machine(task.node)
        return await machine.run_task(task.argv, _TaskIO(write), env=task.env, cwd=task.cwd)

    def save_output(self, task: Task, path: str, data: bytes) -> None:
        """Write an output file on that task's host."""
        files = self._machine(task.node).files
        files.makedirs(path.rpartition("/")[0] or "/")
        files.write(path, data)
