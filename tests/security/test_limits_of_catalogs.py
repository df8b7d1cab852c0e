"""A catalog with more than anybody could read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fluxstate_tui.archive.manifest import (
    MOST_CATALOG_BYTES,
    MOST_MANIFEST_BYTES,
    CatalogEntry,
    from_bytes,
    to_bytes,
)
from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.catalog.catalog import Listing, read_catalog
from fluxstate_tui.catalog.folder import LocalFolder
from tests.unit.broker.local import LocalExecutor
from tests.unit.cli_archives.conftest import Archives, put


@pytest.fixture(params=["folder", "container"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Listing:
    if request.param == "folder":
        return LocalFolder()
    return RemoteFiles(LocalExecutor(), "ns", "pod", "container")


def plant(folder: Path, number: int, size: int) -> None:
    """An archive whose sound manifest has just that many bytes."""
    path = put(folder, f"planted-{number:03d}", age=number).with_name(f"planted-{number:03d}.json")
    manifest = from_bytes(path.read_bytes())
    empty = len(to_bytes(replace(manifest, extra={"note": ""})))
    path.write_bytes(to_bytes(replace(manifest, extra={"note": "x" * (size - empty)})))
    assert path.stat().st_size == size


def bytes_kept(entries: tuple[CatalogEntry, ...]) -> int:
    read = [entry.manifest for entry in entries if entry.manifest is not None]
    return sum(len(to_bytes(manifest)) for manifest in read)


async def test_the_largest_manifests_are_left_out_and_said_to_be(
    files: Listing, folder: Path
) -> None:
    put(folder, "true")
    for number in range(40):
        plant(folder, number, MOST_MANIFEST_BYTES - number // 10)
    entries = await read_catalog(files, str(folder))
    assert len(entries) == 41
    assert MOST_CATALOG_BYTES - MOST_MANIFEST_BYTES <= bytes_kept(entries) <= MOST_CATALOG_BYTES
    assert {entry.problem for entry in entries} == {
        "",
        "its manifest was not read: all together are over 33,554,432 bytes",
    }
    (true,) = [entry for entry in entries if entry.id == "true"]
    assert not true.problem


async def test_a_manifest_that_is_too_large_is_said_to_be(files: Listing, folder: Path) -> None:
    plant(folder, 1, MOST_MANIFEST_BYTES + 1)
    plant(folder, 2, MOST_MANIFEST_BYTES)
    fits, large = sorted(await read_catalog(files, str(folder)), key=lambda entry: entry.problem)
    assert not fits.problem
    assert large.problem == "its manifest was not read: 1,048,577 of at most 1,048,576 bytes"


def test_a_list_says_which_manifests_were_not_read(archives: Archives, folder: Path) -> None:
    plant(folder, 1, MOST_MANIFEST_BYTES + 1)
    (listed,) = archives("list", "--json").json["archives"]
    assert "was not read" in listed["problem"]
