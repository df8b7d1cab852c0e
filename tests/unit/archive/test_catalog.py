"""The catalog: names that are never taken twice, manifests that notice any change, retention."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from fluxstate_tui.archive.manifest import (
    Manifest,
    ManifestError,
    Part,
    archive_name,
    build,
    folder_of,
    from_bytes,
    id_of,
    manifest_name,
    new_id,
    notes,
    to_bytes,
)
from fluxstate_tui.catalog.contents import Known, Retention, removable

_NOW = 1795296000.0


def _manifest(identity: str = "20261121-212000-sample", **changes: object) -> Manifest:
    manifest = Manifest(
        id=identity,
        minicluster="sample",
        namespace="default",
        uid="u-1",
        size=2,
        created=_NOW,
        created_by="me",
        core_version="0.88.0",
        counts={"COMPLETED": 3},
        verified="L2",
        idle=True,
        parts=(Part("queue", archive_name(identity), 7, "ab" * 32),),
        extra={"queues_started": '["batch"]', "note": "grüße\n"},
    )
    return replace(manifest, **changes)  # type: ignore[arg-type]


def test_ids_are_in_utc_and_never_taken_twice() -> None:
    first = new_id(_NOW, "Flux_Sample", ())
    assert first == "20261121-212000-flux-sample"
    second = new_id(_NOW, "Flux_Sample", {archive_name(first)})
    assert second == f"{first}-2"
    assert new_id(_NOW, "Flux_Sample", {f"{first}.tgz", manifest_name(second)}) == f"{first}-3"


def test_the_catalog_lies_beside_the_archive() -> None:
    assert folder_of("/state/archive.tar.gz") == "/state/fluxstate"


@pytest.mark.parametrize(
    ("name", "identity"),
    [("a.tar.gz", "a"), ("a.b.tgz", "a.b"), (".part-1.tar.gz", ""), ("a.json", ""), (".tar", "")],
)
def test_only_visible_archives_have_an_id(name: str, identity: str) -> None:
    assert id_of(name) == identity


def test_a_manifest_survives_and_keeps_what_a_newer_version_added() -> None:
    manifest = _manifest()
    assert from_bytes(to_bytes(manifest)) == manifest
    newer = to_bytes(manifest).replace(b'"id":', b'"volumes": [1, 2],\n  "id":', 1)
    with pytest.raises(ManifestError):
        from_bytes(newer)
    newer = newer.replace(b'"sha256":', b'"added": 1,\n      "sha256":', 1)
    read = from_bytes(_signed(newer))
    assert read.extra["volumes"] == "[1, 2]"
    assert read.parts == manifest.parts


def test_a_manifest_that_this_version_would_misunderstand_is_refused_with_the_reason() -> None:
    newer = _signed(to_bytes(_manifest()).replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(ManifestError, match="format 2 of a newer fluxstate-tui"):
        from_bytes(newer)
    manifest = _manifest()
    file = (manifest.parts[0].file, manifest.parts[0].size, _NOW)
    (entry,) = build("/f", [file], {f"{manifest.id}.json": newer})
    assert "newer" in entry.problem  # listed, never removed by a policy, usable by its path
    assert removable([Known(entry, None, entry.problem)], Retention(last=1), _NOW) == ()


def test_what_a_queue_came_from_is_told_but_not_that_it_was_dumped() -> None:
    assert _manifest(came_from="flux dump").origin == ""
    assert _manifest(came_from="flux dump; restored from x").origin == "restored from x"
    assert _manifest(came_from="adopted from /a.tar").origin == "adopted from /a.tar"


def test_what_is_noted_besides_is_read_back_and_stays_text_on_the_disk() -> None:
    raw = {"spec": {"size": 2}, "metadata": {"name": "a"}}
    extra = notes(minicluster=raw, queues_started=["", "batch"], restore_paused=True, adopted=_NOW)
    read = from_bytes(to_bytes(_manifest(extra=extra)))
    assert read.saved_object == raw
    assert read.queues_started == ("", "batch")
    assert read.restore_paused
    assert read.extra == {
        "adopted": str(_NOW),
        "minicluster": '{"metadata": {"name": "a"}, "spec": {"size": 2}}',
        "queues_started": '["", "batch"]',
        "restore": "paused",
    }
    assert notes() == {}


@pytest.mark.parametrize("text", ["", "5", "null", '"batch"', "{", "[" * 100_000, '{"spec":5}'])
def test_a_note_that_is_none_says_nothing(text: str) -> None:
    read = _manifest(extra={"minicluster": text, "queues_started": text, "restore": text})
    assert (read.saved_object, read.queues_started, read.restore_paused) == (None, (), False)


@pytest.mark.parametrize(
    "hostile",
    [
        {"created": "yesterday"},
        {"created": None},
        {"created": float("nan")},
        {"created": 1e300},
        {"minicluster": {}},
        {"namespace": []},
        {"verified": ["L2"]},
        {"size": "big"},
        {"came_from": 5},
        {"counts": {"COMPLETED": "many"}},
        {"parts": [{"kind": "queue", "file": "../x.tar.gz", "size": 7, "sha256": "ab"}]},
        {"parts": [{"kind": [], "file": "x.tar.gz", "size": "7", "sha256": 4}]},
    ],
)
def test_a_manifest_of_somebody_who_writes_nonsense_hides_no_other_archive(
    hostile: dict[str, object],
) -> None:
    good = _manifest()
    value = {**asdict(_manifest("20200101-000000-x")), **hostile}
    text = json.dumps(value, indent=2).removesuffix("\n}")
    data = _signed(f'{text},\n  "checksum"'.encode())
    files = [(archive_name(good.id), 7, 1.0), (archive_name(value["id"]), 7, 1.0)]
    manifests = {manifest_name(good.id): to_bytes(good), manifest_name(value["id"]): data}
    problems = {entry.id: entry.problem for entry in build("/f", files, manifests)}
    assert problems.pop(good.id) == ""
    assert all(problems.values())


def test_a_name_that_leads_out_of_the_folder_is_not_believed() -> None:
    evil = "../../evil"
    assert id_of(archive_name(evil)) == ""
    files = [(archive_name(evil), 7, 1.0)]
    assert build("/f", files, {manifest_name(evil): to_bytes(_manifest(evil))}) == ()


def test_any_changed_or_missing_byte_of_a_manifest_is_noticed() -> None:
    data = to_bytes(_manifest())
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x20
        for broken in (bytes(changed), data[:at]):
            with pytest.raises(ManifestError):
                from_bytes(broken)


def test_a_folder_becomes_a_catalog_newest_first() -> None:
    old = _manifest("20261120-000000-sample", created=_NOW - 86400)
    new = _manifest()
    files = [
        (archive_name(old.id), 7, 1.0),
        (archive_name(new.id), 7, 2.0),
        ("by-hand.tgz", 9, _NOW - 10),
        (".part-1.tar.gz", 3, 3.0),
        ("notes.txt", 3, 3.0),
    ]
    manifests = {manifest_name(one.id): to_bytes(one) for one in (old, new)}
    entries = build("/state/fluxstate", files, manifests)
    assert [entry.id for entry in entries] == [new.id, "by-hand", old.id]
    assert entries[1].manifest is None
    assert [entry.problem for entry in entries] == ["", "", ""]
    assert entries[0].path == f"/state/fluxstate/{new.id}.tar.gz"


def test_what_does_not_fit_together_is_a_problem() -> None:
    good = _manifest()
    name = manifest_name(good.id)

    def problem(size: int, data: bytes) -> str:
        return build("/f", [(archive_name(good.id), size, 1.0)], {name: data})[0].problem

    assert problem(7, to_bytes(good)) == ""
    assert "8 bytes" in problem(8, to_bytes(good))
    assert "checksum" in problem(7, to_bytes(good)[:-9])
    assert "is that of other" in problem(7, to_bytes(_manifest("other")))
    orphan = build("/f", [], {name: to_bytes(good)})[0]
    assert "is not there" in orphan.problem


def _signed(data: bytes) -> bytes:
    """The same manifest with a right checksum, as a newer version would have written it."""
    import hashlib

    head = data[: data.rfind(b'  "checksum"')]
    return head + b'  "checksum": "sha256:%b"\n}\n' % hashlib.sha256(head).hexdigest().encode()
