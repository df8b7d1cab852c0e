"""Whose an archive is: two MiniClusters that share a folder are never mixed up."""

from __future__ import annotations

import json

import pytest

from fluxstate_tui.archive.manifest import CatalogEntry, Manifest
from fluxstate_tui.catalog.ownership import Identity, Owner, Ownership, identity_of, ours, ownership
from fluxstate_tui.minicluster.minicluster import ClusterRef

ME = Identity("default", "team-b", "u-b", "/state/team-b.tar.gz", "https://here")


def entry(name: str, uid: str = "", path: str = "", namespace: str = "default") -> CatalogEntry:
    raw = {"spec": {"archive": {"path": path}}} if path else {}
    manifest = Manifest(
        id=f"a-{name}",
        minicluster=name,
        namespace=namespace,
        uid=uid,
        size=1,
        created=0.0,
        created_by="",
        core_version="",
        counts={},
        verified="L2",
        idle=True,
        extra={"minicluster": json.dumps(raw)},
    )
    return CatalogEntry(manifest.id, f"/f/{manifest.id}.tar.gz", 1, 0.0, manifest)


@pytest.mark.parametrize(
    ("found", "whose"),
    [
        (entry("team-b", "u-b"), Ownership.OWN),
        (entry("team-b", "u-earlier", "/state/team-b.tar.gz"), Ownership.OWN),
        (entry("team-b"), Ownership.OWN),
        (entry("team-b", "u-other", "/state/elsewhere.tar.gz"), Ownership.UNKNOWN),
        (entry("team-b", "u-other", "/mnt/team-b.tar.gz"), Ownership.OWN),
        (entry("team-a", "u-a"), Ownership.OTHER),
        (entry("team-b", "u-x", namespace="other"), Ownership.OTHER),
        (entry(""), Ownership.UNKNOWN),
        (CatalogEntry("x", "/f/x.tar", 1, 0.0, None), Ownership.UNKNOWN),
    ],
)
def test_it_is_told_by_uid_then_by_name_and_file(found: CatalogEntry, whose: Ownership) -> None:
    assert ownership(found, ME) is whose


def test_what_this_computer_recorded_counts_more_than_a_manifest() -> None:
    lie = entry("team-b", "u-b")
    theirs = Owner("default", "team-a", "u-a", recorded=True)
    assert ownership(lie, ME, theirs) is Ownership.OTHER
    there = Owner("default", "team-b", "u-9", server="https://there", recorded=True)
    assert ownership(lie, ME, there) is Ownership.OTHER


def test_a_predecessor_is_known_by_lineage() -> None:
    raw = {
        "metadata": {"annotations": {"fluxstate/restored-from": "a-team-a"}},
        "spec": {"archive": {"path": "/state/team-b.tar.gz"}},
    }
    me = identity_of(ClusterRef("default", "team-b", "u-b"), raw, predecessors={"u-c"})
    assert ownership(entry("team-a", "u-a"), me) is Ownership.PREDECESSOR
    assert ownership(entry("team-c", "u-c"), me) is Ownership.PREDECESSOR
    assert ours([entry("team-d", "u-d"), entry("team-c", "u-c")], me) == (entry("team-c", "u-c"),)
