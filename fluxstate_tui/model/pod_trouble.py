"""What keeps a pod from running, as one plain clause."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from fluxstate_tui.model.kubernetes import KubeEvent
from fluxstate_tui.model.pod import ContainerState, Pod

_IMAGE = re.compile(r'image "([^"]+)"')
_PULLING = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
    }
)
_CREATING = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"}
)
_VOLUME_EVENTS = frozenset({"FailedMount", "FailedAttachVolume"})
_SHOWN = 160


class Stage(Enum):
    """How far a pod has come."""

    UNPLACED = 0
    PREPARING = 1
    RUNNING = 2
    ENDED = 3


@dataclass(frozen=True, slots=True)
class PodState:
    """How far a pod has come, and what is wrong with it ('' if nothing is known to be)."""

    pod: Pod
    stage: Stage
    trouble: str = ""


def state_of(pod: Pod, events: Iterable[KubeEvent] = ()) -> PodState:
    """Read one pod. `events` may be those of other objects too."""
    if pod.phase in ("Succeeded", "Failed"):
        return PodState(pod, Stage.ENDED, _how_it_failed(pod) if pod.phase == "Failed" else "")
    if pod.unschedulable:
        told = shorten(pod.unschedulable.split(" preemption:")[0])
        return PodState(pod, Stage.UNPLACED, f"cannot be placed: {told}")
    trouble = _container_trouble(pod)
    if pod.phase == "Running":
        return PodState(pod, Stage.RUNNING, trouble)
    if not pod.node and not pod.containers:
        return PodState(pod, Stage.UNPLACED)
    return PodState(pod, Stage.PREPARING, trouble or _volume_trouble(pod, events))


def shorten(text: str) -> str:
    """A message on one line, cut, without its full stop."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _container_trouble(pod: Pod) -> str:
    for container in (*pod.init, *pod.containers):
        if container.state != "waiting":
            continue
        if container.reason in _PULLING:
            return _cannot_pull(container)
        if container.reason in _CREATING:
            why = shorten(container.message) or container.reason
            return f"cannot start its container {container.name}: {why}"
        if container.reason == "CrashLoopBackOff":
            return f"keeps crashing in container {container.name}"
    return ""


def _cannot_pull(container: ContainerState) -> str:
    found = _IMAGE.search(container.message)
    image = f"the image {found.group(1)}" if found else "its image"
    return f"cannot pull {image} (container {container.name})"


def _volume_trouble(pod: Pod, events: Iterable[KubeEvent]) -> str:
    told = [e for e in events if e.object_uid == pod.uid and e.reason in _VOLUME_EVENTS]
    if not told:
        return ""
    newest = max(told, key=lambda event: event.last_seen)
    return f"cannot mount a volume: {shorten(newest.message)}"


def _how_it_failed(pod: Pod) -> str:
    for container in (*pod.init, *pod.containers):
        if container.exit_code:
            reason = container.reason if container.reason not in ("", "Error") else "failed"
            return f"{reason} with exit code {container.exit_code} in container {container.name}"
    return "failed (evicted, or its node is gone)"
