"""From the manifest to the Job's pods: what was refused, and what does not go away."""

from __future__ import annotations

from collections.abc import Iterator

from fluxstate_tui.diagnosis.evidence import Evidence, quote_event
from fluxstate_tui.diagnosis.finding import Quote, Severity, Source, Told
from fluxstate_tui.diagnosis.rule import rule
from fluxstate_tui.minicluster.objects import as_map, as_whole
from fluxstate_tui.minicluster.phase import LINGER_SECONDS, REACTION_SECONDS
from fluxstate_tui.minicluster.spec_check import SpecProblem, check_spec

# One change in half a minute for as long as it is there is no user's doing.
_RESTLESS_CHANGES = 10
_RESTLESS_PERIOD = 30.0


def _of_spec(problem: SpecProblem) -> Told:
    quote = Quote(problem.path, Source.OBJECT)
    return Told(f"{problem.message} So {problem.effect.value}.", (quote,), problem.fix)


@rule("FS001", "spec-refused", Severity.ERROR, Source.JOB)
def spec_refused(evidence: Evidence) -> Iterator[Told]:
    """Only of what has no pods: a running one shows that its spec was taken."""
    if evidence.pods or evidence.minicluster.deleting_since is not None:
        return
    for problem in check_spec(evidence.minicluster.raw):
        if problem.fatal:
            yield _of_spec(problem)


@rule("FS002", "spec-surprise", Severity.NOTE)
def spec_surprise(evidence: Evidence) -> Iterator[Told]:
    """What does not do what it seems to say."""
    for problem in check_spec(evidence.minicluster.raw):
        if not problem.fatal:
            yield _of_spec(problem)


def _without_job(evidence: Evidence) -> bool:
    waiting = evidence.job is None and evidence.minicluster.deleting_since is None
    return waiting and evidence.age > REACTION_SECONDS


@rule("FS003", "operator-rejected", Severity.ERROR, Source.JOB, Source.OPERATOR_LOG)
def operator_rejected(evidence: Evidence) -> Iterator[Told]:
    """The log names no MiniCluster in these lines: only of one that has no Job."""
    if not _without_job(evidence):
        return
    marks = ("did not validate", "😥", "invisible ants")
    lines = [line for line in evidence.operator_log or () if any(m in line for m in marks)]
    if lines:
        quotes = tuple(Quote(line, Source.OPERATOR_LOG) for line in lines[-3:])
        yield Told(
            "The operator found its spec invalid, which it says in its own log only.",
            quotes,
            "Correct the spec, delete the MiniCluster and create it again.",
        )


@rule("FS004", "job-refused", Severity.ERROR, Source.JOB, Source.OPERATOR_LOG)
def job_refused(evidence: Evidence) -> Iterator[Told]:
    """The API server refused the Job that the operator made of it."""
    if not _without_job(evidence):
        return
    mark, name = "Failed to create new MiniCluster Batch Job", evidence.minicluster.ref.name
    lines = [line for line in evidence.operator_log or () if mark in line and name in line]
    if lines:
        yield Told(
            "The API server refuses the Job that the operator makes of it.",
            (Quote(lines[-1], Source.OPERATOR_LOG),),
            "Correct what the message names, most often a volume without claimName.",
        )


@rule("FS005", "no-job", Severity.ERROR, Source.JOB)
def no_job(evidence: Evidence) -> Iterator[Told]:
    """Nothing was made of it."""
    if _without_job(evidence):
        yield Told(
            "The operator has made no Job of it: it does not run, may not see this namespace, or "
            "rejected the spec.",
            (Quote(f"no Job {evidence.age:.0f} s after the create", Source.JOB),),
            "Look at the operator: fluxstate-tui doctor",
            line="kubectl -n operator-system get pods -l control-plane=controller-manager",
        )


@rule("FS006", "deletion-stuck", Severity.ERROR)
def deletion_stuck(evidence: Evidence) -> Iterator[Told]:
    """Pods keep running as long as a foreign finalizer is there."""
    since = evidence.minicluster.deleting_since
    if since is None or evidence.now - since <= LINGER_SECONDS:
        return
    metadata = as_map(evidence.minicluster.raw.get("metadata"))
    held = [str(name) for name in metadata.get("finalizers") or ()]
    named = f"its finalizers {', '.join(held)} hold it" if held else "its pods do not go"
    yield Told(
        f"It was deleted {evidence.now - since:.0f} s ago, but {named}.",
        (Quote(", ".join(held) or "no finalizers", Source.OBJECT, at=since),),
        "Find out why the controller of that finalizer does not take it away."
        if held
        else "Look for a node that is gone under one of its pods.",
    )


@rule("FS007", "changed-again-and-again", Severity.WARNING)
def changed_again(evidence: Evidence) -> Iterator[Told]:
    """Its spec is written all the time, as by a controller that does not agree with it."""
    metadata = as_map(evidence.minicluster.raw.get("metadata"))
    changes = as_whole(metadata.get("generation")) or 0
    if changes >= _RESTLESS_CHANGES and evidence.age / changes < _RESTLESS_PERIOD:
        yield Told(
            "Its spec is changed again and again, as by two controllers that do not agree.",
            (Quote(f"generation {changes} in {evidence.age:.0f} s", Source.OBJECT),),
            "See who writes it (managedFields), and let only one of them.",
            line=f"kubectl -n {evidence.minicluster.ref.namespace} get minicluster "
            f"{evidence.minicluster.ref.name} -o yaml --show-managed-fields",
        )


@rule("FS008", "job-failed", Severity.ERROR, Source.JOB)
def job_failed(evidence: Evidence) -> Iterator[Told]:
    """BackoffLimitExceeded, DeadlineExceeded."""
    if evidence.job is not None and evidence.job.failure:
        yield Told(
            "Its Job has failed; Kubernetes starts no pod of it again.",
            (Quote(evidence.job.failure, Source.JOB),),
            "Restore its newest archive into a new MiniCluster.",
        )


def _refused(evidence: Evidence, *marks: str) -> Iterator[Quote]:
    """The newest refusal of the Job's pods, if one of the marks is in it and none came since."""
    job = evidence.job
    failed = evidence.told("FailedCreate", uid=job.uid) if job is not None else ()
    wanting = len(evidence.pods) < evidence.minicluster.size
    if failed and wanting and any(mark in failed[0].message for mark in marks):
        yield quote_event(failed[0])


@rule("FS010", "quota", Severity.ERROR, Source.JOB, Source.EVENTS)
def quota(evidence: Evidence) -> Iterator[Told]:
    """The init container flux-view counts as well."""
    for quote in _refused(evidence, "quota"):
        yield Told(
            "A quota of the namespace does not let its pods be made.",
            (quote,),
            "Raise the quota, or give resources to the container and to flux.container.",
        )


@rule("FS011", "pod-security", Severity.ERROR, Source.JOB, Source.EVENTS)
def pod_security(evidence: Evidence) -> Iterator[Told]:
    """The namespace's pod security level."""
    for quote in _refused(evidence, "violates PodSecurity"):
        yield Told(
            "The namespace's pod security level forbids its pods.",
            (quote,),
            "Use a namespace of level privileged or baseline, or a securityContext that fits.",
        )


@rule("FS012", "limit-range", Severity.ERROR, Source.JOB, Source.EVENTS)
def limit_range(evidence: Evidence) -> Iterator[Told]:
    """A LimitRange of the namespace."""
    for quote in _refused(evidence, "usage per Container is", "usage per Pod is"):
        yield Told(
            "A LimitRange of the namespace does not let its pods be made.",
            (quote,),
            "Ask for what the LimitRange allows, on flux.container as well.",
        )


@rule("FS013", "service-account", Severity.ERROR, Source.JOB, Source.EVENTS)
def service_account(evidence: Evidence) -> Iterator[Told]:
    """spec.pod.serviceAccountName is not there."""
    for quote in _refused(evidence, "service account"):
        yield Told(
            "The service account of its pods is not there.",
            (quote,),
            "Create it, or drop pod.serviceAccountName.",
        )


@rule("FS014", "pods-refused", Severity.ERROR, Source.JOB, Source.EVENTS)
def pods_refused(evidence: Evidence) -> Iterator[Told]:
    """Any other refusal: webhooks, overhead, priority classes."""
    known = ("quota", "violates PodSecurity", "usage per", "service account")
    for quote in _refused(evidence, ""):
        if not any(mark in quote.text for mark in known):
            yield Told("The API server refuses its pods.", (quote,), "Correct what it names.")
