"""`doctor` says what is wrong, and its exit code is 0 only if nothing is."""

from __future__ import annotations

import asyncio

from fluxstate_tui.sim.worlds.manifests import tutorial_minicluster
from tests.faults.stage import NAME, NAMESPACE
from tests.unit.cli_operate.conftest import Program


async def test_nothing_is_wrong_with_a_healthy_minicluster(program: Program) -> None:
    instance = program.stage.sim.state.instance(NAMESPACE, NAME)
    assert instance is not None
    instance.load_config({"kvs": {"checkpoint-period": "1m"}})
    told = await program("doctor", (await program.stage.ref()).name)
    assert told.code == 0, told
    assert "nothing is wrong" in told.out


async def test_without_a_name_the_installation_is_looked_at_too(program: Program) -> None:
    told = await program("doctor", "--json")
    names = [one["of"] for one in told.json["diagnoses"]]
    assert names[0] == "installation"
    assert str(await program.stage.ref()) in names


async def test_what_is_wrong_is_told_with_its_code_and_ends_with_exit_code_1(
    program: Program,
) -> None:
    cluster = program.stage.context.cluster
    body = tutorial_minicluster(program.stage.sim.state.flavour, "bad", 1)
    body["spec"]["containers"][0]["image"] = "registry.local/no-such-image:1"
    await cluster.create(await cluster.minicluster_resource(), body, NAMESPACE)
    codes: list[str] = []
    async with asyncio.timeout(60):
        while "FS101" not in codes:
            told = await program("doctor", "bad", "-n", NAMESPACE, "--json")
            (one,) = told.json["diagnoses"]
            codes = [finding["code"] for finding in one["findings"]]
    assert told.code == 1, told
