"""What a user may decide before an operation: plain data, filled by a dialog or by flags."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any


class Running(Enum):
    """What to do with jobs that run when the queue is saved.

    A job that runs at the time of the dump comes back FAILED (facts/flux.md, "The seven
    things", 5), so waiting is the default.
    """

    WAIT = "wait until they are done"
    WAIT_AT_MOST = "wait for a time, then stop"
    CANCEL = "cancel them"
    LEAVE = "go on; they come back FAILED"


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything that can be chosen. Each operation reads only what concerns it.

    `wait_seconds` belongs to `Running.WAIT_AT_MOST`; `archive` is an id of the catalogue or a
    path on the volume; `from_file` is an archive of this computer, to be brought there first;
    `size` is the number of pods to restore to; `manifest` is a whole MiniCluster object to create
    (a file, or the last seen one); `start_timeout` is how long a restored MiniCluster may take
    until its broker runs, in seconds; `to_name`, `to_namespace` and `image` are what a migration
    changes ('' = as it is); `to_context` is a context of the kubeconfig; `start_helper_pod` agrees
    to a helper pod before there is a plan, to read the archives; `accept_spec` wants the
    MiniCluster of the archive's manifest although another one is known; a `dry_run` looks without
    any helper pod, and its plan cannot be carried out.
    """

    running: Running = Running.WAIT
    wait_seconds: float | None = None
    keep_paused: bool = False
    restore_paused: bool = False
    save_first: bool = False
    archive: str = ""
    from_file: Path | None = None
    size: int | None = None
    manifest: dict[str, Any] | None = None
    start_timeout: float = 600.0
    to_name: str = ""
    to_namespace: str = ""
    to_context: str = ""
    image: str = ""
    start_helper_pod: bool = False
    accept_spec: bool = False
    dry_run: bool = False
