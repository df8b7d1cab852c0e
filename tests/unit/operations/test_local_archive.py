"""An archive of this computer: the manifest beside it counts only if it is of that very file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fluxstate_tui.archive.manifest import from_bytes, to_bytes
from fluxstate_tui.catalog.local_archive import read_local
from tests.unit.cli_archives.conftest import put


async def test_a_manifest_of_another_id_is_not_taken_along(tmp_path: Path) -> None:
    path = put(tmp_path, "one")
    beside = tmp_path / "one.json"
    local = await read_local(path)
    assert local.manifest is not None
    stranger = replace(from_bytes(beside.read_bytes()), id="../other")
    beside.write_bytes(to_bytes(stranger))
    assert (await read_local(path)).manifest is None
