"""Which programs a container has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxstate_tui.sim.machine import Machine
    from fluxstate_tui.sim.shell.process import Program


def find_program(machine: Machine, name: str, path: str) -> Program | None:
    """The program of that name, found as execvp does; None when there is none."""
    return None
