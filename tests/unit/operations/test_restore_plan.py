"""Which archive is restored, and which never is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.manifest import CatalogEntry
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.operations.restore import plan as restore_plan
from fluxstate_tui.operations.restore.choice import named
from fluxstate_tui.operations.restore.plan import Source, require_sound, require_valid
from tests.unit.operations.builders import NOW
from tests.unit.operations.builders import manifest as minicluster
from tests.unit.operations.test_catalog import manifest

EVENTS = b'{"timestamp":1.0,"name":"start","context":{"version":1,"core_version":"0.88.0"}}\n'
EMPTY = write_archive([Entry("admin/eventlog", EVENTS)], ".tar.gz")


def entry(identity: str, **fields: object) -> CatalogEntry:
    found = replace(manifest(identity), **fields)  # type: ignore[arg-type]
    return CatalogEntry(identity, f"/state/fluxstate/{identity}.tar.gz", 3, NOW, found)


def source(data: bytes, **extra: str) -> Source:
    archive = read_archive(data)
    found = entry("a", extra=extra)
    assert found.manifest is not None
    parts = tuple(replace(part, sha256=archive.sha256) for part in found.manifest.parts)
    return Source(replace(found, manifest=replace(found.manifest, parts=parts)), archive)


def test_an_archive_is_named_by_id_or_by_path() -> None:
    found = entry("a")
    assert named((found,), "a") is found
    assert named((found,), found.path) is found


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(FluxstateError) as caught:
        named((entry("a"),), "b")
    assert caught.value.exit_code is ExitCode.NOT_FOUND
    assert "a" in caught.value.advice


@pytest.mark.parametrize("data", [b"", EMPTY[:-9], b"no archive at all"])
def test_what_a_broker_would_choke_on_or_silently_ignore_is_refused(data: bytes) -> None:
    with pytest.raises(FluxstateError) as caught:
        require_sound(source(data))
    assert caught.value.exit_code is ExitCode.VERIFICATION


def test_an_archive_that_is_not_what_its_manifest_says_is_refused() -> None:
    good = source(EMPTY)
    require_sound(good)
    with pytest.raises(FluxstateError, match="sha256"):
        require_sound(Source(entry("a"), good.archive))


def test_a_checkpoint_is_made_before_it_is_disarmed() -> None:
    steps = restore_plan.plan(source(EMPTY), minicluster(), ()).steps
    assert steps.index(restore_plan.CHECKPOINT) < steps.index(restore_plan.DISARM)


def test_named_queues_are_started_again_as_they_were_saved() -> None:
    assert source(EMPTY, queues_started='["batch", ""]').queues_to_start == ("batch",)
    paused = source(EMPTY, queues_started='["batch"]', restore="paused")
    assert paused.queues_to_start == ()
    assert (
        restore_plan.QUEUE
        in restore_plan.plan(source(EMPTY, queues_started='["batch"]'), minicluster(), ()).steps
    )


def test_a_manifest_that_the_operator_would_ignore_is_refused_before_anything_is_created() -> None:
    with pytest.raises(FluxstateError, match="maxSize"):
        require_valid(minicluster(size=3, maxSize=2), "v1alpha2")
    with pytest.raises(FluxstateError, match="nothing would be restored"):
        require_valid(minicluster(archive={}), "v1alpha2")
