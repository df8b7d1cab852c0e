"""The RPCs of an instance by topic, with the answers and errors of flux-core 0.88."""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fluxstate_tui.flux import hostlist
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.joblist import ATTRS

if TYPE_CHECKING:
    from fluxstate_tui.sim.flux.instance import FluxInstance


Answer = dict[str, Any] | None
Handler = Callable[["Services", dict[str, Any], int], Answer | Awaitable[Answer]]

KVS_READDIR, KVS_SYNC = 1, 4
OWNER_ONLY = frozenset(
    {
        "job-manager.queue-start", "job-manager.queue-enable", "job-manager.idle",
        "job-manager.drain", "job-manager.events-journal", "job-manager.raiseall",
        "resource.drain", "resource.undrain",
    }
)  # fmt: skip
PRIVATE = ("kvs.", "content.")


class Services:
    """Calls by topic. `userid` is who asks: the owner and root may do everything."""

    def __init__(self, instance: FluxInstance) -> None:
        self._instance = instance

    async def call(self, topic: str, payload: dict[str, Any] | None, userid: int) -> Answer:
        """The answer, or FluxError."""
        instance = self._instance
        if not instance.alive:
            raise FluxError(errno.ECONNRESET)
        if instance.faults.answer_delay:
            await instance.clock.sleep(instance.faults.answer_delay)
        self.authorize(topic, userid)
        handler = _HANDLERS.get(topic)
        if handler is None:
            raise FluxError(errno.ENOSYS, _unknown(topic))
        try:
            answer = handler(self, payload or {}, userid)
            return await answer if isinstance(answer, Awaitable) else answer
        except (KeyError, TypeError, ValueError) as error:
            raise FluxError(errno.EPROTO, f"malformed {topic} request: {error}") from error

    def authorize(self, topic: str, userid: int) -> None:
        """ENOSYS before the service is there, EPERM for guests."""
        instance = self._instance
        instance.require(topic)
        if userid in (0, instance.owner_uid):
            return
        if topic in OWNER_ONLY:
            raise FluxError(errno.EPERM, "Request requires owner credentials")
        if topic.startswith(PRIVATE):
            raise FluxError(errno.EPERM)
        if topic == "job-ingest.submit":
            raise FluxError(errno.EPERM, "only instance owner can use sign-type=none")

    # -- broker ----------------------------------------------------------------------------

    def _attr_get(self, payload: dict[str, Any], _userid: int) -> Answer:
        return {"value": self.attribute(str(payload["name"]))}

    def attribute(self, name: str) -> str:
        """A broker attribute. ENOENT when there is none."""
        attributes = self.attributes()
        if name not in attributes:
            raise FluxError(errno.ENOENT)
        return attributes[name]

    def attributes(self) -> dict[str, str]:
        """All broker attributes that the simulation knows."""
        instance = self._instance
        values = {
            "broker.starttime": f"{instance.started_at:.2f}",
            "broker.quorum": str(instance.quorum),
            "hostlist": hostlist.compress(instance.hosts),
            "instance-level": "0",
            "jobid-path": "/",
            "rank": "0",
            "security.owner": str(instance.owner_uid),
            "size": str(instance.size),
            "version": instance.version,
        }
        if instance.restore_path:
            values["content.restore"] = instance.restore_path
        return {**values, **instance.attributes}

    def _attr_set(self, payload: dict[str, Any], _userid: int) -> Answer:
        self._instance.attributes[str(payload["name"])] = str(payload["value"])
        return None

    def _attr_list(self, _payload: dict[str, Any], _userid: int) -> Answer:
        return {"names": sorted(self.attributes())}

    def _state(self, _payload: dict[str, Any], _userid: int) -> Answer:
        instance = self._instance
        return {"state": instance.state, "duration": instance.clock.now() - instance.started_at}

    def _health(self, payload: dict[str, Any], _userid: int) -> Answer:
        return self._instance.resources.health(int(payload.get("rank", 0)))

    def _dmesg(self, _payload: dict[str, Any], _userid: int) -> Answer:
        return {"lines": [entry.dmesg() for entry in self._instance.log.entries]}

    # -- jobs ------------------------------------------------------------------------------

    def _submit(self, payload: dict[str, Any], userid: int) -> Answer:
        text = payload["J"] if "J" in payload else payload["jobspec"]
        whole = text if isinstance(text, dict) else _unsigned(str(text))
        _check_jobspec(whole)
        attributes = dict(whole["attributes"])
        system = dict(attributes.get("system", {}))
        environment = system.pop("environment", {})
        jobspec = {**whole, "attributes": {**attributes, "system": system}}
        job = self._instance.jobs.submit(
            jobspec,
            urgency=int(payload.get("urgency", 16)),
            flags=int(payload.get("flags", 0)),
            userid=userid if userid else self._instance.owner_uid,
            environment={str(key): str(value) for key, value in environment.items()},
        )
        return {"id": job.id}

    def _queue_start(self, payload: dict[str, Any], _userid: int) -> Answer:
        self._instance.control.queue_start(payload)
        return None

    def _queue_enable(self, payload: dict[str, Any], _userid: int) -> Answer:
        self._instance.control.queue_enable(payload)
        return None

    def _queue_status(self, payload: dict[str, Any], _userid: int) -> Answer:
        return self._instance.control.queue_status(payload.get("name"))

    def _queue_list(self, _payload: dict[str, Any], _userid: int) -> Answer:
        return {"queues": self._instance.queues.names}

    def _alloc_query(self, _payload: dict[str, Any], _userid: int) -> Answer:
        return dict(self._instance.control.alloc_query())

    async def _idle(self, _payload: dict[str, Any], _userid: int) -> Answer:
        return {"pending": await self._instance.control.idle()}

    async def _drain_queue(self, _payload: dict[str, Any], _userid: int) -> Answer:
        await self._instance.control.drain()
        return None

    def _raise(self, payload: dict[str, Any], _userid: int) -> Answer:
        self._instance.control.raise_exception(
            int(payload["id"]), str(payload["type"]), int(payload["severity"]),
            str(payload.get("note") or ""),
        )  # fmt: skip
        return None

    def _raise_all(self, payload: dict[str, Any], _userid: int) -> Answer:
        return dict(self._instance.control.raise_all(payload))

    def _urgency(self, payload: dict[str, Any], _userid: int) -> Answer:
        return dict(self._instance.control.urgency(int(payload["id"]), int(payload["urgency"])))

    def _update(self, payload: dict[str, Any], _userid: int) -> Answer:
        self._instance.control.update(int(payload["id"]), payload["updates"])
        return None

    def _memo(self, payload: dict[str, Any], _userid: int) -> Answer:
        self._instance.control.memo(int(payload["id"]), payload["memo"])
        return None

    def _kill(self, payload: dict[str, Any], _userid: int) -> Answer:
        self._instance.control.kill(int(payload["id"]), int(payload["signum"]))
        return None

    def _list(self, payload: dict[str, Any], _userid: int) -> Answer:
        return self._instance.job_list.select(payload)

    def _stats(self, _payload: dict[str, Any], _userid: int) -> Answer:
        return self._instance.job_list.stats()

    def _list_id(self, payload: dict[str, Any], _userid: int) -> Answer:
        answer = self._instance.job_list.one(int(payload["id"]), payload.get("attrs", ["all"]))
        if answer is None:
            raise FluxError(errno.ENOENT)
        return answer

    def _lookup(self, payload: dict[str, Any], _userid: int) -> Answer:
        job = self._instance.jobs.jobs.get(int(payload["id"]))
        if job is None:
            raise FluxError(errno.ENOENT)
        content = job.content()
        values = dict(content.values())
        for name, value in (content.guest or {}).items():
            values[f"guest.{name.replace('/', '.')}"] = value
        answer: dict[str, Any] = {"id": job.id}
        for key in payload["keys"]:
            if key not in values:
                lost = key.startswith("guest.") and content.guest is None
                raise FluxError(errno.EOPNOTSUPP if lost else errno.ENOENT)
            answer[key] = values[key].decode("utf-8", "replace")
        return answer

    # -- KVS -------------------------------------------------------------------------------

    def _getroot(self, _payload: dict[str, Any], _userid: int) -> Answer:
        return {**self._root(), "owner": self._instance.owner_uid}

    def _root(self) -> dict[str, Any]:
        """The KVS root: every commit and every job event makes a new one."""
        sequence = self._instance.sequence
        return {"rootref": _reference(sequence), "rootseq": sequence}

    def _kvs_lookup(self, payload: dict[str, Any], _userid: int) -> Answer:
        if int(payload.get("flags", 0)) & KVS_READDIR:
            return {"val": {"ver": 1, "type": "dir", "data": self._directory(str(payload["key"]))}}
        value = self._instance.kvs.get(str(payload["key"]))
        data = base64.b64encode(value).decode()
        return {"val": {"ver": 1, "type": "val", "data": data}}

    def _directory(self, key: str) -> dict[str, Any]:
        """The names in a directory of the KVS, with entries of which nobody asks more here."""
        names = self._instance.kvs.list_dir(key)
        return {name.rstrip("."): {"ver": 1, "type": "dirref", "data": []} for name in names}

    def _sqlite_stats(self, _payload: dict[str, Any], _userid: int) -> Answer:
        statedir = self._instance.statedir
        return {"dbfile_size": statedir.size(self._instance.sequence), "dbfile_free": statedir.free}

    def _kvs_commit(self, payload: dict[str, Any], _userid: int) -> Answer:
        instance = self._instance
        for operation in payload["ops"]:
            entry = operation["dirent"]
            if entry is None:
                instance.kvs.unlink(str(operation["key"]))
            else:
                instance.kvs.put(str(operation["key"]), base64.b64decode(entry["data"]))
        if int(payload.get("flags", 0)) & KVS_SYNC:
            instance.checkpoint()
        return self._root()

    def _config_get(self, payload: dict[str, Any], _userid: int) -> Answer:
        config, name = self._instance.config, payload.get("name")
        if name is None:
            return dict(config)
        if name not in config:
            raise FluxError(errno.ENOENT, f"{name} not found")
        return {str(name): config[name]}

    def _config_load(self, payload: dict[str, Any], _userid: int) -> Answer:
        try:
            self._instance.load_config(payload)
        except ValueError as error:
            raise FluxError(errno.EINVAL, str(error)) from None
        return {}

    def _checkpoint_get(self, _payload: dict[str, Any], _userid: int) -> Answer:
        statedir = self._instance.statedir
        if statedir.checkpoint is None:
            raise FluxError(errno.ENOENT)
        value = {
            "version": 1,
            "rootref": _reference(statedir.sequence),
            "sequence": statedir.sequence,
            "timestamp": statedir.when,
        }
        return {"value": [value]}

    # -- resources -------------------------------------------------------------------------

    def _sched_status(self, _payload: dict[str, Any], _userid: int) -> Answer:
        return self._instance.resources.sched_status()

    def _resource_status(self, _payload: dict[str, Any], _userid: int) -> Answer:
        return self._instance.resources.status()

    def _drain(self, payload: dict[str, Any], _userid: int) -> Answer:
        resources = self._instance.resources
        ranks = resources.targets(str(payload["targets"]))
        force = payload.get("mode") in ("overwrite", "update")
        resources.drain(ranks, str(payload.get("reason") or ""), force=force)
        return None

    def _undrain(self, payload: dict[str, Any], _userid: int) -> Answer:
        resources = self._instance.resources
        resources.undrain(resources.targets(str(payload["targets"])))
        return None


def _unknown(topic: str) -> str:
    """What flux-core 0.88 says of a method that a service has not, and of no such service."""
    service = topic.rpartition(".")[0]
    if any(known.rpartition(".")[0] == service for known in _HANDLERS):
        return f"Unknown service method '{topic}'"
    return f"No service matching {topic} is registered"


def _reference(sequence: int) -> str:
    """A root's blobref (made up: the simulation has no content store)."""
    return "sha1-" + hashlib.sha1(b"root %d" % sequence, usedforsecurity=False).hexdigest()


def _unsigned(text: str) -> dict[str, Any]:
    """The jobspec inside `J`, or plain JSON."""
    parts = text.split(".")
    if len(parts) == 3 and not text.startswith("{"):
        try:
            text = base64.b64decode(parts[1]).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise FluxError(errno.EINVAL, "could not unwrap J") from None
    try:
        value = json.loads(text)
    except ValueError:
        raise FluxError(errno.EINVAL, "jobspec: invalid JSON") from None
    if not isinstance(value, dict):
        raise FluxError(errno.EINVAL, "jobspec: object expected")
    return value


def _check_jobspec(jobspec: dict[str, Any]) -> None:
    for key in ("version", "resources", "tasks", "attributes"):
        if key not in jobspec:
            raise FluxError(errno.EINVAL, f"jobspec: missing key '{key}'")


_HANDLERS: dict[str, Handler] = {
    "attr.get": Services._attr_get,
    "attr.list": Services._attr_list,
    "attr.set": Services._attr_set,
    "config.get": Services._config_get,
    "config.load": Services._config_load,
    "content.checkpoint-get": Services._checkpoint_get,
    "content-sqlite.stats-get": Services._sqlite_stats,
    "job-info.lookup": Services._lookup,
    "job-ingest.submit": Services._submit,
    "job-list.job-stats": Services._stats,
    "job-list.list": Services._list,
    "job-list.list-attrs": lambda _services, _payload, _userid: {"attrs": ATTRS},
    "job-list.list-id": Services._list_id,
    "job-manager.alloc-query": Services._alloc_query,
    "job-manager.drain": Services._drain_queue,
    "job-manager.idle": Services._idle,
    "job-manager.kill": Services._kill,
    "job-manager.memo": Services._memo,
    "job-manager.queue-enable": Services._queue_enable,
    "job-manager.queue-list": Services._queue_list,
    "job-manager.queue-start": Services._queue_start,
    "job-manager.queue-status": Services._queue_status,
    "job-manager.raise": Services._raise,
    "job-manager.raiseall": Services._raise_all,
    "job-manager.update": Services._update,
    "job-manager.urgency": Services._urgency,
    "kvs.commit": Services._kvs_commit,
    "kvs.getroot": Services._getroot,
    "kvs.lookup": Services._kvs_lookup,
    "log.dmesg": Services._dmesg,
    "overlay.health": Services._health,
    "resource.drain": Services._drain,
    "resource.sched-status": Services._sched_status,
    "resource.status": Services._resource_status,
    "resource.undrain": Services._undrain,
    "sched.resource-status": Services._sched_status,
    "state-machine.get": Services._state,
}
