"""A folder of this computer: what vanishes or changes meanwhile is never taken for nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fluxstate_tui.broker.files import RemoteFileError, RemoteStat
from fluxstate_tui.catalog.adopt import Adoption, adopt_archive
from fluxstate_tui.catalog.catalog import read_catalog
from fluxstate_tui.catalog.folder import LocalFolder
from fluxstate_tui.catalog.maintenance import NotSoundError
from tests.unit.archive import given
from tests.unit.cli_archives.conftest import content, put

ADOPTION = Adoption("flux-sample", "default", "me@here", 0.0)


async def test_a_half_file_that_vanishes_while_it_is_listed_hides_no_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "one")
    part = tmp_path / ".part-1"
    part.write_bytes(b"half")
    real = os.stat

    def somebody_is_quicker(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = real(path, follow_symlinks=follow_symlinks)
        if path == part:
            part.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(os, "stat", somebody_is_quicker)
    assert [entry.id for entry in await read_catalog(LocalFolder(), str(tmp_path))] == ["one"]


async def test_a_disk_that_cannot_be_read_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(RemoteFileError, match="mem"):
        async for _ in LocalFolder().read("/proc/self/mem"):
            pass


class Overwritten(LocalFolder):
    """Somebody overwrites the source just before it is copied."""

    async def copy(self, source: str, path: str) -> RemoteStat:
        """Another file than the one that was verified."""
        shutil.copyfile(given.path("empty"), source)
        return await super().copy(source, path)


async def test_what_was_not_verified_is_not_adopted(tmp_path: Path) -> None:
    source, folder = tmp_path / "dump.tar.gz", tmp_path / "fluxstate"
    source.write_bytes(given.path("mixed").read_bytes())
    with pytest.raises(NotSoundError, match="another checksum"):
        await adopt_archive(
            Overwritten(), str(folder), str(source), ADOPTION, tmp_path, lambda done: None
        )
    assert content(folder) == {}
