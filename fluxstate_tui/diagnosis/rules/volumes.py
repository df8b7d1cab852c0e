"""Claims that are not bound, and volumes that cannot be mounted."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fluxstate_tui.diagnosis.evidence import Evidence, quote_event
from fluxstate_tui.diagnosis.finding import Quote, Severity, Source, Told
from fluxstate_tui.diagnosis.rule import rule
from fluxstate_tui.minicluster.phase import VOLUME_EVENTS

_NO_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_KEY = re.compile(r"non-existent config key: (\S+)")
_MISSING = re.compile(r'(configmap|secret) "([^"]+)" not found')


@rule("FS210", "claim-missing", Severity.ERROR, Source.PODS)
def claim_missing(evidence: Evidence) -> Iterator[Told]:
    """Told by the scheduler."""
    said = {pod.unschedulable: pod for pod in evidence.pods if pod.unschedulable}
    for message, pod in said.items():
        found = _NO_CLAIM.search(message)
        if found:
            yield Told(
                f"Its volume claim {found[1]} is not there.",
                (Quote(message, Source.PODS, pod.name),),
                f"Create the PersistentVolumeClaim {found[1]} in {pod.namespace}.",
                line=f"kubectl -n {pod.namespace} get pvc",
            )


@rule("FS211", "claim-pending", Severity.ERROR, Source.CLAIMS)
def claim_pending(evidence: Evidence) -> Iterator[Told]:
    """With the class that does not fit, where that is the cause."""
    for claim in evidence.claims or ():
        told = evidence.told("FailedBinding", "ProvisioningFailed", uid=claim.uid)
        if claim.phase != "Pending" or not (told or _unbound(evidence)):
            continue
        message = told[0].message if told else ""
        cause, fix = f"The claim {claim.name} is bound to no volume.", "Look at its events."
        if "no storage class is set" in message:
            cause = (
                f"The claim {claim.name} names no storage class, and no volume without one fits."
            )
            fix = "Set storageClassName to that of the volume (in the tutorial: manual)."
        elif "storageclass" in message and "not found" in message:
            cause = (
                f"The storage class {claim.storage_class} of the claim {claim.name} is not there."
            )
            fix = "Make a volume of that class with room enough, or name a class that is there."
        quotes = tuple(quote_event(event) for event in told[:1])
        yield Told(
            cause,
            quotes or (Quote("Pending", Source.CLAIMS, claim.name),),
            fix,
            line=f"kubectl -n {evidence.minicluster.ref.namespace} describe pvc {claim.name}",
        )


def _unbound(evidence: Evidence) -> bool:
    return any("unbound immediate" in pod.unschedulable for pod in evidence.pods)


@rule("FS212", "claim-lost", Severity.ERROR, Source.CLAIMS)
def claim_lost(evidence: Evidence) -> Iterator[Told]:
    """Its volume was deleted under it."""
    for claim in evidence.claims or ():
        if claim.phase == "Lost":
            told = evidence.told("ClaimLost", uid=claim.uid)
            yield Told(
                f"The claim {claim.name} has lost its volume: what lay on it is out of reach.",
                tuple(map(quote_event, told[:1])) or (Quote("Lost", Source.CLAIMS, claim.name),),
                "If the data is still there, make the PersistentVolume again under its old name.",
            )


@rule("FS220", "mount-failed", Severity.ERROR, Source.PODS, Source.EVENTS)
def mount_failed(evidence: Evidence) -> Iterator[Told]:
    """Events only tell of it; a pod that goes loses its ConfigMap first, which is no fault."""
    if evidence.minicluster.deleting_since is not None:
        return
    seen: set[str] = set()
    for pod in evidence.pods:
        told = evidence.told(*VOLUME_EVENTS, uid=pod.uid)
        stuck = pod.phase == "Pending" and pod.deleting_since is None
        if not told or not stuck or told[0].message in seen:
            continue
        seen.add(told[0].message)
        cause, fix = _why(told[0].message)
        yield Told(cause, (quote_event(told[0]),), fix)


def _why(message: str) -> tuple[str, str]:
    key, missing = _KEY.search(message), _MISSING.search(message)
    if key:
        return f"The ConfigMap has no key {key[1]}.", "Add that key, or correct items."
    if missing:
        kind = "ConfigMap" if missing[1] == "configmap" else "Secret"
        return f"The {kind} {missing[2]} is not there.", f"Create the {kind} {missing[2]}."
    if "hostPath type check failed" in message:
        return (
            "The folder of a hostPath volume is not there on the node.",
            "Make the folder on every node that may get a pod.",
        )
    return "A volume cannot be mounted.", "See what the message names."
