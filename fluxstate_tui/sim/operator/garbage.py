"""The garbage collector and the namespace controller: what owners leave behind goes too."""

from __future__ import annotations

from fluxstate_tui.sim.api.deletion import FOREGROUND, ORPHAN, delete
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import NAMESPACES, Kind
from fluxstate_tui.sim.api.store import Change
from fluxstate_tui.sim.operator.manager import Manager


class GarbageCollector:
    """Background, Foreground and Orphan propagation by ownerReferences."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._store = manager.store
        self._owners: dict[str, tuple[Kind, str, str]] = {}
        manager.watch(self._changed)

    def _changed(self, change: Change) -> None:
        metadata = change.object["metadata"]
        namespace, name, uid = metadata.get("namespace", ""), metadata["name"], metadata["uid"]
        if change.kind == NAMESPACES and metadata.get("deletionTimestamp"):
            self._manager.enqueue(self._empty_namespace, "", name)
        if change.type == "DELETED":
            self._manager.enqueue(self._collect, namespace, uid)
            self._manager.enqueue(self._finish_foreground_owners, namespace, uid)
        elif {FOREGROUND, ORPHAN} & set(metadata.get("finalizers") or []):
            self._owners[uid] = (change.kind, namespace, name)
            self._manager.enqueue(self._propagate, namespace, uid)

    def _dependents(self, namespace: str, uid: str) -> list[tuple[Kind, JsonObject]]:
        return [
            (kind, obj)
            for kind, obj in self._store.all_objects()
            if obj["metadata"].get("namespace", "") == namespace
            and any(ref["uid"] == uid for ref in obj["metadata"].get("ownerReferences") or [])
        ]

    async def _collect(self, namespace: str, uid: str) -> None:
        for kind, obj in self._dependents(namespace, uid):
            if "deletionTimestamp" not in obj["metadata"]:
                delete(self._store, kind, obj, {"propagationPolicy": "Background"})

    async def _propagate(self, namespace: str, uid: str) -> None:
        """An owner waits for its dependents (Foreground), or lets go of them (Orphan)."""
        kind, _, name = self._owners[uid]
        owner = self._store.get(kind, namespace, name)
        if owner is None or owner["metadata"]["uid"] != uid:
            return
        dependents = self._dependents(namespace, uid)
        if ORPHAN in (owner["metadata"].get("finalizers") or []):
            for dependent, obj in dependents:
                self._release(dependent, obj, uid)
            self._drop_finalizer(kind, namespace, name, ORPHAN)
            return
        for dependent, obj in dependents:
            if "deletionTimestamp" not in obj["metadata"]:
                delete(self._store, dependent, obj, {"propagationPolicy": "Foreground"})
        if not self._dependents(namespace, uid):
            self._drop_finalizer(kind, namespace, name, FOREGROUND)

    async def _finish_foreground_owners(self, namespace: str, uid: str) -> None:
        for owner_uid, (_, place, _name) in list(self._owners.items()):
            if place == namespace and owner_uid != uid:
                self._manager.enqueue(self._propagate, namespace, owner_uid)
        self._owners.pop(uid, None)

    def _release(self, kind: Kind, obj: JsonObject, uid: str) -> None:
        def change(draft: JsonObject) -> None:
            kept = [ref for ref in draft["metadata"]["ownerReferences"] if ref["uid"] != uid]
            draft["metadata"]["ownerReferences"] = kept

        metadata = obj["metadata"]
        self._store.modify(kind, metadata.get("namespace", ""), metadata["name"], change)

    def _drop_finalizer(self, kind: Kind, namespace: str, name: str, finalizer: str) -> None:
        def change(draft: JsonObject) -> None:
            kept = [item for item in draft["metadata"]["finalizers"] if item != finalizer]
            draft["metadata"]["finalizers"] = kept

        self._store.modify(kind, namespace, name, change)

    async def _empty_namespace(self, _: str, name: str) -> None:
        """Delete everything in a namespace, then the namespace."""
        left = [
            (kind, obj)
            for kind, obj in self._store.all_objects()
            if obj["metadata"].get("namespace", "") == name
        ]
        for kind, obj in left:
            if "deletionTimestamp" not in obj["metadata"]:
                delete(self._store, kind, obj, {})
        if any(obj["metadata"].get("namespace") == name for _, obj in self._store.all_objects()):
            self._manager.enqueue(self._empty_namespace, "", name, 1.0)
        elif self._store.get(NAMESPACES, "", name) is not None:
            self._store.remove(NAMESPACES, "", name)
