"""What a restore says about MiniClusters that live beside it."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.operations.restore.neighbours import dangers


def minicluster(name: str, path: str = "/state/archive.tar.gz", **volume: str) -> dict[str, Any]:
    mount = {"path": "/state", **(volume or {"hostPath": "/data"})}
    return {
        "metadata": {"name": name},
        "spec": {"archive": {"path": path}, "containers": [{"volumes": {"data": mount}}]},
    }


NEW = minicluster("new")


def test_jobs_that_wait_in_the_archive_may_run_twice_while_their_minicluster_lives() -> None:
    apart = minicluster("old", hostPath="/elsewhere")
    assert dangers(NEW, "old", 3, [apart]) == (
        "DANGER: old, whose queue was saved in it, lives: 3 jobs may run in both.",
    )
    assert dangers(NEW, "old", 0, [apart]) == ()
    assert dangers(NEW, "gone", 3, [apart]) == ()


def test_another_reader_of_the_same_file_could_load_it() -> None:
    mounted_elsewhere = minicluster("old", path="/mnt/archive.tar.gz")
    mounted_elsewhere["spec"]["containers"][0]["volumes"]["data"]["path"] = "/mnt"
    (line,) = dangers(NEW, "", 0, [mounted_elsewhere])
    assert "old reads the same archive.path" in line


def test_other_files_claims_and_directories_are_no_danger() -> None:
    others = [
        minicluster("a", path="/state/a/archive.tar.gz"),
        minicluster("b", hostPath="/other"),
        minicluster("c", claimName="/data"),
        {"metadata": {"name": "d"}, "spec": {"size": 1}},
    ]
    assert dangers(NEW, "", 0, others) == ()
