"""What a jobspec asks for, and what R gives, counted like flux-core does."""

from __future__ import annotations

from typing import Any

import pytest

from fluxstate_tui.flux.jobspec import Counts, asked, counts, job_name
from fluxstate_tui.flux.resources import ResourceSet, Share, make_alloc, places
from tests.unit.archive.given import jobspec


def _counts(**shell: Any) -> Counts:
    return counts(jobspec(nodes=2, shell={"options": shell}))


def test_tasks_cores_and_nodes_are_counted() -> None:
    found = counts(jobspec(nodes=3))
    assert (found.ntasks, found.ncores, found.nnodes) == (3, 3, 3)
    found = counts(jobspec())
    assert (found.ntasks, found.ncores, found.nnodes) == (1, 1, None)


def test_exclusive_nodes_leave_the_cores_open() -> None:
    spec = jobspec(nodes=9)
    spec["resources"][0]["exclusive"] = True
    found = counts(spec)
    assert (found.ntasks, found.ncores, found.nnodes) == (9, None, 9)


def test_tasks_per_node_multiply_and_tasks_per_core_wait_for_r() -> None:
    assert _counts(**{"per-resource": {"type": "node", "count": 4}}).ntasks == 8
    found = _counts(**{"per-resource": {"type": "core"}})
    assert (found.ntasks, found.ntasks_per) == (None, ("core", 1))


def test_a_total_of_tasks_wins_over_slots() -> None:
    spec = jobspec(nodes=2)
    spec["tasks"][0]["count"] = {"total": 7}
    assert counts(spec).ntasks == 7


@pytest.mark.parametrize(
    "resources", [None, {}, [1], [{"type": "slot"}], [{"type": "slot", "count": -1}], [[]]]
)
def test_resources_that_make_no_sense_count_as_unknown(resources: Any) -> None:
    spec = {**jobspec(), "resources": resources}
    assert counts(spec) == Counts()


def test_a_job_without_a_name_is_called_after_its_program() -> None:
    spec = jobspec()
    spec["attributes"]["system"]["job"] = {}
    assert job_name(spec) == "sleep"
    spec["tasks"][0]["command"] = ["/usr/bin/env", "x"]
    assert job_name(spec) == "env"
    spec["tasks"] = []
    assert job_name(spec) == ""


def test_attributes_of_the_wrong_type_count_as_absent() -> None:
    found = asked(jobspec("x", queue=7, cwd=None, duration="long", project=["p"]))
    assert (found.queue, found.cwd, found.duration, found.project) == ("", "", 0.0, "")


def test_r_of_an_instance_is_parsed_again() -> None:
    shares = [Share(rank, host, (0, 1, 2, 3), (0,)) for rank, host in enumerate(("a0", "a1", "b"))]
    found = ResourceSet.parse(make_alloc(shares, expiration=9.0))
    assert (found.ranks, found.nodelist) == ("[0-2]", "a[0-1],b")
    assert (found.nnodes, found.ncores, found.ngpus, found.expiration) == (3, 12, 3, 9.0)


def test_an_allocation_keeps_who_has_which_cores() -> None:
    shares = [Share(1, "n1", (0, 1)), Share(4, "n4", (3,), (0,))]
    found = ResourceSet.parse(make_alloc(shares, nslots=3))
    assert found.shares() == shares
    assert (found.ranks, found.ncores, found.ngpus) == ("[1,4]", 3, 1)


@pytest.mark.parametrize(
    "r",
    [
        {},
        {"version": 0, "execution": {"R_lite": []}},
        {"version": 1, "execution": {}},
        {"version": 1, "execution": {"R_lite": [{"rank": 0}]}},
        {"version": 1, "execution": {"R_lite": [], "nodelist": "n0"}},
    ],
)
def test_what_is_no_r_is_refused(r: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="R"):
        ResourceSet.parse(r)


def test_the_places_of_an_allocation_name_nodes_ranks_cores_and_gpus() -> None:
    shares = [
        Share(0, "n0", (0, 1, 2, 3)),
        Share(1, "n1", (0, 1, 2, 3)),
        Share(4, "n4", (3,), (0,)),
    ]
    assert places(make_alloc(shares)) == (
        "n[0-1] (ranks 0-1): cores 0-3",
        "n4 (rank 4): core 3, gpu 0",
    )


@pytest.mark.parametrize("r", [None, {}, {"version": 1, "execution": {"R_lite": 3}}])
def test_what_is_no_r_has_no_places(r: Any) -> None:
    assert places(r) == ()


def test_an_allocation_on_more_ranks_than_any_machine_has_costs_nothing() -> None:
    group = {"rank": "0-1000000", "children": {"core": "0"}}
    execution = {"R_lite": [group] * 1000, "nodelist": ["n0"]}
    assert places({"version": 1, "execution": execution}) == ()
