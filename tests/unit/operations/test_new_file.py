"""A file here has its name only when it is whole and on the disk, and never takes another's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fluxstate_tui.catalog.folder import new_file


def refuse(number: int) -> object:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refused


def test_it_is_there_after_the_block_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with new_file(path) as target:
        target.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_in_the_block_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half"), new_file(tmp_path / "a") as target:
        target.write(b"half")
        raise ValueError("half")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_name_that_is_taken_meanwhile_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    path = tmp_path / "a"
    with pytest.raises(FileExistsError), new_file(path) as target:
        target.write(b"mine")
        path.write_bytes(b"theirs")
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == {"a": b"theirs"}
    with pytest.raises(FileExistsError), new_file(path):
        raise AssertionError("it must not begin")


def test_a_file_system_without_hard_links_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse(errno.EOPNOTSUPP))
    with new_file(tmp_path / "a") as target:
        target.write(b"whole")
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == {"a": b"whole"}


def test_without_hard_links_a_name_that_cannot_be_filled_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse(errno.EOPNOTSUPP))
    monkeypatch.setattr(os, "replace", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output"), new_file(tmp_path / "a") as target:
        target.write(b"whole")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_flushed_is_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output"), new_file(tmp_path / "a") as target:
        target.write(b"perhaps")
    assert list(tmp_path.iterdir()) == []


def test_a_dangling_link_is_a_taken_name(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError), new_file(tmp_path / "a"):
        raise AssertionError("it must not begin")
    assert not (tmp_path / "nowhere").exists()
