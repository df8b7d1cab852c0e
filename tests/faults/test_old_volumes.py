"""A PersistentVolume of an earlier life stays in the way of a restore (v1alpha1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.operations.base import Choices, OperationKind, OutcomeKind
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.sim.api.deletion import delete
from fluxstate_tui.sim.api.kinds import PVCS, PVS
from tests.faults.at_step import when_done
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage, agreed, staged


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path, flavour="v1alpha1") as stage:
        await stage.create()
        await stage.submit("--urgency=hold", "true")
        outcome = await stage.do("delete", Choices(save_first=True), NAME)
        assert outcome.kind is OutcomeKind.COMPLETED, outcome
        store = stage.sim.state.store
        claim = store.get(PVCS, NAMESPACE, "data-claim")
        assert claim is not None
        delete(store, PVCS, claim, {})
        while store.get(PVS, "", "data") is not None:
            await stage.sim.clock.sleep(0.5)
        yield stage


def leave(stage: Stage, phase: str, policy: str = "Retain", claim: str = "data-claim") -> None:
    store = stage.sim.state.store
    body = {
        "metadata": {"name": "data"},
        "spec": {
            "capacity": {"storage": "5Gi"},
            "accessModes": ["ReadWriteMany"],
            "hostPath": {"path": "/data"},
            "storageClassName": "hostpath",
            "persistentVolumeReclaimPolicy": policy,
            "claimRef": {"namespace": NAMESPACE, "name": claim, "uid": "earlier"},
        },
    }
    store.create(PVS, body)
    store.modify(PVS, "", "data", lambda draft: draft["status"].update(phase=phase))


def remove(stage: Stage) -> None:
    stage.sim.state.store.remove(PVS, "", "data")


@pytest.mark.parametrize(
    ("phase", "policy", "claim", "mends"),
    [
        ("Failed", "Delete", "data-claim", "kubectl delete pv data (the files in /data stay)"),
        ("Released", "Retain", "data-claim", "kubectl delete pv data (the files in /data stay)"),
        ("Bound", "Delete", "of-another", "another name in spec.volumes"),
    ],
)
async def test_it_is_said_before_anything_is_created_with_what_mends_it(
    old: Stage, phase: str, policy: str, claim: str, mends: str
) -> None:
    leave(old, phase, policy, claim)
    with pytest.raises(FluxstateError) as refused:
        await prepare(OperationKind.RESTORE, old.context, ANY, agreed())
    assert refused.value.exit_code is ExitCode.REFUSED
    assert f"PersistentVolume data is {phase}" in refused.value.message
    assert mends in refused.value.advice
    assert await old.context.cluster.list(PODS, NAMESPACE) == []
    remove(old)
    await old.well("restore")


async def test_one_that_fails_after_the_plan_ends_it_before_anything_is_armed(old: Stage) -> None:
    operation = await prepare(OperationKind.RESTORE, old.context, ANY, agreed())
    leave(old, "Failed", "Delete")
    outcome = await operation.run(old.seen.append)
    assert outcome.exit_code is ExitCode.REFUSED, outcome
    assert "PersistentVolume data is Failed" in outcome.reason
    assert not old.armed()


async def test_one_that_is_going_is_waited_for(old: Stage) -> None:
    leave(old, "Released", "Delete")
    operation = await prepare(OperationKind.RESTORE, old.context, ANY, agreed())
    assert any("is waited for" in line for line in operation.plan.preview)

    gone = False

    def told(text: str) -> None:
        nonlocal gone
        if not gone and "PersistentVolume data" in text:
            gone = True
            remove(old)

    outcome = await operation.run(lambda event: told(event.read_back))
    assert outcome.kind is OutcomeKind.COMPLETED, outcome


async def test_a_roll_back_that_sees_a_new_volume_says_that_it_could_not_look(stage: Stage) -> None:
    """The armed file is where it was armed; the new one's pods have another volume."""
    await stage.submit("--urgency=hold", "true")
    await stage.well("delete", Choices(save_first=True))
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    kept: dict[str, bytes] = {}

    async def then(step: str) -> None:
        if step == "create":  # as if the volume was another one from now on
            for name in stage.files():
                kept[name] = stage.volume.read(f"/fluxstate/{name}")
                stage.volume.unlink(f"/fluxstate/{name}")
            stage.volume.unlink("/archive.tar.gz")

    outcome = await when_done(operation, then)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert outcome.exit_code is ExitCode.VERIFICATION
    assert "nothing lies" not in outcome.reason
    assert "NOT put back: the archive is disarmed" in outcome.reason
    assert "where it was armed" in outcome.advice
    assert "hostPath /data at /state" in outcome.advice
