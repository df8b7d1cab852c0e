"""A MiniCluster object of a file or of somebody's catalog: any nonsense is refused in words."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from fluxstate_tui.catalog.helper_pod import pod_for
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.manifest import for_create
from fluxstate_tui.minicluster.archive_volume import dies_with_it
from fluxstate_tui.operations.restore.plan import require_valid
from fluxstate_tui.sim.worlds.manifests import minicluster, minicluster_v1alpha1

NONSENSE: tuple[Any, ...] = (
    None,
    5,
    "x",
    [],
    {},
    [None],
    {"a": None},
    True,
    1.5,
    [[]],
    {"path": 3},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything below `value`."""
    if not isinstance(value, (dict, list)):
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        yield from places(inner, (*path, key))


def mutated(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for *path, last in places(good):
        for nonsense in NONSENSE:
            bad = copy.deepcopy(good)
            inside: Any = bad
            for key in path:
                inside = inside[key]
            inside[last] = copy.deepcopy(nonsense)
            yield bad


@pytest.mark.parametrize("make", [minicluster, minicluster_v1alpha1])
def test_whatever_is_in_it_it_is_taken_or_refused_in_words(make: Any) -> None:
    good = make("a", 2)
    good["metadata"]["annotations"] = {"a": "b"}
    good["spec"] |= {"maxSize": 4, "minSize": 1, "pod": {"nodeSelector": {"a": "b"}}}
    version = good["apiVersion"].rpartition("/")[2]
    refused = taken = 0
    for bad in [{}, *mutated(good)]:
        try:
            manifest = for_create(bad, size=3)
            require_valid(manifest, version)
            pod_for(manifest, "token")
            dies_with_it(manifest["spec"])
        except FluxstateError:
            refused += 1
        else:
            taken += 1
    assert min(refused, taken) > 50
