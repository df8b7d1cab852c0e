"""Another user of this computer, or a program that put a link where we write."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxstate_tui.broker import manifest_cache
from fluxstate_tui.catalog.folder import new_file
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.base import Consent, ConsentKind, OperationKind, Plan
from fluxstate_tui.operations.journal import Journal
from fluxstate_tui.private_files import NotOursError, private_folder, read_private, write_private

REF = ClusterRef("ns", "flux-sample", "uid")
PLAN = Plan(OperationKind.SAVE, REF, (), (), Consent(ConsentKind.NONE, ""))
ENTRY = audit.Entry(0.0, "me", "save", "ns", "flux-sample", "uid", "s", "Completed", "")


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=["umask 000", "umask 022", "umask 777"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_the_state_directory_is_ours_alone_all_the_way(tmp_path: Path) -> None:
    state_dir = tmp_path / "share" / "state" / "fluxstate"
    Journal.begin(state_dir, PLAN, who="me", server="s", now=0.0).close()
    manifest_cache.remember(state_dir, "s", REF, {"spec": {}})
    for path in (tmp_path / "share", *(tmp_path / "share").rglob("*")):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.usefixtures("umask")
def test_a_fetched_archive_is_for_us_alone(tmp_path: Path) -> None:
    with new_file(tmp_path / "archive.tar.gz") as file:
        file.write(b"jobs, with their environments")
    assert mode(tmp_path / "archive.tar.gz") == 0o600


def test_no_link_makes_us_write_to_another_file(tmp_path: Path) -> None:
    state_dir, precious = tmp_path / "state", tmp_path / "precious"
    private_folder(state_dir)
    precious.write_text("precious")
    (state_dir / audit.FILE).symlink_to(precious)
    with pytest.raises(NotOursError, match="is a link"):
        audit.append(state_dir, ENTRY)
    write_private(state_dir / audit.FILE, b"ours")
    assert precious.read_text() == "precious"
    assert read_private(state_dir / audit.FILE) == b"ours"


def test_a_journal_that_is_a_link_to_elsewhere_is_not_written(tmp_path: Path) -> None:
    state_dir, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    private_folder(state_dir)
    elsewhere.mkdir()
    (state_dir / "journal").symlink_to(elsewhere)
    with pytest.raises(NotOursError, match="is a link"):
        Journal.begin(state_dir, PLAN, who="me", server="s", now=0.0)
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    state_dir.chmod(0o777)
    with pytest.raises(NotOursError, match="chmod go-w"):
        Journal.begin(state_dir, PLAN, who="me", server="s", now=0.0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_user_is_not_believed(tmp_path: Path) -> None:
    path = manifest_cache.__dict__["_path"](tmp_path, "s", "ns", "flux-sample")
    manifest_cache.remember(tmp_path, "s", REF, {"spec": {"size": 2}})
    assert manifest_cache.recall(tmp_path, "s", "ns", "flux-sample") is not None
    os.chown(path, 12345, 12345)
    assert manifest_cache.recall(tmp_path, "s", "ns", "flux-sample") is None
