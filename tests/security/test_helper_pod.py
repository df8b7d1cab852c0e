"""A helper pod is built by us alone, and nothing is started before somebody agreed to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxstate_tui.broker import manifest_cache
from fluxstate_tui.catalog.helper_pod import HelperPod, HelperPodNeededError, Identity, pod_for
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.errors import NotAdmitted
from fluxstate_tui.operations.base import Choices, OperationKind, OutcomeKind
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.sim.worlds.manifests import minicluster
from tests.faults.stage import ANY, FOLDER, NAME, NAMESPACE, Stage, agreed
from tests.security.conftest import node_root
from tests.unit.cli_operate.conftest import Program

READS = ("GET", "HEAD")
ASKS = "selfsubject"


@pytest.fixture
def changes(stage: Stage) -> list[str]:
    """Every request that could change something, from now on."""
    seen: list[str] = []

    async def note(method: str, path: str) -> None:
        if method not in (*READS, "STDIN") and ASKS not in path:
            seen.append(f"{method} {path}")

    stage.sim.faults.gate = note
    return seen


async def test_a_dry_run_from_a_file_starts_nothing(
    program: Program, fetched: Path, changes: list[str]
) -> None:
    done = await program("restore", NAME, "--from", str(fetched), "--dry-run")
    assert done.code == ExitCode.OK, done.err
    assert changes == []
    assert "What lies on the volume was not looked at yet." in done.out


async def test_a_dry_run_of_a_restore_starts_nothing_and_says_what_it_did_not_look_at(
    stage: Stage, fetched: Path, changes: list[str]
) -> None:
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, Choices(dry_run=True))
    assert changes == []
    assert "The archives were not looked at" in "\n".join(operation.plan.preview)
    outcome = await operation.run(stage.seen.append)
    assert outcome.exit_code == ExitCode.REFUSED
    assert not [change for change in changes if "/pods" in change or "/miniclusters" in change]


async def test_a_dry_run_looks_through_a_minicluster_that_has_the_same_volume(
    stage: Stage, fetched: Path, changes: list[str]
) -> None:
    resource = await stage.context.cluster.minicluster_resource()
    seen = manifest_cache.recall(
        stage.context.state_dir, stage.context.cluster.server, NAMESPACE, NAME
    )
    assert seen is not None
    body = {**seen, "metadata": {"name": "beside", "namespace": NAMESPACE}}
    body["spec"] = {**body["spec"], "network": {"headlessName": "beside"}}
    await stage.context.cluster.create(resource, body, NAMESPACE)
    await stage.up(type(ANY)(NAMESPACE, "beside", ""))
    changes.clear()
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, Choices(dry_run=True))
    assert changes == []
    text = "\n".join(operation.plan.preview)
    assert "looked at through" in text
    assert "1 job" in text


async def test_a_restore_asks_before_it_starts_a_helper_pod(
    stage: Stage, fetched: Path, changes: list[str]
) -> None:
    with pytest.raises(HelperPodNeededError) as caught:
        await prepare(OperationKind.RESTORE, stage.context, ANY)
    assert changes == []
    assert "image rockylinux:9, directory /data of its node, as user 65534" in caught.value.pod


@pytest.mark.parametrize(
    "words",
    [
        ("restore", NAME),
        ("archives", "list", NAME),
        ("archives", "verify", NAME),
        ("archives", "fetch", NAME, "x"),
        ("get", "archives", NAME),
        ("archives", "prune", NAME, "--keep-last", "1", "--dry-run"),
    ],
)
async def test_without_a_terminal_nothing_is_started_unless_yes_is_said(
    program: Program, words: tuple[str, ...]
) -> None:
    assert (await program("delete", NAME, "--save", "--yes")).code == ExitCode.OK
    changes: list[str] = []

    async def note(method: str, path: str) -> None:
        if method == "POST" and "/pods" in path:
            changes.append(path)

    program.stage.sim.faults.gate = note
    refused = await program(*words)
    assert refused.code == ExitCode.REFUSED, refused.err
    assert "a pod in default with image rockylinux:9" in refused.err
    assert changes == []


async def test_with_yes_the_archives_are_read_and_the_pod_is_gone_after(
    program: Program,
) -> None:
    assert (await program("delete", NAME, "--save", "--yes")).code == ExitCode.OK
    listed = await program("archives", "list", NAME, "--yes")
    assert listed.code == ExitCode.OK, listed.err
    assert NAME in listed.out


def test_whatever_the_spec_says_the_pod_has_no_rights() -> None:
    raw = minicluster("a", 2)
    raw["metadata"]["namespace"] = "default"
    node_root(raw)
    raw["spec"]["pod"] = {
        "hostPID": True,
        "serviceAccountName": "admin",
        "automountServiceAccountToken": True,
    }
    raw["spec"]["containers"][0]["secrets"] = {"TOKEN": {"name": "s", "key": "k"}}
    raw["spec"]["containers"][0]["environment"] = {"LD_PRELOAD": "/state/evil.so"}
    spec = pod_for(raw, "token")["spec"]
    (container,) = spec["containers"]
    (volume,) = spec["volumes"]
    assert volume["hostPath"]["path"] == "/data"
    assert spec["automountServiceAccountToken"] is False
    assert not spec.keys() & {"hostPID", "hostIPC", "hostNetwork", "serviceAccountName"}
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "runAsGroup": 65534,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container.keys() == {"name", "image", "command", "volumeMounts", "securityContext"}


def test_its_image_is_the_configured_one_and_then_no_secret_goes_with_it() -> None:
    raw = minicluster("a", 2)
    raw["metadata"]["namespace"] = "default"
    raw["spec"]["containers"][0]["imagePullSecret"] = "mine"
    assert pod_for(raw, "token")["spec"]["imagePullSecrets"] == [{"name": "mine"}]
    spec = pod_for(raw, "token", image="busybox:1")["spec"]
    assert spec["containers"][0]["image"] == "busybox:1"
    assert "imagePullSecrets" not in spec


async def test_it_runs_as_nobody_while_it_only_reads_and_as_the_owner_where_it_must_write(
    stage: Stage, fetched: Path
) -> None:
    seen = manifest_cache.recall(
        stage.context.state_dir, stage.context.cluster.server, NAMESPACE, NAME
    )
    assert seen is not None
    stage.volume.chmod(FOLDER, 0o755)
    reader = await HelperPod.start(stage.context, seen, writes=False)
    assert reader.identity == Identity(65534, 65534)
    await reader.remove()
    writer = await HelperPod.start(stage.context, seen)
    assert writer.identity == Identity(0, 0)
    assert writer.body["spec"]["securityContext"]["runAsNonRoot"] is False
    assert writer.body["spec"]["containers"][0]["securityContext"]["capabilities"] == {
        "drop": ["ALL"]
    }
    await writer.remove()


async def test_where_a_policy_refuses_it_the_words_of_the_server_are_told(
    stage: Stage, fetched: Path
) -> None:
    said = (
        'pods "fluxstate-files-1" is forbidden: violates PodSecurity "restricted:latest": hostPath'
    )
    stage.sim.faults.add("status", method="POST", path="/pods", code=403, count=-1, message=said)
    with pytest.raises(NotAdmitted) as caught:
        await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    assert "hostPath" in caught.value.message
    assert "Role" not in caught.value.advice
    assert caught.value.exit_code is ExitCode.REFUSED


async def test_from_a_file_the_pod_comes_with_the_consent_to_the_plan(
    stage: Stage, fetched: Path, changes: list[str]
) -> None:
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, Choices(from_file=fetched))
    assert changes == []
    assert "by a pod in default with image rockylinux:9" in "\n".join(operation.plan.preview)
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome


async def test_an_error_is_no_question(stage: Stage) -> None:
    with pytest.raises(FluxstateError) as caught:
        await prepare(OperationKind.RESTORE, stage.context, type(ANY)(NAMESPACE, "nosuch", ""))
    assert caught.value.exit_code is ExitCode.NOT_FOUND
