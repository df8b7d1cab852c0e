"""Where an operator's version puts Flux in a container (ARCHITECTURE.md#F71)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxstate_tui.sim.files import Files
    from fluxstate_tui.sim.flux.instance import FluxInstance


VIEW_SCRIPT = """#!/bin/bash
export PATH=$PATH:{mount}/view/bin
export PYTHONPATH={mount}/view/lib/python3.11/site-packages
export LD_LIBRARY_PATH={mount}/view/lib
export fluxsocket=local://{socket}
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one flavour. `flux_dir` is where the `flux` program lies.

    `view_script` is '' where there is none (v1alpha1: Flux is part of the image, and one
    runs it with `sudo -u flux`).
    """

    name: str
    socket: str
    statedir: str
    flux_dir: str
    mount: str = ""
    view_script: str = ""
    has_sudo: bool = False

    def prepare(self, files: Files) -> None:
        """Put the directories and scripts of this flavour into a container."""
        for folder in ("/tmp", "/root", "/home/flux", "/etc", "/run/flux", "/var", self.statedir):
            files.makedirs(folder)
        if not files.exists("/var/run"):
            files.symlink("/run", "/var/run")
        files.makedirs(self.socket.rpartition("/")[0])
        if not files.exists("/etc/debian_version"):
            files.write("/etc/debian_version", b"12.12\n")
        if self.view_script and not files.exists(self.view_script):
            text = VIEW_SCRIPT.format(mount=self.mount, socket=self.socket)
            files.write(self.view_script, text.encode(), mode=0o755)

    def show_socket(self, files: Files, broker: FluxInstance | None) -> None:
        """The socket appears with the broker; a dead broker leaves it behind."""
        if broker is not None and broker.state != "none" and not files.exists(self.socket):
            files.socket(self.socket)


def _v1alpha2(name: str, mount: str, where: str) -> Layout:
    return Layout(
        name,
        socket=f"{mount}/{where}/run/flux/local",
        statedir=f"{mount}/{where}/var/lib/flux",
        flux_dir=f"{mount}/view/bin",
        mount=mount,
        view_script=f"{mount}/flux-view.sh",
    )


def layout_named(name: str, mount: str = "/mnt/flux") -> Layout:
    """The layout of "v1alpha2" (since 2025-10), "v1alpha2-old" (before) or "v1alpha1"."""
    if name == "v1alpha2":
        return _v1alpha2(name, mount, "config")
    if name == "v1alpha2-old":
        return _v1alpha2(name, mount, "view")
    if name == "v1alpha1":
        return Layout(name, "/run/flux/local", "/var/lib/flux", "/usr/bin", has_sudo=True)
    raise ValueError(f"there is no layout named {name!r}")
