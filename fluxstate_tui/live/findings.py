"""What is wrong across all MiniClusters, kept up to date a little at a time."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxstate_tui.diagnosis.finding import Blind, Diagnosis, Finding

if TYPE_CHECKING:
    from fluxstate_tui.live.store import Store
    from fluxstate_tui.minicluster.minicluster import ClusterRef

AGAIN_AFTER = 30.0
"""Seconds after which a diagnosis is made again though nothing came: some rules wait for a time."""
AT_ONCE = 0.02


@dataclass(frozen=True, slots=True)
class Found:
    """One finding, and where."""

    ref: ClusterRef
    finding: Finding


class AllFindings:
    """`refresh` makes the diagnoses that are due, for as long as it may; the rest come next time.

    `rows` are all findings by a key that stays the same while that one is there.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Diagnosis] = {}
        self._made: dict[str, float] = {}  # the oldest first
        self._keys: dict[str, tuple[str, ...]] = {}
        self._blind: Counter[Blind] = Counter()
        self.rows: dict[str, Found] = {}

    def refresh(self, now: float, seconds: float = AT_ONCE) -> set[str]:
        """The keys of rows that are new, changed or gone. `now` is by our clock."""
        store, changed = self._store, set[str]()
        for uid, made in self._made.items():
            if now - made < AGAIN_AFTER:
                break
            store.undiagnosed.add(uid)
        until = time.perf_counter() + seconds
        while store.undiagnosed:
            uid = store.undiagnosed.pop()
            changed |= self._diagnose(uid, now)
            if time.perf_counter() > until:
                break
        return changed

    @property
    def due(self) -> int:
        """How many MiniClusters are still to be looked at."""
        return len(self._store.undiagnosed)

    @property
    def looked_at(self) -> int:
        """How many MiniClusters a diagnosis was made of."""
        return len(self._known)

    @property
    def wrong(self) -> int:
        """How many MiniClusters have more than notes."""
        return sum(diagnosis.wrong for diagnosis in self._known.values())

    @property
    def silenced(self) -> int:
        """How many findings the user does not want to be told."""
        return sum(diagnosis.silenced for diagnosis in self._known.values())

    def blind(self) -> dict[Blind, int]:
        """Rules that could not see their evidence, and in how many MiniClusters."""
        return dict(sorted(self._blind.items(), key=lambda item: item[0].code))

    def _diagnose(self, uid: str, now: float) -> set[str]:
        self._made.pop(uid, None)
        diagnosis = self._store.diagnosis_of(uid)
        before = self._known.pop(uid, None)
        if diagnosis is not None:
            self._known[uid], self._made[uid] = diagnosis, now
        if before == diagnosis:
            return set()
        self._blind.subtract(before.blind if before is not None else ())
        self._blind.update(diagnosis.blind if diagnosis is not None else ())
        self._blind = +self._blind
        old = dict.fromkeys(self._keys.pop(uid, ()))
        rows: dict[str, Found] = {}
        if diagnosis is not None:
            ref = self._store.clusters[uid].ref
            for finding in diagnosis.findings:
                stem, number = f"{uid}/{finding.code}", 1
                while f"{stem}/{number}" in rows:
                    number += 1
                rows[f"{stem}/{number}"] = Found(ref, finding)
            self._keys[uid] = tuple(rows)
        changed = {key for key in (*old, *rows) if self.rows.get(key) != rows.get(key)}
        for key in old:
            del self.rows[key]
        self.rows.update(rows)
        return changed
