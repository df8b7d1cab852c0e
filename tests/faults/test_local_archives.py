"""A volume that died with everything on it: an archive that was fetched brings the queue back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fluxstate_tui.archive.manifest import from_bytes
from fluxstate_tui.catalog.maintenance import NotSoundError
from fluxstate_tui.cli.catalog_run import put
from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.operations.base import Choices, OutcomeKind
from tests.faults.stage import FOLDER, NAME, Stage


def copied(stage: Stage, folder: Path) -> Path:
    """The only archive of the catalog, with its manifest, in a folder of this computer."""
    folder.mkdir()
    for name in stage.files():
        (folder / name).write_bytes(stage.volume.read(f"{FOLDER}/{name}"))
    (archive,) = folder.glob("*.tar.gz")
    return archive


async def gone(stage: Stage, folder: Path) -> tuple[Path, set[int]]:
    """A saved and deleted queue whose volume is empty now; its archive lies in `folder`."""
    jobs = {await stage.submit("true"), await stage.submit("--urgency=0", "true")}
    await stage.well("delete", Choices(save_first=True))
    archive = copied(stage, folder)
    stage.forget_archives()
    return archive, jobs


async def test_it_is_restored_from_this_computer_with_nothing_but_the_archive(
    stage: Stage, tmp_path: Path
) -> None:
    archive, jobs = await gone(stage, tmp_path / "here")
    shutil.rmtree(stage.context.state_dir)  # another computer: the manifest knows what it was
    outcome = await stage.do("restore", Choices(from_file=archive), typed=NAME)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert "2 same" in outcome.reason
    assert (await stage.jobs()).keys() == jobs
    assert stage.finished().keys() == {archive.name, archive.name.replace(".tar.gz", ".json")}
    assert not stage.armed()


async def test_a_dump_of_others_gets_a_manifest_that_says_where_it_came_from(
    stage: Stage, tmp_path: Path
) -> None:
    archive, jobs = await gone(stage, tmp_path / "here")
    plain = archive.rename(tmp_path / "mine.tar.gz")
    assert (await stage.do("restore", Choices(from_file=plain))).kind is OutcomeKind.COMPLETED
    assert (await stage.jobs()).keys() == jobs
    (name,) = [name for name in stage.finished() if name.endswith(".json")]
    manifest = from_bytes(stage.volume.read(f"{FOLDER}/{name}"))
    assert manifest.came_from == f"brought from {plain}"
    assert (manifest.uid, manifest.idle) == ("", False)  # a delete never relies on it


async def test_what_is_not_sound_is_refused_before_anything_is_touched(
    stage: Stage, tmp_path: Path
) -> None:
    archive, _ = await gone(stage, tmp_path / "here")
    archive.write_bytes(archive.read_bytes()[:-9])
    with pytest.raises(NotSoundError, match=archive.name):
        await stage.do("restore", Choices(from_file=archive))
    assert stage.files() == {}


async def test_put_is_done_once_and_never_over_another_archive(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    await stage.submit("true")
    await stage.well("save")
    kept = stage.files()
    archive = copied(stage, tmp_path / "here")
    words = build_parser().parse_args(["archives", "put", NAME, str(archive)])
    assert await put(words) == ExitCode.OK
    assert stage.files() == kept
    stage.forget_archives()
    assert await put(words) == ExitCode.OK
    assert stage.files() == kept
    stage.volume.unlink(f"{FOLDER}/{archive.name}")
    stage.volume.write(f"{FOLDER}/{archive.name}", b"another")
    assert await put(words) == ExitCode.OK  # under another id
    assert stage.volume.read(f"{FOLDER}/{archive.name}") == b"another"
    assert kept[archive.name] in (stage.files()[name] for name in stage.files().keys() - kept)
