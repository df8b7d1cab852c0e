"""What a restore is going to do: a pure function of the archive, the manifest and the choices."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.archive.manifest import CatalogueEntry
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.kube.manifest import refuse_broken
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue.place import no_place
from fluxstate_tui.operations.plan import Consent, ConsentKind, Plan, Step
from fluxstate_tui.operations.world.observation import describe

BRING = Step("bring", "Bring the archive to the volume", "fluxstate-tui archives put NAME FILE")
CHECK = Step("check", "Check manifest and names", "kubectl create --dry-run=server -f MANIFEST")
ARM = Step("arm", "Arm the archive", "cp FOLDER/ID.tar.gz ARCHIVE_PATH && sha256sum ARCHIVE_PATH")
CREATE = Step("create", "Create the MiniCluster", "kubectl create -f MANIFEST")
START = Step("start", "Wait for the broker", "flux uptime")
ACCOUNT = Step("account", "Account for every job", "flux jobs -a -c0 --json")
DISARM = Step("disarm", "Disarm", "rm ARCHIVE_PATH")
CHECKPOINT = Step("checkpoint", "Make a KVS checkpoint", "flux kvs put --sync KEY=VALUE")
QUEUE = Step("queue", "Put the queue back as it was saved", "flux queue start NAME...")

# A fact of the journal: the named queues that its last step starts.
TO_START = "to start"

# An annotation of the MiniCluster: the archive that its queue came from.
RESTORED_FROM = "fluxstate/restored-from"


@dataclass(frozen=True, slots=True)
class Source:
    """The archive to restore, as it was read out of the volume."""

    entry: CatalogueEntry
    archive: Archive

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Its jobs."""
        return tuple(archived.job for archived in self.archive.jobs)

    @property
    def queues_to_start(self) -> tuple[str, ...]:
        """Named queues that were started when it was saved: they come up stopped (facts a)."""
        manifest = self.entry.manifest
        if manifest is None or manifest.extra.get("restore") == "paused":
            return ()
        try:
            names = json.loads(manifest.extra.get("queues_started", "[]"))
        except ValueError:
            return ()
        return tuple(str(name) for name in names if name)


def choose(entries: tuple[CatalogueEntry, ...], wanted: str) -> CatalogueEntry:
    """The entry by id or path; without a wish the newest one that is verified.

    Raises FluxstateError when there is none.
    """
    if wanted:
        for entry in entries:
            if wanted in (entry.id, entry.path):
                return entry
        known = ", ".join(entry.id for entry in entries[:5]) or "none"
        raise FluxstateError(
            f"there is no archive {wanted!r} on the volume",
            safe="Nothing was done.",
            advice=f"The newest are: {known}.",
            exit_code=ExitCode.NOT_FOUND,
        )
    verified = [entry for entry in entries if entry.manifest is not None and not entry.problem]
    if not verified:
        raise FluxstateError(
            "the catalogue has no verified archive",
            safe="Nothing was done.",
            advice="Name a file with --archive PATH, if there is one.",
            exit_code=ExitCode.NOT_FOUND,
        )
    return max(verified, key=lambda entry: entry.manifest.created if entry.manifest else 0.0)


def require_sound(source: Source) -> None:
    """Raise FluxstateError (exit 6) when the archive must not be given to a broker.

    A truncated one lets the lead end as Completed; an empty one starts an empty queue; neither
    says so (facts/kubernetes-live.md).
    """
    archive, entry = source.archive, source.entry
    problem = ""
    if archive.findings:
        problem = str(archive.findings[0])
    elif archive.size == 0:
        problem = "it has 0 bytes: a restore would silently start with an empty queue"
    elif entry.manifest and all(part.sha256 != archive.sha256 for part in entry.manifest.parts):
        problem = "its sha256 is not the one of its manifest"
    if problem:
        raise FluxstateError(
            f"{entry.id} is not sound: {problem}",
            safe="Nothing was done; the file is untouched.",
            advice="Choose another version.",
            exit_code=ExitCode.VERIFICATION,
        )


def require_valid(manifest: dict[str, Any], served_version: str) -> None:
    """Raise FluxstateError (exit 5) when nothing, or an empty queue, would come out of it."""
    refuse_broken(manifest, served_version)
    problem = no_place(manifest["spec"])
    if problem:
        raise FluxstateError(
            problem,
            safe="Nothing was created.",
            advice="Correct the manifest (--file MANIFEST).",
            exit_code=ExitCode.REFUSED,
        )


def plan(
    source: Source, manifest: dict[str, Any], fates: tuple[str, ...], brought: str = ""
) -> Plan:
    """The steps of a restore. `fates` are the lines of archive.preview.

    `brought` is the file of this computer that the archive is, '' when it is on the volume.
    """
    metadata = manifest["metadata"]
    ref = ClusterRef(metadata["namespace"], metadata["name"], "")
    steps = [BRING] if brought else []
    # In this order there is no moment at which it is disarmed and a container that dies would fall
    # back to the restore: whoever is killed in between finds it armed.
    steps += [CHECK, ARM, CREATE, START, ACCOUNT, CHECKPOINT, DISARM]
    if source.queues_to_start:
        steps.append(QUEUE)
    size = manifest["spec"].get("size", 1)
    pods = f"{size} pod" if size == 1 else f"{size} pods"
    lines = [
        f"Create {ref} with {pods} from {source.entry.id}: {describe(source.jobs)}.",
        f"{brought} is entered into the catalogue on the volume first." if brought else "",
        *fates,
        f"It is armed at {manifest['spec']['archive']['path']} until every job is accounted for.",
    ]
    question = f"Restore {ref} from {source.entry.id}?"
    consent = Consent(ConsentKind.CONFIRM, question)
    return Plan("restore", ref, tuple(steps), tuple(filter(None, lines)), consent)
