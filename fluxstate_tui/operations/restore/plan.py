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
from fluxstate_tui.operations.plan import Agrees, Consent, ConsentKind, Plan, Step
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


@dataclass(frozen=True, slots=True)
class Bringing:
    """An archive of this computer that goes to the volume first, by which helper pod."""

    file: str
    pod: str

    @property
    def lines(self) -> tuple[str, ...]:
        """For the plan."""
        return (
            f"{self.file} is entered into the catalogue on the volume first, by {self.pod}.",
            "What lies on the volume was not looked at yet.",
        )


def plan(
    source: Source,
    manifest: dict[str, Any],
    lines: tuple[str, ...],
    bringing: Bringing | None = None,
    accept_spec: bool = False,
) -> Plan:
    """The steps of a restore. `lines` say what becomes of the jobs, and of the MiniCluster.

    With `accept_spec` what its pods may do has to be agreed to by typing its name.
    """
    metadata = manifest["metadata"]
    ref = ClusterRef(metadata["namespace"], metadata["name"], "")
    steps = [BRING] if bringing else []
    # In this order there is no moment at which it is disarmed and a container that dies would fall
    # back to the restore: whoever is killed in between finds it armed.
    steps += [CHECK, ARM, CREATE, START, ACCOUNT, CHECKPOINT, DISARM]
    # Of one without a manifest the volume may know more.
    if source.queues_to_start or (bringing and source.entry.manifest is None):
        steps.append(QUEUE)
    size = manifest["spec"].get("size", 1)
    pods = f"{size} pod" if size == 1 else f"{size} pods"
    said = (
        f"Create {ref} with {pods} from {source.entry.id}: {describe(source.jobs)}.",
        *(bringing.lines if bringing else ()),
        *lines,
        f"It is armed at {manifest['spec']['archive']['path']} until every job is accounted for.",
    )
    question = f"Restore {ref} from {source.entry.id}?"
    consent = Consent(ConsentKind.CONFIRM, question)
    if accept_spec:
        question = f"Restore {ref} with a MiniCluster that only the archive's manifest vouches for?"
        consent = Consent(ConsentKind.TYPE_NAME, question, ref.name, 0, Agrees.SPEC)
    return Plan("restore", ref, tuple(steps), said, consent)


def blind_plan(manifest: dict[str, Any], wanted: str, pod: str, lines: tuple[str, ...]) -> Plan:
    """Of a dry run that cannot look at the archives; `pod` is what would have to be started."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    ref = ClusterRef(metadata["namespace"], metadata["name"], "")
    what = wanted or "the newest verified archive"
    size = spec.get("size", 1)
    said = (
        f"Create {ref} with {size} pod{'' if size == 1 else 's'} from {what}.",
        "The archives were not looked at: nothing that runs has their volume,",
        "and a dry run starts nothing. So nothing is known of their jobs.",
        f"To read them, a restore asks first, and then starts {pod}.",
        *lines,
        f"It is armed at {spec['archive']['path']} until every job is accounted for.",
    )
    steps = (CHECK, ARM, CREATE, START, ACCOUNT, CHECKPOINT, DISARM, QUEUE)
    return Plan("restore", ref, steps, said, Consent(ConsentKind.CONFIRM, f"Restore {ref}?"))
