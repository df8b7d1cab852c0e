"""The MiniCluster in a manifest on the volume is never created on its own word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.operations.base import Agrees, Choices, ConsentKind, OperationKind, OutcomeKind
from fluxstate_tui.operations.registry import prepare
from tests.faults.stage import ANY, NAME, Stage, agreed
from tests.security.conftest import Attacker, node_root
from tests.unit.cli_operate.conftest import Program


async def created(stage: Stage) -> dict[str, Any]:
    spec = (await read_minicluster(stage.context, ANY)).raw["spec"]
    assert isinstance(spec, dict)
    return spec


async def none_is_there(stage: Stage) -> bool:
    resource = await stage.context.cluster.minicluster_resource()
    return not await stage.context.cluster.list(resource, "default")


async def test_a_job_that_forges_its_manifest_does_not_become_root_on_the_node(
    stage: Stage, attacker: Attacker
) -> None:
    await stage.well("save")
    before = await created(stage)
    await stage.well("delete", Choices(save_first=True))
    attacker.forge(node_root)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    text = "\n".join(operation.plan.preview)
    assert "is not used" in text
    assert "privileged: containers[0].securityContext.privileged = true (known: not set)" in text
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert await created(stage) == before


async def test_what_was_seen_here_when_it_was_saved_is_restored_as_it_was_then(
    stage: Stage,
) -> None:
    await stage.well("save")
    (older,) = [name for name in stage.finished() if name.endswith(".json")]
    await stage.well("migrate", Choices(size=3))
    await stage.well("delete", Choices(save_first=True))
    await stage.well("restore", Choices(archive=older.removesuffix(".json")))
    assert (await created(stage))["size"] == 2


async def test_with_nothing_else_known_all_that_gives_rights_is_shown_and_the_name_is_typed(
    stage: Stage, fetched: Path, tmp_path: Path
) -> None:
    stranger = _with_state(stage, tmp_path / "nothing-seen")
    operation = await prepare(
        OperationKind.RESTORE, stranger.context, ANY, Choices(from_file=fetched)
    )
    consent = operation.plan.consent
    assert (consent.kind, consent.word, consent.agrees) == (
        ConsentKind.TYPE_NAME,
        NAME,
        Agrees.SPEC,
    )
    text = "\n".join(operation.plan.preview)
    for line in (
        "privileged: containers[0].securityContext.privileged = true",
        'directories of the node: containers[0].volumes.host.hostPath = "/"',
        'commands: containers[0].commands.pre = "true"',
        "images: containers[0].image",
    ):
        assert line in text
    refused = await operation.run(stage.seen.append, "yes")
    assert refused.exit_code == ExitCode.REFUSED
    assert await none_is_there(stage)


async def test_without_a_terminal_it_needs_a_flag_that_names_it(
    program: Program, fetched: Path
) -> None:
    words = ("restore", NAME, "--from", str(fetched), "--yes")
    refused = await program(*words)
    assert refused.code == ExitCode.REFUSED
    assert f"--accept-spec {NAME}" in refused.err
    other = await program(*words, "--accept-spec", "another")
    assert other.code == ExitCode.REFUSED
    loss = await program(*words[:2], "--from", str(fetched), "--accept-spec", "")
    assert loss.code == ExitCode.REFUSED
    assert await none_is_there(program.stage)
    dry = await program(*words, "--dry-run", "--json")
    assert json.loads(dry.out)["plan"]["consent"]["agrees"] == "spec"
    done = await program(*words, "--accept-spec", NAME, "--timeout", "20")
    assert done.code == ExitCode.OK, done.err
    assert (await created(program.stage))["containers"][0]["securityContext"] == {
        "privileged": True
    }


async def test_another_one_than_the_known_one_is_used_only_when_asked_for_and_typed(
    stage: Stage, attacker: Attacker
) -> None:
    await stage.well("delete", Choices(save_first=True))
    attacker.forge(lambda raw: raw["spec"]["containers"][0].update(image="evil:1"))
    choices = agreed(Choices(accept_spec=True))
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, choices)
    assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
    assert 'images: containers[0].image = "evil:1" (known: "rockylinux:9")' in "\n".join(
        operation.plan.preview
    )
    await operation.close()


async def test_verify_says_what_the_minicluster_of_a_manifest_asks_for(
    program: Program, fetched: Path, attacker: Attacker
) -> None:
    here = await program("archives", "verify", "--folder", str(fetched.parent))
    assert "never seen from here" in here.out
    assert "privileged: containers[0].securityContext.privileged = true" in here.out
    attacker.forge(node_root)
    there = await program("archives", "verify", NAME, "--yes", "--json")
    assert there.code == ExitCode.NOT_FOUND, "another state directory has never seen it"


@pytest.mark.parametrize("depth", [100, 100_000])
async def test_a_minicluster_that_is_too_deep_is_none(
    stage: Stage, attacker: Attacker, depth: int
) -> None:
    from dataclasses import replace

    from fluxstate_tui.archive.manifest import from_bytes, to_bytes
    from tests.faults.stage import FOLDER

    await stage.well("delete", Choices(save_first=True))
    (name,) = [name for name in stage.finished() if name.endswith(".json")]
    manifest = from_bytes(stage.volume.read(f"{FOLDER}/{name}"))
    deep = '{"metadata":{},"spec":{"a":' + "[" * depth + "]" * depth + "}}"
    extra = {**manifest.extra, "minicluster": deep}
    stage.volume.write(f"{FOLDER}/{name}", to_bytes(replace(manifest, extra=extra)))
    await stage.well("restore")


def _with_state(stage: Stage, folder: Path) -> Stage:
    from dataclasses import replace

    return Stage(stage.sim, replace(stage.context, state_dir=folder))
