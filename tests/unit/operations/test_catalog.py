"""A catalog is read over whatever shell there is."""

from __future__ import annotations

from pathlib import Path

from fluxstate_tui.archive.manifest import Manifest, Part, to_bytes
from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.catalog.catalog import is_there, read_catalog
from tests.unit.broker.local import LocalExecutor
from tests.unit.operations.builders import NOW


def manifest(identity: str, size: int = 3) -> Manifest:
    return Manifest(
        id=identity,
        minicluster="flux-sample",
        namespace="default",
        uid="uid-1",
        size=2,
        created=NOW,
        created_by="me",
        core_version="0.88.0",
        counts={"COMPLETED": 1},
        verified="L2",
        idle=True,
        parts=(Part("queue", f"{identity}.tar.gz", size, "ab" * 32),),
        extra={"minicluster": "{}"},
    )


async def test_a_catalog_is_read_with_nothing_but_a_shell(tmp_path: Path) -> None:
    files = RemoteFiles(LocalExecutor(), "default", "pod", "container")
    folder = tmp_path / "fluxstate"
    assert await read_catalog(files, str(folder)) == ()
    assert not await is_there(files, str(folder / "a.tar.gz"))
    folder.mkdir()
    (folder / "a.tar.gz").write_bytes(b"abc")
    (folder / "a.json").write_bytes(to_bytes(manifest("a")))
    (entry,) = await read_catalog(files, str(folder))
    assert entry.manifest == manifest("a")
    assert entry.problem == ""
    assert await is_there(files, str(folder / "a.tar.gz"))
