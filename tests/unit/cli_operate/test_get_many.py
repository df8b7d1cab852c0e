"""`get miniclusters` reads each kind of object once, however many MiniClusters there are."""

from __future__ import annotations

from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.sim.worlds.manifests import tutorial_minicluster
from tests.faults.stage import NAMESPACE
from tests.unit.cli_operate.conftest import Program


async def requests_of(program: Program, *words: str) -> list[str]:
    asked: list[str] = []

    async def gate(method: str, path: str) -> None:
        if method != "STDIN":
            asked.append(path.split("?")[0].rsplit("/", 1)[-1])

    program.stage.sim.faults.gate = gate
    shown = await program("get", "miniclusters", *words)
    assert shown.code == 0, shown
    program.stage.sim.faults.gate = None
    return asked


async def test_pods_and_jobs_are_listed_once_for_all(program: Program) -> None:
    stage = program.stage
    resource = await stage.context.cluster.minicluster_resource()
    body = tutorial_minicluster(stage.sim.state.flavour, "second", 2)
    made = parse_minicluster(await stage.context.cluster.create(resource, body, NAMESPACE))
    await stage.up(made.ref)
    asked = await requests_of(program)
    assert (asked.count("pods"), asked.count("jobs")) == (1, 1)
    assert asked.count("exec") == 2


async def test_without_queues_no_broker_is_asked_and_none_is_claimed(program: Program) -> None:
    asked = await requests_of(program, "--no-queues")
    assert "exec" not in asked
    shown = await program("get", "miniclusters", "--no-queues", "--json")
    [found] = shown.json["miniclusters"]
    assert (found["phase"], found["jobs"], found["queues"]) == ("Unknown", None, None)
    assert found["reason"] == "2 of 2 pods run; its broker was not asked."


async def test_pods_of_all_namespaces_say_whose_they_are(program: Program) -> None:
    shown = await program("get", "pods", "-A")
    assert shown.code == 0, shown
    header, *rows = shown.out.splitlines()
    assert header.split()[:3] == ["NAMESPACE", "MINICLUSTER", "NAME"]
    assert [row.split()[:2] for row in rows] == [["default", "flux-sample"]] * 2


async def test_the_json_of_a_pod_holds_no_environment(program: Program) -> None:
    shown = await program("get", "pods", "--json")
    assert {"name", "index", "containers"} <= set(shown.json["pods"][0])
    assert "raw" not in shown.json["pods"][0]
