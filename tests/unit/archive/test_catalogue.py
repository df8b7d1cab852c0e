"""The catalogue: names that are never taken twice, manifests that notice any change, retention."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.archive.catalogue import (
    Retention,
    archive_name,
    build,
    folder_of,
    id_of,
    manifest_name,
    new_id,
    removable,
)
from fluxstate_tui.archive.manifest import (
    CatalogueEntry,
    Manifest,
    ManifestError,
    Part,
    from_bytes,
    to_bytes,
)

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


def test_the_catalogue_lies_beside_the_archive() -> None:
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
    assert removable([entry], Retention(last=1), _NOW) == ()


def test_what_a_queue_came_from_is_told_but_not_that_it_was_dumped() -> None:
    assert _manifest(came_from="flux dump").origin == ""
    assert _manifest(came_from="flux dump; restored from x").origin == "restored from x"
    assert _manifest(came_from="adopted from /a.tar").origin == "adopted from /a.tar"


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


def test_a_folder_becomes_a_catalogue_newest_first() -> None:
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


def test_an_empty_retention_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Retention()
    with pytest.raises(ValueError, match="positive"):
        Retention(last=0)


_ENTRY = st.builds(
    lambda day, cluster, level, problem: CatalogueEntry(
        f"{day}-{cluster}-{level}",
        "/f",
        7,
        _NOW,
        None
        if level is None
        else _manifest(minicluster=cluster, verified=level, created=_NOW - day * 86400.0),
        problem,
    ),
    st.integers(0, 60),
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, "", "L0", "L1", "L2", "L3"]),
    st.sampled_from(["", "", "", "it has 8 bytes"]),
)


@given(
    st.lists(_ENTRY, max_size=20, unique_by=lambda entry: entry.id),
    st.one_of(st.none(), st.integers(1, 5)),
    st.floats(0, 90 * 86400),
)
def test_no_policy_ever_removes_the_last_verified_archive(
    entries: list[CatalogueEntry], last: int | None, within: float
) -> None:
    gone = removable(entries, Retention(last=last, within=within), _NOW)
    for cluster in ("a", "b"):
        mine = [
            entry
            for entry in entries
            if entry.manifest is not None
            and entry.manifest.minicluster == cluster
            and not entry.problem
            and entry.manifest.verified in ("L1", "L2", "L3")
        ]
        if mine:
            left = [entry for entry in mine if entry not in gone]
            newest = max(entry.manifest.created for entry in mine if entry.manifest)
            assert newest in [entry.manifest.created for entry in left if entry.manifest]
    assert all(entry.manifest is not None and not entry.problem for entry in gone)


def test_a_policy_keeps_the_newest() -> None:
    entries = [
        CatalogueEntry(str(day), "/f", 7, _NOW, _manifest(created=_NOW - day * 86400.0), "")
        for day in range(5)
    ]
    assert [entry.id for entry in removable(entries, Retention(last=2), _NOW)] == ["2", "3", "4"]
    week = removable(entries, Retention(within=2.5 * 86400), _NOW)
    assert [entry.id for entry in week] == ["3", "4"]


def _entry(identity: str, **fields: Any) -> CatalogueEntry:
    return CatalogueEntry(identity, "/f", 7, _NOW, _manifest(**fields), "")


def test_without_any_verified_one_nothing_goes() -> None:
    entries = [_entry(str(day), verified="", created=_NOW - day * 86400.0) for day in range(4)]
    assert removable(entries, Retention(last=1), _NOW) == ()


def test_of_those_of_the_same_second_exactly_as_many_stay_as_are_asked_for() -> None:
    entries = [_entry(name) for name in ("a", "a-2", "a-3")]
    assert [entry.id for entry in removable(entries, Retention(last=1), _NOW)] == ["a-2", "a"]


def test_an_adopted_archive_counts_as_one_of_its_minicluster() -> None:
    adopted = _entry("adopted", uid="", created=_NOW - 5 * 86400.0)
    ours = _entry("ours", verified="L0")
    assert removable([ours, adopted], Retention(last=1), _NOW) == ()  # the only verified one


def test_miniclusters_of_one_name_in_two_namespaces_are_two() -> None:
    entries = [_entry("old", namespace="a", created=_NOW - 86400.0), _entry("new", namespace="b")]
    assert removable(entries, Retention(last=1), _NOW) == ()


def _signed(data: bytes) -> bytes:
    """The same manifest with a right checksum, as a newer version would have written it."""
    import hashlib

    head = data[: data.rfind(b'  "checksum"')]
    return head + b'  "checksum": "sha256:%b"\n}\n' % hashlib.sha256(head).hexdigest().encode()
