"""Arming and disarming with a real shell: nothing that was there is ever overwritten."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.catalog.catalog import Version
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.operations.arming import arm, disarm
from tests.unit.broker.local import LocalExecutor

GOOD, OTHER = b"the version of the catalog", b"somebody else's archive"


def content(path: Path | str) -> bytes:
    return Path(path).read_bytes()


def write(path: Path | str, data: bytes) -> None:
    Path(path).write_bytes(data)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def files() -> RemoteFiles:
    return RemoteFiles(LocalExecutor(), "default", "pod", "container")


@pytest.fixture
def version(tmp_path: Path) -> Version:
    folder = tmp_path / "fluxstate"
    folder.mkdir()
    path = folder / "20261121-100000-flux-sample.tar.gz"
    path.write_bytes(GOOD)
    return Version(str(path), len(GOOD), hashlib.sha256(GOOD).hexdigest())


async def test_an_armed_copy_is_another_file_than_the_version(
    files: RemoteFiles, version: Version, tmp_path: Path
) -> None:
    target = tmp_path / "archive.tar.gz"
    await arm(files, version, str(target), "flux-sample")
    target.write_bytes(b"")  # what `flux dump` does first to whatever lies at its path
    assert content(version.path) == GOOD


async def test_a_foreign_archive_at_the_path_is_kept_in_the_catalog(
    files: RemoteFiles, version: Version, tmp_path: Path
) -> None:
    target = tmp_path / "archive.tar.gz"
    target.write_bytes(OTHER)
    said = await arm(files, version, str(target), "flux-sample")
    assert target.read_bytes() == GOOD
    kept = [name for name in names(tmp_path / "fluxstate") if name in said]
    assert [content(tmp_path / "fluxstate" / name) for name in kept] == [OTHER]


async def test_arming_what_is_armed_changes_nothing(
    files: RemoteFiles, version: Version, tmp_path: Path
) -> None:
    target = tmp_path / "archive.tar.gz"
    await arm(files, version, str(target), "flux-sample")
    before = names(tmp_path)
    assert "already" in await arm(files, version, str(target), "flux-sample")
    assert names(tmp_path) == before


async def test_a_version_that_is_damaged_on_disk_is_not_armed(
    files: RemoteFiles, version: Version, tmp_path: Path
) -> None:
    write(version.path, GOOD[:-1])
    with pytest.raises(FluxstateError, match="differently"):
        await arm(files, version, str(tmp_path / "archive.tar.gz"), "flux-sample")
    assert [name for name in names(tmp_path) if "/" not in name] == ["fluxstate"]


async def test_disarming_removes_only_what_was_armed(
    files: RemoteFiles, version: Version, tmp_path: Path
) -> None:
    target = tmp_path / "archive.tar.gz"
    target.write_bytes(OTHER)
    with pytest.raises(FluxstateError, match="another file"):
        await disarm(files, str(target), version.sha256)
    assert target.read_bytes() == OTHER
    assert "is gone" in await disarm(files, str(target))
    assert not target.exists()
    assert "nothing lies" in await disarm(files, str(target))
