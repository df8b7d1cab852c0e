"""What a restore says about MiniClusters that live beside it."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.operations.restore.plan import Neighbour, dangers


def minicluster(name: str, path: str = "/state/archive.tar.gz", **volume: str) -> dict[str, Any]:
    mount = {"path": "/state", **(volume or {"hostPath": "/data"})}
    return {
        "metadata": {"name": name},
        "spec": {"archive": {"path": path}, "containers": [{"volumes": {"data": mount}}]},
    }


NEW = minicluster("new")


JOBS = {(1, 5.0), (2, 6.0), (3, 7.0)}


def test_jobs_that_run_elsewhere_now_may_run_twice_whatever_that_one_is_called() -> None:
    apart = minicluster("night-c", hostPath="/elsewhere")
    assert dangers(NEW, JOBS, [Neighbour(apart, frozenset({(1, 5.0), (2, 6.0), (9, 9.0)}))]) == (
        "DANGER: 2 jobs of it are in the live queue of night-c now: they may run in both.",
    )
    assert dangers(NEW, (), [Neighbour(apart, frozenset({(1, 5.0)}))]) == ()


def test_a_minicluster_of_the_same_name_with_other_jobs_of_the_same_ids_is_no_danger() -> None:
    unrelated = minicluster("flux-sample", hostPath="/elsewhere")
    assert dangers(NEW, JOBS, [Neighbour(unrelated, frozenset({(1, 99.0)}))]) == ()
    assert dangers(NEW, JOBS, [Neighbour(unrelated, None, why="no lead")]) == ()


def test_one_that_came_from_the_archive_and_cannot_be_asked_is_a_danger() -> None:
    heir = minicluster("heir", hostPath="/elsewhere")
    (line,) = dangers(NEW, JOBS, [Neighbour(heir, None, related=True, why="no lead pod.")])
    assert line.startswith("DANGER: heir, whose queue came from it, lives")
    assert "(no lead pod): 3 jobs may run in both" in line


def test_another_reader_of_the_same_file_could_load_it() -> None:
    mounted_elsewhere = minicluster("old", path="/mnt/archive.tar.gz")
    mounted_elsewhere["spec"]["containers"][0]["volumes"]["data"]["path"] = "/mnt"
    (line,) = dangers(NEW, (), [Neighbour(mounted_elsewhere)])
    assert "old reads the same archive.path" in line


def test_other_files_claims_and_directories_are_no_danger() -> None:
    others = [
        minicluster("a", path="/state/a/archive.tar.gz"),
        minicluster("b", hostPath="/other"),
        minicluster("c", claimName="/data"),
        {"metadata": {"name": "d"}, "spec": {"size": 1}},
    ]
    assert dangers(NEW, (), map(Neighbour, others)) == ()


def test_claims_of_one_name_in_two_namespaces_are_two_volumes() -> None:
    here, there = minicluster("a", claimName="data"), minicluster("b", claimName="data")
    there["metadata"]["namespace"] = "other"
    assert dangers(here, (), [Neighbour(there)]) == ()
