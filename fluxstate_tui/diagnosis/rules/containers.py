"""Why a container does not start, and how it ended last."""

from __future__ import annotations

from collections.abc import Iterator

from fluxstate_tui.diagnosis.evidence import Evidence, quote_event
from fluxstate_tui.diagnosis.finding import Quote, Severity, Source, Told
from fluxstate_tui.diagnosis.rule import rule
from fluxstate_tui.minicluster.objects import ContainerState, Pod
from fluxstate_tui.minicluster.phase import CREATING, PULLING, shorten

_CRASHES = 2
_TAIL = 3

# By the first mark that the message holds: cause, fix.
_PULLS = (
    (
        "no match for platform",
        "there is none of the node's architecture",
        "Use an image of that platform, or select nodes of its own.",
    ),
    (
        "invalid reference format",
        "its name is not one of an image",
        "Correct the name: lower case, no spaces.",
    ),
    (
        "pull policy of Never",
        "it is not on the node, and may not be pulled",
        "Load it onto the nodes, or set pullAlways.",
    ),
    ("429 Too Many Requests", "the registry limits pulls", "Wait, or pull with credentials."),
    (
        "401 Unauthorized",
        "the registry wants credentials",
        "Name an imagePullSecret; that of flux.container is ignored by the operator.",
    ),
    ("403 Forbidden", "the registry refuses these credentials", "Correct the imagePullSecret."),
    (
        "failed to do request",
        "the registry cannot be reached",
        "Look at the node's network, DNS and proxy.",
    ),
    ("unexpected status", "the registry answers with an error", "Wait, or use another registry."),
    (
        "deadline exceeded",
        "the pull took too long",
        "Load the image onto the nodes before (kind load, minikube image load).",
    ),
    ("not found", "there is none of that name or tag", "Correct image and tag."),
)


def _all(evidence: Evidence) -> Iterator[tuple[Pod, ContainerState]]:
    for pod in evidence.pods:
        for container in (*pod.init, *pod.containers):
            yield pod, container


@rule("FS101", "image-pull", Severity.ERROR, Source.PODS)
def image_pull(evidence: Evidence) -> Iterator[Told]:
    """By cause. While it backs off only events still hold the registry's answer."""
    seen: set[str] = set()
    for pod, container in _all(evidence):
        if container.state != "waiting" or container.reason not in PULLING:
            continue
        if container.name in seen:
            continue
        seen.add(container.name)
        events = evidence.told("Failed", "InspectFailed", uid=pod.uid)
        answers = [event for event in events if _cause(event.message) is not None]
        quote = Quote(container.message or container.reason, Source.PODS, pod.name)
        cause = _cause(container.message)
        if cause is None and answers:
            quote, cause = quote_event(answers[0]), _cause(answers[0].message)
        why, fix = cause or ("the message says why", "See the pod's events.")
        yield Told(
            f"The image of container {container.name} cannot be pulled: {why}.", (quote,), fix
        )


def _cause(message: str) -> tuple[str, str] | None:
    return next(((why, fix) for mark, why, fix in _PULLS if mark in message), None)


@rule("FS102", "pull-secret-missing", Severity.ERROR, Source.PODS, Source.EVENTS)
def pull_secret(evidence: Evidence) -> Iterator[Told]:
    """Said once per pull; the pull may go well all the same."""
    stuck = {p.uid for p, c in _all(evidence) if c.state == "waiting" and c.reason in PULLING}
    told = [e for e in evidence.told("FailedToRetrieveImagePullSecret") if e.object_uid in stuck]
    if told:
        yield Told(
            "The secret with the registry's credentials is not there.",
            (quote_event(told[0]),),
            "Create it in the namespace of the MiniCluster.",
        )


@rule("FS110", "no-shell", Severity.ERROR, Source.PODS)
def no_shell(evidence: Evidence) -> Iterator[Told]:
    """The operator's entrypoint is a bash script."""
    for pod, container in _all(evidence):
        text = _start_error(container)
        if "/bin/bash" in text and "no such file" in text:
            yield Told(
                f"The image of container {container.name} has no /bin/bash, which starts Flux.",
                (Quote(text, Source.PODS, pod.name),),
                "Use an image with bash (not alpine or distroless).",
            )
            return


def _start_error(container: ContainerState) -> str:
    ended = container.ended
    if ended is not None and ended.reason in ("StartError", "ContainerCannotRun"):
        return ended.message
    return container.message if container.reason in ("RunContainerError", "StartError") else ""


@rule("FS111", "container-not-created", Severity.ERROR, Source.PODS)
def not_created(evidence: Evidence) -> Iterator[Told]:
    """A Secret or ConfigMap of its environment is missing, or the runtime refuses it."""
    seen: set[str] = set()
    for pod, container in _all(evidence):
        waits = container.state == "waiting" and container.reason in CREATING
        if not waits or "/bin/bash" in container.message or container.name in seen:
            continue
        seen.add(container.name)
        yield Told(
            f"Container {container.name} cannot be made: {shorten(container.message)}.",
            (Quote(f"{container.reason}: {container.message}", Source.PODS, pod.name),),
            "Create what the message names, or correct the spec.",
        )


def _killed(container: ContainerState) -> bool:
    return container.ended is not None and container.ended.reason == "OOMKilled"


@rule("FS121", "out-of-memory", Severity.ERROR, Source.PODS)
def out_of_memory(evidence: Evidence) -> Iterator[Told]:
    """The reason tells, never the exit code: it can be 0, and the pod Completed."""
    for pod, container in _all(evidence):
        ended = container.ended
        if ended is None or not _killed(container):
            continue
        gently = ended.exit_code == 0
        yield Told(
            f"Container {container.name} of {pod.name} ran out of memory"
            + (
                ", though it ended with exit code 0: a process in it was killed, and Flux ended."
                if gently
                else " and was killed."
            ),
            (Quote(f"OOMKilled, exit code {ended.exit_code}", Source.PODS, pod.name, ended.at),),
            "Raise its memory limit. After a restart, compare the queue with the newest archive.",
        )


@rule("FS122", "crash-loop", Severity.ERROR, Source.PODS)
def crash_loop(evidence: Evidence) -> Iterator[Told]:
    """By restarts and the last end: `waiting: CrashLoopBackOff` comes late."""
    for pod, container in _all(evidence):
        down = container.state != "running" and container.restarts >= _CRASHES
        if container.ended is None or not (down or container.reason == "CrashLoopBackOff"):
            continue
        if container.state == "terminated" and container.exit_code == 0:
            continue
        quotes = [_end(pod, container)]
        if pod.index == 0 and container.name == evidence.minicluster.ref.name:
            tail = [line for line in evidence.lead_log or () if line.strip()][-_TAIL:]
            quotes += (Quote(line, Source.LEAD_LOG, pod.name) for line in tail)
        yield Told(
            f"Container {container.name} of {pod.name} crashes again and again.",
            tuple(quotes),
            "Read its log before the last crash.",
            line=f"kubectl -n {pod.namespace} logs {pod.name} -c {container.name} --previous",
        )


@rule("FS123", "ended-badly", Severity.WARNING, Source.PODS)
def ended_badly(evidence: Evidence) -> Iterator[Told]:
    """The last end of a container: exit code, signal, when."""
    for pod, container in _all(evidence):
        ended = container.ended
        if ended is None or not ended.exit_code or _killed(container):
            continue
        if ended.reason in ("StartError", "ContainerCannotRun") or pod.disruption:
            continue
        yield Told(
            f"Container {container.name} of {pod.name} ended {_how(ended.exit_code, ended.signal)}"
            + (f" and was restarted ({container.restarts}x)." if container.restarts else "."),
            (_end(pod, container),),
            "Read its log before that.",
            line=f"kubectl -n {pod.namespace} logs {pod.name} -c {container.name}"
            + (" --previous" if container.restarts else ""),
        )


def _how(code: int, signal: int | None) -> str:
    number = signal or (code - 128 if 128 < code < 160 else 0)
    return f"by signal {number} (exit code {code})" if number else f"with exit code {code}"


def _end(pod: Pod, container: ContainerState) -> Quote:
    ended = container.ended
    if ended is None:
        return Quote(container.reason, Source.PODS, pod.name)
    text = f"{ended.reason}, exit code {ended.exit_code}"
    return Quote(text, Source.PODS, f"{pod.name}/{container.name}", ended.at)


@rule("FS124", "lead-restarted", Severity.WARNING, Source.PODS)
def lead_restarted(evidence: Evidence) -> Iterator[Told]:
    """With an archive path the queue may have gone back to that archive."""
    name = evidence.minicluster.ref.name
    for pod, container in _all(evidence):
        if pod.index != 0 or container.name != name or not container.restarts:
            continue
        lost = (
            "an armed archive was loaded again, and jobs since then may be gone"
            if evidence.minicluster.archive_path
            else "jobs since its last checkpoint may be gone"
        )
        yield Told(
            f"The lead's container was restarted {container.restarts}x: {lost}.",
            (_end(pod, container),),
            "Compare the queue with the newest archive before you submit again.",
        )
