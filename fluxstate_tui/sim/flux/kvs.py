"""The key-value store as commands see it: keys with dots, jobs below `job.`"""

from __future__ import annotations

import errno
import re

from fluxstate_tui.flux.jobid import parse_job_id
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.jobmanager import JobManager

_JOB_KEY = re.compile(r"job\.((?:[0-9a-f]{4}\.){3}[0-9a-f]{4})\.(.+)")


class Kvs:
    """`keys` are all keys outside of jobs; a job's keys come from the job manager.

    `version` counts commits of keys; it goes on where the last checkpoint was.
    """

    def __init__(self, manager: JobManager) -> None:
        self.keys: dict[str, bytes] = {}
        self.version = 1
        self._manager = manager

    def get(self, key: str) -> bytes:
        """A value. ENOENT when there is none, EISDIR when it is a directory."""
        if key in self.keys:
            return self.keys[key]
        match = _JOB_KEY.fullmatch(key)
        if match is not None:
            return self._job_value(match[1], match[2])
        if any(name.startswith(key + ".") for name in self.list_keys()):
            raise FluxError(errno.EISDIR)
        raise FluxError(errno.ENOENT)

    def _job_value(self, dothex: str, name: str) -> bytes:
        job = self._manager.jobs.get(parse_job_id(dothex))
        if job is None:
            raise FluxError(errno.ENOENT)
        content = job.content()
        values = dict(content.values())
        if name.startswith("guest."):
            if content.guest is None:
                raise FluxError(errno.EOPNOTSUPP)
            values = {f"guest.{key.replace('/', '.')}": v for key, v in content.guest.items()}
        if name not in values:
            raise FluxError(errno.ENOENT)
        return values[name]

    def put(self, key: str, value: bytes) -> None:
        """Set a value. A value in the way of a directory is replaced, as in Flux."""
        parts = key.split(".")
        for count in range(1, len(parts)):
            self.keys.pop(".".join(parts[:count]), None)
        self.keys[key] = value
        self.version += 1

    def unlink(self, key: str) -> None:
        """Remove a key, or a whole directory of keys."""
        for name in [name for name in self.keys if name == key or name.startswith(key + ".")]:
            del self.keys[name]
        self.version += 1

    def list_keys(self) -> list[str]:
        """All keys outside of jobs, and `job` itself when there are jobs."""
        return [*self.keys, *(["job.0000"] if self._manager.jobs else [])]

    def list_dir(self, key: str) -> list[str]:
        """Names in a directory, '' or `.` for the root; directories end in a dot."""
        prefix = "" if key in ("", ".") else key + "."
        names: set[str] = set()
        for name in self.list_keys():
            if name.startswith(prefix):
                head, dot, _ = name[len(prefix) :].partition(".")
                names.add(head + dot)
        if not names and prefix:
            raise FluxError(errno.ENOTDIR if key in self.keys else errno.ENOENT)
        return sorted(names)
