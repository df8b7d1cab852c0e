"""Between operators a manifest is believed by its signature, and by nothing else."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.archive.manifest import (
    CatalogEntry,
    Manifest,
    Signature,
    from_bytes,
    to_bytes,
)
from fluxstate_tui.archive.signature import SigningKey, check, signed
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.broker.signing_keys import MOST_KEYS, SigningKeys
from fluxstate_tui.catalog.catalog import read_catalog
from fluxstate_tui.catalog.folder import LocalFolder
from fluxstate_tui.catalog.signed import read_signed
from fluxstate_tui.config import SIGNING_SECRET
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import SECRETS
from fluxstate_tui.operations.base import (
    Agrees,
    Choices,
    Consent,
    ConsentKind,
    OperationKind,
    OutcomeKind,
)
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.sim.api.auth import Rule, User
from tests.faults.stage import ANY, FOLDER, NAME, NAMESPACE, Stage, agreed
from tests.security.conftest import Attacker, node_root
from tests.unit.cli_operate.conftest import Program

SAVED = Choices(save_first=True)
ALL = ("get", "list", "watch", "create", "update", "patch", "delete")
BUT_SECRETS = ("miniclusters", "jobs", "pods", "pods/exec", "pods/log", "leases", "configmaps")
NO_SECRETS = tuple(Rule(ALL, (resource,), ("*",), (NAMESPACE,)) for resource in BUT_SECRETS)
READS_SECRETS = (*NO_SECRETS, Rule(("get",), ("secrets",), ("*",), (NAMESPACE,)))
KEY = SigningKey("20260101-000000-a", b"k" * 32)


# -- a manifest and its signature, without any cluster --------------------------------------------


def manifest() -> Manifest:
    return Manifest(
        id="20260101-000000-a", minicluster="a", namespace="n", uid="u", size=1, created=1.5,
        created_by="me\udcff", core_version="0.88", counts={"SCHED": 1}, verified="L2", idle=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "says",
    [{"namespace": "other"}, {"minicluster": "b"}, {"uid": "v"}, {"id": "20260101-000001-a"},
     {"counts": {"SCHED": 2}}, {"extra": {"minicluster": "{}"}}, {"created": 2.5}, {"idle": False}],
    ids=str,
)  # fmt: skip
def test_whatever_a_manifest_says_is_covered_by_its_signature(says: dict[str, Any]) -> None:
    good = from_bytes(to_bytes(signed(manifest(), KEY)))
    assert check(good, [KEY]) is Signature.VALID
    edited = replace(good, **says).with_signature(good.signature)
    assert check(edited, [KEY]) is Signature.WRONG


@pytest.mark.parametrize(
    "text", ["", "x", "hmac-sha256 k", f"hmac-md5 {KEY.id} {'0' * 64}", f"hmac-sha256 {KEY.id} é"]
)
def test_what_is_no_signature_is_a_wrong_one(text: str) -> None:
    assert check(manifest().with_signature(text), [KEY]) is Signature.WRONG


def test_a_newer_versions_field_is_covered_as_an_older_version_reads_it() -> None:
    newer = signed(replace(manifest(), extra={"weather": "[1, 2]"}), KEY)
    assert check(from_bytes(to_bytes(newer)), [KEY]) is Signature.VALID
    assert check(replace(newer, extra={**newer.extra, "weather": "[]"}), [KEY]) is Signature.WRONG


def test_a_key_is_shown_nowhere() -> None:
    assert "kkkk" not in repr(KEY)


def test_a_folder_of_this_computer_has_no_keys_and_a_signature_there_is_not_called_right(
    tmp_path: Path,
) -> None:
    (tmp_path / "20260101-000000-a.json").write_bytes(to_bytes(signed(manifest(), KEY)))
    (entry,) = asyncio.run(read_catalog(LocalFolder(), str(tmp_path)))
    assert entry.signature is Signature.UNKNOWN_KEY


# -- in a cluster ---------------------------------------------------------------------------------


async def secret(stage: Stage) -> dict[str, str]:
    found = await stage.context.cluster.get(SECRETS, SIGNING_SECRET, NAMESPACE)
    data = found["data"]
    assert isinstance(data, dict)
    return data


async def replace_keys(stage: Stage, keys: dict[str, str]) -> None:
    found = await stage.context.cluster.get(SECRETS, SIGNING_SECRET, NAMESPACE)
    await stage.context.cluster.replace(SECRETS, SIGNING_SECRET, {**found, "data": keys}, NAMESPACE)


def new_session(stage: Stage, state_dir: Path | None = None) -> Stage:
    """The same cluster for a program that was just started, maybe of another operator."""
    folder = state_dir or stage.context.state_dir
    return Stage(stage.sim, replace(stage.context, state_dir=folder))


def another(stage: Stage) -> Stage:
    """Another operator, whose computer saw nothing."""
    return new_session(stage, stage.context.state_dir.with_name("another-computer"))


@asynccontextmanager
async def user(stage: Stage, folder: Path, rules: tuple[Rule, ...]) -> AsyncIterator[Stage]:
    """An operator with these rights, whose computer saw nothing."""
    token = stage.sim.add_user(User("bob", (), rules))
    config = str(stage.sim.write_kubeconfig(folder / "bob", token))
    async with await Cluster.open(KubeOptions(config), stage.sim.clock) as cluster:
        context = OperationContext(cluster, stage.sim.clock, folder / "bobs", "bob@there")
        yield Stage(stage.sim, context)


def manifests(stage: Stage) -> dict[str, Manifest]:
    """By path on the volume."""
    names = [name for name in stage.finished() if name.endswith(".json")]
    return {f"{FOLDER}/{n}": from_bytes(stage.volume.read(f"{FOLDER}/{n}")) for n in names}


async def signatures(stage: Stage) -> list[Signature]:
    """As this operator sees them, oldest first."""
    return [entry.signature for entry in reversed(await entries_of(stage))]


async def entries_of(stage: Stage) -> tuple[CatalogEntry, ...]:
    """The catalog as this operator reads it."""
    with tempfile.TemporaryDirectory() as folder:
        copy(stage, Path(folder))
        return await read_signed(stage.context, NAMESPACE, LocalFolder(), folder)


def copy(stage: Stage, folder: Path) -> None:
    """As a `fetch` of all of them."""
    for name in stage.finished():
        (folder / name).write_bytes(stage.volume.read(f"{FOLDER}/{name}"))


def fetched(stage: Stage, folder: Path) -> Path:
    """What a `fetch` leaves on a computer."""
    folder.mkdir()
    copy(stage, folder)
    (archive,) = folder.glob("*.tar.gz")
    return archive


async def restoring(stage: Stage, **choices: Any) -> Operation:
    return await prepare(OperationKind.RESTORE, stage.context, ANY, agreed(Choices(**choices)))


async def test_the_first_save_makes_a_key_and_every_manifest_is_signed_with_it(
    stage: Stage,
) -> None:
    await stage.well("save")
    (key,) = await secret(stage)
    (said,) = manifests(stage).values()
    assert (said.signature or "").startswith(f"hmac-sha256 {key} ")
    assert any(f"signed with the key {key}" in event.read_back for event in stage.seen)
    assert await signatures(stage) == [Signature.OWN]
    assert await signatures(another(stage)) == [Signature.VALID]


async def test_a_dry_run_and_a_look_make_no_key(stage: Stage, program: Program) -> None:
    assert (await program("save", NAME, "--dry-run")).code == ExitCode.OK
    assert (await program("archives", "list", NAME)).code == ExitCode.OK
    with pytest.raises(NotFound):
        await secret(stage)


async def test_another_operator_restores_a_signed_archive_by_the_usual_consent(
    stage: Stage, tmp_path: Path
) -> None:
    job = await stage.submit("--urgency=hold", "true")
    before = (await read_minicluster(stage.context, ANY)).raw["spec"]
    await stage.well("delete", SAVED)
    archive = fetched(stage, tmp_path / "fetched")
    operation = await restoring(another(stage), from_file=archive)
    text = "\n".join(operation.plan.preview)
    assert operation.plan.consent.kind is ConsentKind.CONFIRM
    assert "which its signed manifest says" in text
    assert "so its signed manifest says" in text
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert (await read_minicluster(stage.context, ANY)).raw["spec"] == before
    assert job in await stage.jobs()


async def test_another_operator_restores_an_unsigned_archive_only_by_typing_the_name(
    stage: Stage, tmp_path: Path
) -> None:
    job = await stage.submit("--urgency=hold", "true")
    await stage.well("delete", SAVED)
    for path, found in manifests(stage).items():
        stage.volume.write(path, to_bytes(signed(found, None)))
    archive = fetched(stage, tmp_path / "fetched")
    other = another(stage)
    operation = await restoring(other, from_file=archive)
    consent = operation.plan.consent
    assert (consent.kind, consent.agrees) == (ConsentKind.TYPE_NAME, Agrees.SPEC)
    assert "is not signed: nobody vouches" in "\n".join(operation.plan.preview)
    assert (await operation.run(stage.seen.append, "yes")).exit_code == ExitCode.REFUSED
    operation = await restoring(other, from_file=archive)
    outcome = await operation.run(stage.seen.append, NAME)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert job in await stage.jobs()


async def test_an_edited_manifest_is_wrong_and_loud_and_what_it_says_is_used_only_by_name(
    stage: Stage, attacker: Attacker, tmp_path: Path, program: Program
) -> None:
    await stage.well("delete", SAVED)
    attacker.forge(node_root)
    assert await signatures(stage) == [Signature.WRONG]
    # Of one that was saved and seen here nothing of the manifest is used: a consent that says so.
    operation = await restoring(stage)
    assert operation.plan.consent.kind is ConsentKind.CONFIRM
    assert "WRONG" in operation.plan.consent.question
    text = "\n".join(operation.plan.preview)
    assert "DANGER: the signature of its manifest is WRONG" in text
    await operation.close()
    operation = await restoring(stage, accept_spec=True)
    assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
    assert "WRONG" in operation.plan.consent.question
    await operation.close()
    archive = fetched(stage, tmp_path / "fetched")
    words = ("restore", NAME, "--from", str(archive), "--yes")
    refused = await program(*words)
    assert refused.code == ExitCode.REFUSED
    assert f"--accept-spec {NAME}" in refused.err
    assert "WRONG" in refused.out + refused.err


async def test_a_delete_relies_on_no_archive_with_a_forged_manifest(
    stage: Stage, attacker: Attacker
) -> None:
    await stage.submit("true")
    await stage.well("save")
    assert (await consent_to_delete(stage)).kind is ConsentKind.CONFIRM
    attacker.forge(node_root)
    consent = await consent_to_delete(stage)
    assert (consent.kind, consent.agrees) == (ConsentKind.TYPE_NAME, Agrees.LOSS)


async def consent_to_delete(stage: Stage) -> Consent:
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref(), agreed())
    await operation.close()
    return operation.plan.consent


async def test_a_planted_manifest_makes_no_archive_anybodys(stage: Stage, tmp_path: Path) -> None:
    await stage.submit("true")
    await stage.well("delete", SAVED)
    for path, found in manifests(stage).items():
        stage.volume.write(path, to_bytes(replace(found, uid="")))
    other = another(stage)
    (one,) = manifests(stage).values()
    with pytest.raises(FluxstateError, match="no verified archive"):
        await restoring(other, manifest=one.saved_object)
    operation = await restoring(other, manifest=one.saved_object, archive=one.id)
    text = "\n".join(operation.plan.preview)
    assert "DANGER: it is not known to be" in text
    assert "of nobody knows whom" in text
    assert "WRONG" in operation.plan.consent.question
    await operation.close()


async def test_a_signature_of_another_minicluster_does_not_vouch_for_this_one(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.well("delete", SAVED)
    archive = fetched(stage, tmp_path / "fetched")
    ref = replace(ANY, name="another")
    operation = await prepare(
        OperationKind.RESTORE, another(stage).context, ref, Choices(from_file=archive)
    )
    assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
    await operation.close()


async def test_a_signed_manifest_beside_another_archive_is_not_restored(stage: Stage) -> None:
    """Replayed: the signature holds for the archive whose checksum it names."""
    await stage.submit("true")
    await stage.well("save")
    (first,) = manifests(stage)
    await stage.submit("true")
    await stage.well("delete", SAVED)
    (second,) = set(manifests(stage)) - {first}
    data = stage.volume.read(second.replace(".json", ".tar.gz"))
    stage.volume.write(first.replace(".json", ".tar.gz"), data)
    identity = manifests(stage)[first].id
    with pytest.raises(FluxstateError, match=r"bytes|sha256|not sound"):
        await restoring(stage, archive=identity)
    stage.volume.write(second, stage.volume.read(first))
    entries = [entry for entry in await entries_of(stage) if entry.path.endswith(_name(second))]
    assert [entry.problem for entry in entries] == [f"its manifest is that of {identity}"]


async def test_one_that_was_signed_with_another_key_is_by_an_unknown_key(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.well("delete", SAVED)
    for path, found in manifests(stage).items():
        stage.volume.write(path, to_bytes(signed(found, KEY)))
    assert await signatures(stage) == [Signature.UNKNOWN_KEY]
    archive = fetched(stage, tmp_path / "fetched")
    operation = await restoring(another(stage), from_file=archive)
    assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
    assert "a key that is not known here" in "\n".join(operation.plan.preview)
    await operation.close()
    (key,) = await secret(stage)
    forged = SigningKey(key, b"f" * 32)  # under the right name
    for path, found in manifests(stage).items():
        stage.volume.write(path, to_bytes(signed(found, forged)))
    assert await signatures(stage) == [Signature.WRONG]


async def test_of_several_keys_the_newest_signs_and_all_verify(stage: Stage) -> None:
    await stage.well("save")
    first = await secret(stage)
    newer = base64.b64encode(b"n" * 32).decode()
    broken = {"a-short": base64.b64encode(b"short").decode(), "b-empty": ""}
    await replace_keys(stage, {**first, **broken, "99990101-000000-new": newer})
    later = new_session(stage)
    await later.submit("true")
    await later.well("save")
    newest = max(manifests(stage).values(), key=lambda one: one.id)
    assert (newest.signature or "").startswith("hmac-sha256 99990101-000000-new ")
    assert await signatures(later) == [Signature.OWN, Signature.OWN]
    await replace_keys(stage, {"99990101-000000-new": newer})
    assert await signatures(new_session(stage)) == [Signature.UNKNOWN_KEY, Signature.OWN]
    many = {f"0000-{at}": newer for at in range(2 * MOST_KEYS)}
    await replace_keys(stage, {**many, "99990101-000000-new": newer})
    assert await signatures(new_session(stage)) == [Signature.UNKNOWN_KEY, Signature.OWN]


async def test_who_may_not_read_the_secret_saves_unsigned_and_hears_it_once(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.well("save")
    async with user(stage, tmp_path, NO_SECRETS) as bob:
        assert await signatures(bob) == [Signature.UNKNOWN_KEY]
        await bob.submit("true")
        await bob.well("save")
        await bob.submit("true")
        await bob.well("save")
        said = [event.read_back for event in bob.seen if "not signed" in event.read_back]
        assert {text.count("not signed") for text in said} == {1}
        assert len(set(said)) == 1
        assert "cannot be read" in said[0]
    assert await signatures(stage) == [Signature.OWN, Signature.UNSIGNED, Signature.UNSIGNED]


async def test_who_may_not_make_the_secret_saves_unsigned_until_somebody_makes_it(
    stage: Stage, tmp_path: Path
) -> None:
    async with user(stage, tmp_path, READS_SECRETS) as bob:
        await bob.well("save")
        assert any("it cannot be made" in event.read_back for event in bob.seen)
        await stage.submit("true")
        await stage.well("save")
        assert await signatures(stage) == [Signature.UNSIGNED, Signature.OWN]


async def test_the_secret_is_read_once_and_a_refusal_is_asked_again_only_much_later(
    stage: Stage, tmp_path: Path
) -> None:
    counting = Counting(stage.context.cluster)
    keys = SigningKeys(counting, stage.context.clock, SIGNING_SECRET)  # type: ignore[arg-type]
    assert (await keys.to_sign(NAMESPACE)).newest is not None
    reads = counting.reads
    for _ in range(5):
        assert (await keys.to_verify(NAMESPACE)).keys
        assert (await keys.to_sign(NAMESPACE)).keys
    assert counting.reads == reads
    async with user(stage, tmp_path, NO_SECRETS) as bob:
        refused = Counting(bob.context.cluster)
        keys = SigningKeys(refused, stage.context.clock, SIGNING_SECRET)  # type: ignore[arg-type]
        begin = stage.context.clock.now()
        while stage.context.clock.now() < begin + 2 * 60:
            assert not (await keys.to_verify(NAMESPACE)).keys
            await stage.context.clock.sleep(5)
        assert refused.reads <= 3


async def test_the_lists_say_what_each_signature_is_worth(
    stage: Stage, program: Program, attacker: Attacker
) -> None:
    await stage.well("save")
    listed = (await program("archives", "list", NAME, "--json")).json["archives"]
    assert [one["signature"] for one in listed] == ["valid"]
    assert "   valid" in (await program("archives", "list", NAME)).out
    attacker.forge(node_root)
    listed = (await program("archives", "list", NAME, "--json")).json["archives"]
    assert [one["signature"] for one in listed] == ["wrong"]
    shown = (await program("archives", "list", NAME)).out
    assert "WRONG" in shown
    assert "changed after it was signed" in shown
    verified = await program("archives", "verify", NAME)
    assert verified.code == ExitCode.VERIFICATION
    assert "DANGER: the signature of its manifest is WRONG" in verified.out


async def test_a_manifest_holds_what_a_restore_needs_and_nothing_twice(stage: Stage) -> None:
    await stage.well("save")
    (found,) = manifests(stage).values()
    raw = json.loads(found.extra["minicluster"])
    assert raw["spec"] == (await read_minicluster(stage.context, ANY)).raw["spec"]
    assert "status" not in raw
    assert "managedFields" not in raw["metadata"]


class Counting:
    """A cluster whose reads of Secrets are counted."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.reads = 0

    async def get(self, *words: Any) -> Any:
        self.reads += 1
        return await self._cluster.get(*words)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)


def _name(path: str) -> str:
    return path.removeprefix(f"{FOLDER}/").replace(".json", ".tar.gz")
