"""Kubernetes Events: recorded, and counted when they repeat."""

from __future__ import annotations

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import EVENTS
from fluxstate_tui.sim.api.store import ObjectStore, rfc3339_micro


class Recorder:
    """Writes events for one component, on one host (kubelet) or none."""

    def __init__(self, store: ObjectStore, component: str, host: str = "") -> None:
        self._store = store
        self._component = component
        self._host = host
        self._known: dict[tuple[str, ...], str] = {}

    def event(
        self,
        about: JsonObject,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        field: str = "",
    ) -> None:
        """Record it; the same event about the same object only counts up."""
        metadata = about["metadata"]
        namespace = metadata.get("namespace", "default")
        key = (metadata["uid"], reason, message, field)
        known = self._known.get(key)
        if known is not None and self._count_up(namespace, known):
            return
        body = self._body(about, reason, message, "Warning" if warning else "Normal", field)
        self._known[key] = body["metadata"]["name"]
        self._store.create(EVENTS, body)

    def _count_up(self, namespace: str, name: str) -> bool:
        def count(event: JsonObject) -> None:
            event["count"] = (event.get("count") or 1) + 1
            event["lastTimestamp"] = self._store.timestamp()

        return self._store.modify(EVENTS, namespace, name, count) is not None

    def _body(
        self, about: JsonObject, reason: str, message: str, typ: str, field: str
    ) -> JsonObject:
        metadata = about["metadata"]
        involved = {
            "kind": about["kind"],
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": about["apiVersion"],
            "resourceVersion": metadata["resourceVersion"],
        }
        if field:
            involved["fieldPath"] = field
        name = f"{metadata['name']}.{self._store.new_uid().replace('-', '')[:16]}"
        namespace = metadata.get("namespace", "default")
        body: JsonObject = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": typ,
            "reportingComponent": self._component,
        }
        return body | self._source(reason)

    def _source(self, reason: str) -> JsonObject:
        """Who reports and when: the scheduler speaks events.k8s.io, everybody else core/v1."""
        now = self._store.timestamp()
        if self._component == "default-scheduler":
            return {
                "source": {}, "firstTimestamp": None, "lastTimestamp": None,
                "eventTime": rfc3339_micro(self._store.now()),
                "action": "Binding" if reason == "Scheduled" else "Scheduling",
                "reportingInstance": "default-scheduler-sim",
            }  # fmt: skip
        source = {"component": self._component}
        if self._host:
            source["host"] = self._host
        return {
            "source": source, "firstTimestamp": now, "lastTimestamp": now, "count": 1,
            "eventTime": None, "reportingInstance": self._host,
        }  # fmt: skip
