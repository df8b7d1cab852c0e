"""What the scripted broker of the stand-in answers, and how a session with it is opened."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fluxstate_tui.broker.locate import Endpoint
from tests.unit.broker.local import LocalExecutor

STANDIN = Path(__file__).parent / "standin"
T0 = 1_795_300_000.0
STATS = {"depend": 0, "priority": 0, "sched": 0, "run": 0, "cleanup": 0, "inactive": 0, "total": 0}
R = {
    "version": 1,
    "execution": {
        "R_lite": [{"rank": "0-1", "children": {"core": "0-3"}}],
        "nodelist": ["flux-sample-[0-1]"],
        "starttime": 0,
        "expiration": 0,
    },
}
JOBSPEC = {
    "version": 1,
    "resources": [
        {"type": "slot", "count": 1, "label": "task", "with": [{"type": "core", "count": 1}]}
    ],
    "tasks": [{"command": ["sleep", "1"], "slot": "task", "count": {"per_slot": 1}}],
    "attributes": {"system": {"duration": 0}},
}


def event(name: str, at: float, **context: Any) -> dict[str, Any]:
    """An eventlog entry `at` seconds after T0."""
    entry: dict[str, Any] = {"timestamp": T0 + at, "name": name}
    if context:
        entry["context"] = context
    return entry


def lifetime(start: float = 0.0, status: int = 0) -> list[dict[str, Any]]:
    """The events of a job from submit to clean."""
    names = ["validate", "depend"]
    events = [event("submit", start, userid=0, urgency=16, flags=0, version=1)]
    events += [event(name, start + 0.1 * (i + 1)) for i, name in enumerate(names)]
    events.append(event("priority", start + 0.3, priority=16))
    events.append(event("alloc", start + 0.4))
    events.append(event("start", start + 0.5))
    events.append(event("finish", start + 1.5, status=status))
    events += [event(name, start + 1.6) for name in ("release", "free")]
    return [*events, event("clean", start + 1.7)]


def listed(job_id: int, state: int, **more: Any) -> dict[str, Any]:
    """A job as the job-list RPC has it."""
    return {
        "id": job_id,
        "userid": 0,
        "state": state,
        "name": "sleep",
        "t_submit": T0,
        "urgency": 16,
        "ntasks": 1,
        "ncores": 1,
        "duration": 0.0,
        **more,
    }


_FLUX = """\
#!/bin/sh
if [ "$1" = python ]; then shift; exec {python} "$@"; fi
exec cat "{folder}/output-$1"
"""


class Script:
    """The answers of a broker; change them before the session opens."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "standin.json"
        self.attributes = {
            "version": "0.88.0",
            "size": "2",
            "rank": "0",
            "hostlist": "flux-sample-[0-1]",
            "security.owner": "0",
            "broker.starttime": str(T0),
        }
        self.answers: dict[str, list[Any]] = {
            "state-machine.get": [{"state": "run", "duration": 1.0}],
            "job-manager.events-journal": [{"id": -1, "events": []}],
            "job-manager.alloc-query": [{"queue_length": 0, "alloc_pending": 0, "running": 0}],
            "job-manager.queue-list": [{"queues": []}],
            "job-manager.queue-status": [{"enable": True, "start": True}],
            "job-manager.queue-start": [None],
            "job-list.list": [{"jobs": []}],
            "job-list.job-stats": [{"job_states": STATS}],
            "resource.status": [{"R": R, "drain": {}, "online": "0-1", "offline": ""}],
        }
        self.cannot_connect = ""
        self.commands: dict[str, str] = {}  # what other flux commands print, by their first word
        self.greeting = ""
        self.environment: dict[str, str] = {}

    def executor(self) -> LocalExecutor:
        """A container whose `flux python` has the stand-in."""
        script: dict[str, Any] = {"answers": self.answers, "attributes": self.attributes}
        if self.cannot_connect:
            script["cannot_connect"] = self.cannot_connect
        self.path.write_text(json.dumps(script), "utf-8")
        view = self.path.parent / "flux-view.sh"
        binary = self.path.parent / "flux"
        binary.write_text(_FLUX.format(python=sys.executable, folder=self.path.parent), "utf-8")
        for command, output in self.commands.items():
            (self.path.parent / f"output-{command}").write_text(output, "utf-8")
        binary.chmod(0o755)
        exports = f"export PATH={self.path.parent}:$PATH fluxsocket=local:///none\n"
        view.write_text(exports + self.greeting, "utf-8")
        environment = {"PYTHONPATH": str(STANDIN), "STANDIN": str(self.path)}
        return LocalExecutor({**environment, **self.environment})

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("ns", "pod-0", "uid", "c", "v1alpha2", str(self.path.parent))

    def topics(self) -> list[str]:
        """What was asked, in order."""
        lines = Path(f"{self.path}.log").read_text("utf-8").splitlines()
        return [name for name, _ in map(json.loads, lines)]

    def calls(self, topic: str) -> list[Any]:
        """The payloads that were sent to a topic."""
        lines = Path(f"{self.path}.log").read_text("utf-8").splitlines()
        return [payload for name, payload in map(json.loads, lines) if name == topic]
