"""Pod status as a kubelet reports it: container states, conditions and the phase."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.operator.node import NODE_IP


@dataclass(slots=True)
class ContainerRecord:
    """One container's state: waiting, running or terminated, and how it was before."""

    spec: JsonObject
    state: JsonObject = field(default_factory=dict)
    last_state: JsonObject = field(default_factory=dict)
    restarts: int = 0
    container_id: str = ""

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.spec["name"])

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """The exit code, when it has ended."""
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    def waiting(self, reason: str, message: str = "") -> None:
        """It waits."""
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def started(self, now: str, container_id: str) -> None:
        """It runs."""
        self.container_id = f"containerd://{container_id}"
        self.state = {"running": {"startedAt": now}}

    def ended(self, now: str, code: int, reason: str = "") -> None:
        """It has ended."""
        started = self.state.get("running", {}).get("startedAt", now)
        self.state = {
            "terminated": {
                "exitCode": code,
                "reason": reason or ("Completed" if code == 0 else "Error"),
                "startedAt": started,
                "finishedAt": now,
                "containerID": self.container_id,
            }
        }

    def report(self, *, initial: bool) -> JsonObject:
        """The entry of containerStatuses or initContainerStatuses."""
        done = self.exit_code == 0
        status: JsonObject = {
            "name": self.name,
            "state": self.state,
            "lastState": self.last_state,
            "ready": done if initial else self.running,
            "restartCount": self.restarts,
            "image": self.spec["image"],
            "imageID": "",
            "started": self.running,
        }
        if self.container_id:
            digest = hashlib.sha256(self.spec["image"].encode()).hexdigest()
            status |= {"imageID": f"sha256:{digest}", "containerID": self.container_id}
        return status


def phase(initial: list[ContainerRecord], main: list[ContainerRecord], restart: str) -> str:
    """Pending, Running, Succeeded or Failed."""
    if any(record.exit_code != 0 for record in initial):
        return "Pending"
    codes = [record.exit_code for record in main]
    if all(code is not None for code in codes) and restart != "Always":
        if all(code == 0 for code in codes):
            return "Succeeded"
        return "Running" if restart == "OnFailure" else "Failed"
    if any(record.running or record.exit_code is not None or record.restarts for record in main):
        return "Running"
    return "Pending"


def conditions(
    initial: list[ContainerRecord],
    main: list[ContainerRecord],
    pod_phase: str,
    sandbox: bool,
    now: str,
    old: list[JsonObject],
) -> list[JsonObject]:
    """The five conditions; transition times only move when the status does."""
    ended = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(pod_phase)
    incomplete = [record.name for record in initial if record.exit_code != 0]
    unready = [record.name for record in main if not record.running]
    made: list[tuple[str, bool, str, str]] = [
        ("PodReadyToStartContainers", sandbox and ended is None, "", "")
    ]
    text = f"containers with incomplete status: [{' '.join(incomplete)}]"
    if incomplete:
        made.append(("Initialized", False, "ContainersNotInitialized", text))
    else:
        made.append(("Initialized", True, ended if ended == "PodCompleted" else "", ""))
    text = f"containers with unready status: [{' '.join(unready)}]"
    for name in ("Ready", "ContainersReady"):
        if ended:
            made.append((name, False, ended, ""))
        elif unready:
            made.append((name, False, "ContainersNotReady", text))
        else:
            made.append((name, True, "", ""))
    made.append(("PodScheduled", True, "", ""))
    before = {condition["type"]: condition for condition in old}
    return [_condition(before.get(one[0]), *one, now=now) for one in made]


def _condition(
    old: JsonObject | None, name: str, true: bool, reason: str, message: str, *, now: str
) -> JsonObject:
    status = "True" if true else "False"
    since = old["lastTransitionTime"] if old and old["status"] == status else now
    condition: JsonObject = {
        "type": name, "status": status, "lastProbeTime": None, "lastTransitionTime": since,
    }  # fmt: skip
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def addresses(ip: str, started: str) -> JsonObject:
    """Host and pod addresses."""
    status: JsonObject = {
        "hostIP": NODE_IP, "hostIPs": [{"ip": NODE_IP}], "startTime": started,
    }  # fmt: skip
    if ip:
        status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    return status
