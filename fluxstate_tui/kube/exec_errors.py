"""Why a command in a container could not be run, or what is not known about it."""

from __future__ import annotations

import json
import re
from typing import Any

from fluxstate_tui.exits import ExitCode
from fluxstate_tui.kube.errors import KubeError
from fluxstate_tui.kube.status_errors import error_from_response, parse_status

_MISSING_PROGRAM = re.compile(
    r"(?:exec: \\?\"(?P<program>[^\"\\]+)\\?\": )?(?:stat \S+: )?"
    r"(?:no such file or directory|executable file not found|permission denied)"
)
# The last one: runc, of a container that dies just now (containerd 1.6).
_GONE = ("container not found", "not running", "executing setns process")
_NOT_RUNNING = "Nothing was run."


class ExecError(KubeError):
    """The command was not run."""


class CommandNotFound(ExecError):
    """The program does not exist in the container, or may not be executed."""


class ContainerNotFound(ExecError):
    """The pod has no container of this name."""

    exit_code = ExitCode.NOT_FOUND


class ContainerNotRunning(ExecError):
    """The container exists but does not run: it is still waiting, or has finished."""


class ExecUnknown(KubeError):
    """The stream ended without a status: the command may have run to its end or not at all."""

    exit_code = ExitCode.UNKNOWN

    def __init__(self, command: str, why: str) -> None:
        super().__init__(
            f"The outcome of '{command}' is not known: {why}.",
            safe="It may have been carried out or not.",
            advice="Look at its effect before you repeat it.",
        )


def refused_handshake(path: str, status: int, body: bytes, pod: str, container: str) -> KubeError:
    """The typed error for an exec that was refused before anything ran."""
    said = str(parse_status(body).get("message") or body.decode("utf-8", "replace").strip())
    if "container not found" in said or "does not have a host assigned" in said:
        return ContainerNotRunning(
            f"Container '{container}' of pod '{pod}' is not running.",
            safe=_NOT_RUNNING,
            advice="Look at the pod: it may still be starting, or have finished.",
            status=status,
        )
    if "is not valid for pod" in said or "a container name must be specified" in said:
        return ContainerNotFound(
            f"Pod '{pod}' has no container '{container}'.",
            safe=_NOT_RUNNING,
            advice=f"The API server says: {said}.",
            status=status,
        )
    return error_from_response("GET", path, status, body)


def exit_code_of(frame: bytes, command: str) -> int:
    """The exit code in the status frame of channel 3 (0-255).

    Raises ExecError if the command was not started, ExecUnknown if the frame is none.
    """
    status = _status(frame, command)
    if status.get("status") == "Success":
        return 0
    message = str(status.get("message") or "no reason given")
    if status.get("reason") == "NonZeroExitCode":
        for cause in (status.get("details") or {}).get("causes") or ():
            if cause.get("reason") == "ExitCode" and str(cause.get("message")).isdigit():
                return int(cause["message"])
        raise ExecUnknown(command, f"the status has no exit code ({message})")
    raise _not_started(message, command)


def _status(frame: bytes, command: str) -> dict[str, Any]:
    try:
        status = json.loads(frame)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        raise ExecUnknown(command, "the server sent a status that cannot be read")
    return status


def _not_started(message: str, command: str) -> KubeError:
    found = _MISSING_PROGRAM.search(message)
    if found and "exec" in message:
        program = found.group("program") or command
        return CommandNotFound(
            f"There is no program '{program}' that can be run in this container.",
            safe=_NOT_RUNNING,
            advice="The image may lack it, or it may be for another architecture.",
            status=500,
        )
    if any(word in message for word in _GONE):
        return ContainerNotRunning(
            f"The container is not running: {message}.", safe=_NOT_RUNNING, status=500
        )
    return ExecError(
        f"'{command}' was not run: {message.rstrip('.')}.", safe=_NOT_RUNNING, status=500
    )
