"""What a user chose for a table, kept from one session to the next.

The file is a convenience: one that is broken or cannot be written means defaults, never an error.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict, replace

FILE: Final = "tables.json"


class TableChoice(Struct, frozen=True):
    """`columns` are keys in the order that they are shown, None as it was at first.

    `order` is (column or None, reversed), None as it was at first.
    """

    columns: tuple[str, ...] | None = None
    order: tuple[str | None, bool] | None = None
    filter: str = ""


class Remembered(Struct, frozen=True):
    """One table's place in the memory."""

    load: Callable[[], TableChoice]
    save: Callable[[TableChoice], None]

    def without_filter(self) -> Remembered:
        """The same place for rows that are others each time: a filter is not kept."""
        return Remembered(
            lambda: replace(self.load(), filter=""),
            lambda choice: self.save(replace(choice, filter="")),
        )


class Memory:
    """The choices for all tables by name. `folder` None keeps them for this session only."""

    def __init__(self, folder: Callable[[], Path] | None = None) -> None:
        self._folder = folder
        self._known: dict[str, TableChoice] | None = None

    def table(self, name: str) -> Remembered:
        """The place of the table of that name."""
        return Remembered(partial(self._load, name), partial(self._save, name))

    def _load(self, name: str) -> TableChoice:
        return self._all().get(name, TableChoice())

    def _save(self, name: str, choice: TableChoice) -> None:
        known = self._all()
        if known.get(name, TableChoice()) == choice:
            return
        known[name] = choice
        if self._folder is None:
            return
        data = json.dumps({table: asdict(kept) for table, kept in known.items()}, indent=1)
        with contextlib.suppress(OSError):
            folder = self._folder()
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / f".{FILE}.{os.getpid()}"
            part.write_text(data, encoding="utf-8")
            part.replace(folder / FILE)

    def _all(self) -> dict[str, TableChoice]:
        if self._known is None:
            self._known = {}
            if self._folder is not None:
                with contextlib.suppress(OSError, ValueError, RecursionError):
                    found = json.loads((self._folder() / FILE).read_text(encoding="utf-8"))
                    if isinstance(found, dict):
                        self._known = {name: _choice(value) for name, value in found.items()}
        return self._known


def _choice(value: Any) -> TableChoice:
    """As much of it as makes sense."""
    if not isinstance(value, dict):
        return TableChoice()
    columns, order, filtered = value.get("columns"), value.get("order"), value.get("filter")
    keys: tuple[str, ...] = ()
    kept = None
    if isinstance(columns, list):
        keys = tuple(key for key in columns if isinstance(key, str))
    if isinstance(order, list) and len(order) == 2 and isinstance(order[0], str | None):
        kept = (order[0], bool(order[1]))
    return TableChoice(keys or None, kept, filtered if isinstance(filtered, str) else "")
