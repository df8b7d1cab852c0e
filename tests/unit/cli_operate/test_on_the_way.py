"""A proxy that lets no exec through is named; neither a right nor the broker is blamed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from tests.unit.cli_operate.conftest import Program


@pytest.mark.parametrize("code", [200, 403, 502])
async def test_a_proxy_that_refuses_every_exec_is_what_get_and_operations_say(
    program: Program, code: int
) -> None:
    program.stage.sim.faults.add("page", path="/exec", code=code, count=-1)
    begun = time.monotonic()
    shown = await program("get", "miniclusters", "--json")
    assert time.monotonic() - begun < 20
    [found] = shown.json["miniclusters"]
    assert found["phase"] == "Unknown"
    assert "refused on the way" in found["reason"]
    assert f"HTTP {code} with HTML: not from the API server" in found["unreachable"]
    table = await program("get", "miniclusters")
    assert f"refused on the way (HTTP {code} with HTML" in table.out
    paused = await program("pause", "--yes")
    assert paused.code == 3
    assert f"refused on the way (HTTP {code} with HTML" in paused.err
    for text in (table.out, paused.err):
        assert "may not" not in text
        assert "Ask for a Role" not in text
        assert "Wait until the MiniCluster is Up" not in text


async def test_a_way_that_breaks_off_every_exec_is_no_broker_that_starts(
    program: Program,
) -> None:
    program.stage.sim.faults.add("drop", path="/exec", count=-1)
    shown = await program("get", "miniclusters", "--json")
    [found] = shown.json["miniclusters"]
    assert found["phase"] == "Unknown"
    assert "the broker cannot be asked: the connection to it breaks off" in found["reason"]
    assert "broke" in found["unreachable"]
    assert "change was sent" not in found["unreachable"]


async def test_a_credential_plugin_that_fails_is_named_and_not_the_server(
    program: Program, tmp_path: Path
) -> None:
    script = tmp_path / "plugin"
    script.write_text("#!/bin/sh\necho 'cannot reach the identity provider' >&2\nexit 1\n")
    script.chmod(0o700)
    config = yaml.safe_load((tmp_path / "kubeconfig").read_text())
    stanza = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}
    config["users"][0]["user"] = {"exec": {**stanza, "interactiveMode": "Never"}}
    broken = tmp_path / "with-plugin"
    broken.write_text(yaml.safe_dump(config))
    shown = await program("get", "miniclusters", kubeconfig=str(broken))
    assert shown.code == 3
    assert "The credential plugin './plugin'" in shown.err
    assert "cannot reach the identity provider" in shown.err
