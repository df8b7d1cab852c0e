"""What a container sees of its volumes."""

from __future__ import annotations

from fluxstate_tui.sim.files import Files, Volume


def test_mount_points_are_listed_in_the_folder_that_they_stand_in() -> None:
    root, state, flux = Volume("root"), Volume("state"), Volume("flux")
    files = Files({"/": root, "/state": state, "/mnt/flux": flux})
    files.write("/etc-file", b"")
    files.write("/state/archive.tar.gz", b"x")
    assert {"state", "mnt", "etc-file"} <= set(files.listdir("/"))
    assert files.listdir("/mnt") == ["flux"]
    assert files.listdir("/state") == ["archive.tar.gz"]
