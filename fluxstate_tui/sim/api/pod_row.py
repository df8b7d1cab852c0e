"""The STATUS, READY and RESTARTS of a pod, derived as the API server's printer derives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fluxstate_tui.sim.api.json_types import JsonObject


def pod_cells(pod: JsonObject, age: str, since: Callable[[str | None], str]) -> list[Any]:
    """Name, Ready, Status, Restarts, Age, IP, Node, Nominated Node, Readiness Gates."""
    status, spec = pod.get("status", {}), pod["spec"]
    states = status.get("containerStatuses", [])
    ready = sum(1 for state in states if state.get("ready") and "running" in state["state"])
    reason, initialising, restarts, last = _reason(pod)
    restarts_cell = str(restarts)
    if restarts and last:
        restarts_cell = f"{restarts} ({since(last)} ago)"
    if pod["metadata"].get("deletionTimestamp"):
        reason = "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    if initialising:
        ready = 0
    return [
        pod["metadata"]["name"], f"{ready}/{len(spec.get('containers', []))}", reason,
        restarts_cell, age, status.get("podIP") or "<none>", spec.get("nodeName") or "<none>",
        "<none>", "<none>",
    ]  # fmt: skip


def _reason(pod: JsonObject) -> tuple[str, bool, int, str | None]:
    """Status word, whether init containers still run, restarts, and when the last one ended."""
    status = pod.get("status", {})
    reason = status.get("reason") or status.get("phase", "Unknown")
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    restarts, last = 0, None
    initial = status.get("initContainerStatuses", [])
    for index, state in enumerate(initial):
        restarts += state.get("restartCount", 0)
        word = _init_word(state["state"], index, len(pod["spec"].get("initContainers", [])))
        if word:
            return word, True, restarts, None
    restarts = 0
    running = False
    for state in reversed(status.get("containerStatuses", [])):
        restarts += state.get("restartCount", 0)
        ended = state.get("lastState", {}).get("terminated")
        last = ended.get("finishedAt") if ended else last
        running = running or (bool(state.get("ready")) and "running" in state["state"])
        reason = _container_word(state["state"]) or reason
    if reason == "Completed" and running:
        reason = "Running"
    return reason, False, restarts, last


def _init_word(state: JsonObject, index: int, total: int) -> str:
    ended = state.get("terminated")
    if ended is not None:
        if ended.get("exitCode") == 0:
            return ""
        return "Init:" + (ended.get("reason") or f"ExitCode:{ended.get('exitCode')}")
    waiting = state.get("waiting", {}).get("reason", "")
    if waiting and waiting != "PodInitializing":
        return f"Init:{waiting}"
    return f"Init:{index}/{total}"


def _container_word(state: JsonObject) -> str:
    if state.get("waiting", {}).get("reason"):
        return str(state["waiting"]["reason"])
    ended = state.get("terminated")
    if ended is None:
        return ""
    if ended.get("reason"):
        return str(ended["reason"])
    return f"ExitCode:{ended.get('exitCode', 0)}"
