"""Several at once: each with its own outcome, the worst one gives the exit code."""

from __future__ import annotations

from dataclasses import replace

from fluxstate_tui.clock import SystemClock
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.lease import ClusterLease
from fluxstate_tui.operations.restore.steps import bring_up
from fluxstate_tui.sim.worlds.manifests import minicluster
from tests.faults.stage import NAME, NAMESPACE, Stage
from tests.unit.cli_operate.conftest import Program

OTHER = "second"


async def second(stage: Stage, path: str = f"/state/{OTHER}/archive.tar.gz") -> None:
    """Another MiniCluster, with a folder of its own on the same volume."""
    resource = await stage.context.cluster.minicluster_resource()
    stage.volume.mkdir(f"/{OTHER}")
    body = minicluster(OTHER, 1, archive={"path": path})
    await stage.context.cluster.create(resource, body, NAMESPACE)
    ref = ClusterRef(NAMESPACE, OTHER, "")
    await (await bring_up(stage.context, ref, 300.0, lambda text: None)).close()


async def test_all_are_saved_and_each_line_says_whose_it_is(program: Program) -> None:
    await second(program.stage)
    saved = await program("save", "--all", "--parallel", "2", "--json")
    assert saved.code == ExitCode.OK, saved
    kinds = {one["name"]: one["outcome"]["kind"] for one in saved.json["operations"]}
    assert kinds == {NAME: "Completed", OTHER: "Completed"}
    assert saved.json["worst"]["kind"] == "Completed"
    assert f"{NAMESPACE}/{OTHER}" in saved.err
    again = await program("save", NAME, OTHER)
    assert again.code == ExitCode.OK, again
    assert again.out.count("Completed: saved") == 2


async def test_one_that_cannot_be_saved_does_not_stop_the_others(program: Program) -> None:
    await second(program.stage, "archive.tar.gz")
    deleted = await program("delete", "--save", OTHER, NAME, "--yes")
    assert deleted.code == ExitCode.REFUSED, deleted
    assert f"{NAMESPACE}/{NAME}  Completed" in deleted.out
    assert f"{NAMESPACE}/{OTHER}  Failed" in deleted.err
    left = await program("get", "miniclusters")
    assert OTHER in left.out
    assert NAME not in left.out


async def test_what_would_lose_jobs_or_needs_a_yes_is_not_done_in_bulk(program: Program) -> None:
    await second(program.stage)
    await program("submit", NAME, "--", "true")
    asked = await program("delete", "--save", NAME, OTHER)
    assert asked.code == ExitCode.REFUSED
    assert "--yes" in asked.err
    unsaved = await program("delete", NAME, OTHER, "--yes")
    assert unsaved.code == ExitCode.REFUSED
    assert "do this one alone" in unsaved.err
    missing = await program("save", NAME, "nosuch")
    assert missing.code == ExitCode.NOT_FOUND
    assert program.stage.finished() == {}


class Tomorrow(SystemClock):
    """A lock that is taken by this clock does not expire, by whatever clock it is judged."""

    def now(self) -> float:
        """In seconds since the epoch."""
        return super().now() + 86400.0


async def test_a_lock_is_waited_for_or_broken_for_each_of_them(program: Program) -> None:
    await second(program.stage)
    bob = replace(program.stage.context, who="bob@two", clock=Tomorrow())
    await ClusterLease(bob, ClusterRef(NAMESPACE, OTHER, ""), "delete").acquire()
    locked = await program("save", NAME, OTHER)
    assert locked.code == ExitCode.LOCKED, locked
    assert f"{NAMESPACE}/{NAME}  Completed" in locked.out
    broken = await program("save", NAME, OTHER, "--break-lock", "bob@two")
    assert broken.code == ExitCode.OK, broken
    assert f"lock broken: bob@two works on {NAMESPACE}/{OTHER}" in broken.err


async def test_a_dry_run_says_what_is_not_possible_and_json_says_what_was_not_consented_to(
    program: Program,
) -> None:
    await second(program.stage, "archive.tar.gz")
    dry = await program("save", NAME, OTHER, "--dry-run")
    assert dry.code == ExitCode.REFUSED
    assert "not possible: spec.archive.path is not an absolute path" in dry.out
    asked = await program("delete", "--save", NAME, OTHER, "--json")
    assert asked.code == ExitCode.REFUSED
    outcomes = {one["name"]: one["outcome"] for one in asked.json["operations"]}
    assert outcomes[NAME] is None
    assert outcomes[OTHER]["kind"] == "Failed"
    refused = audit.read(program.folder / "cli-state").entries[-1]
    assert (refused.name, refused.reason) == (NAME, "consent was not given")
