"""Who set which field: what server-side apply needs to find conflicts.

Simpler than managedFields: one owner per field, lists are one field (as in custom resources).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fluxstate_tui.sim.api.errors import ApiError
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import Kind

_SKIPPED = ("apiVersion", "kind", "status")
_OWNED_METADATA = ("labels", "annotations")


@dataclass(frozen=True, slots=True)
class Owner:
    """A field manager, and the subresource through which it wrote."""

    manager: str
    subresource: str = ""

    def words(self, kind: Kind) -> str:
        """As conflict messages name it."""
        through = f' with subresource "{self.subresource}"' if self.subresource else ""
        return f'"{self.manager}"{through} using {kind.api_version}'


# kubectl hands its client-side fields over to server-side apply by editing managedFields; here
# they are one manager from the start.
_CLIENT_SIDE_APPLY = "kubectl-client-side-apply"


def manager_named(name: str) -> str:
    """The manager that a `fieldManager` or User-Agent stands for."""
    return "kubectl" if name == _CLIENT_SIDE_APPLY else name or "unknown"


def fields(obj: JsonObject) -> dict[str, Any]:
    """Values by path (`.spec.size`), without what the server writes."""
    metadata = obj.get("metadata") or {}
    owned = {key: value for key, value in obj.items() if key not in (*_SKIPPED, "metadata")}
    owned["metadata"] = {key: metadata[key] for key in _OWNED_METADATA if metadata.get(key)}
    return dict(_leaves(owned, ""))


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(path, value)]
    return [leaf for key, sub in value.items() for leaf in _leaves(sub, f"{path}.{key}")]


class FieldOwners:
    """Owners of all fields, by the objects' uids."""

    def __init__(self) -> None:
        self._owners: dict[str, dict[str, Owner]] = {}

    def wrote(self, before: JsonObject | None, after: JsonObject, owner: Owner) -> None:
        """`owner` made `after` out of `before`."""
        old = fields(before) if before is not None else {}
        new = fields(after)
        known = self._owners.setdefault(after["metadata"]["uid"], {})
        for path in [path for path in known if path not in new]:
            del known[path]
        for path, value in new.items():
            if path not in old or old[path] != value:
                known.pop(path, None)
                known[path] = owner

    def check_apply(
        self, kind: Kind, current: JsonObject, wanted: JsonObject, owner: Owner
    ) -> None:
        """Raises ApiError 409 when `wanted` changes fields of others."""
        known = self._owners.get(current["metadata"]["uid"], {})
        have = fields(current)
        conflicts: dict[Owner, list[str]] = {}
        # The latest writer comes first, as in the recorded answer.
        paths = fields(wanted)
        for path, other in reversed(known.items()):
            if path in paths and other != owner and have.get(path) != paths[path]:
                conflicts.setdefault(other, []).append(path)
        if conflicts:
            raise _conflict(kind, conflicts)


def _conflict(kind: Kind, conflicts: dict[Owner, list[str]]) -> ApiError:
    number = sum(len(paths) for paths in conflicts.values())
    if number == 1:
        ((owner, (path,)),) = conflicts.items()
        text = f"Apply failed with 1 conflict: conflict with {owner.words(kind)}: {path}"
    else:
        groups = [
            f"conflicts with {owner.words(kind)}:" + "".join(f"\n- {path}" for path in paths)
            for owner, paths in conflicts.items()
        ]
        text = f"Apply failed with {number} conflicts: " + "\n".join(groups)
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {owner.words(kind)}",
            "field": path,
        }
        for owner, paths in conflicts.items()
        for path in paths
    ]
    return ApiError(409, "Conflict", text, {"causes": causes})
