"""A list's body, read object by object so that the screen is drawn in between.

One page of 250 pods is 2.7 MB, and `json.loads` of it stops everything for 50 to 160 ms. Each
object is handed to `read` at once and dropped: ten thousand pods as dicts are half a gigabyte.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

Object = dict[str, Any]
Read = TypeVar("Read")

SLICE_SECONDS = 0.008
_ITEMS = re.compile(r'"items":\s*\[')
_BETWEEN = re.compile(r"\s*,?\s*")


async def decode_list(body: bytes, read: Callable[[Object], Read]) -> tuple[list[Read], Object]:
    """What `read` makes of each item, and the list's other fields. Raises ValueError if no JSON."""
    text = body.decode()
    found = _ITEMS.search(text)
    own = _fields_before(text, found.start()) if found else None
    if found is None or own is None:
        return _at_once(text, read)
    decoder = json.JSONDecoder()
    items: list[Read] = []
    place = _skip(text, found.end())
    started = time.perf_counter()
    while not text.startswith("]", place):
        try:
            item, end = decoder.raw_decode(text, place)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        items.append(read(item))
        place = _skip(text, end)
        if time.perf_counter() - started > SLICE_SECONDS:
            await asyncio.sleep(0)
            started = time.perf_counter()
    return items, own | load_json('{"items":[' + text[place:])


def load_json(text: str | bytes) -> Any:
    """Raises ValueError, also of what is nested too deeply to be read."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _at_once(text: str, read: Callable[[Object], Read]) -> tuple[list[Read], Object]:
    document = load_json(text)
    if not isinstance(document, dict):
        raise ValueError("a list's answer is not an object")
    return [read(item) for item in document.get("items") or ()], document


def _fields_before(text: str, end: int) -> Object | None:
    """The fields before `items`; None if that is not the list's own (but deeper inside)."""
    head = text[:end].rstrip().removesuffix(",")
    try:
        fields = load_json(head + "}")
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _skip(text: str, place: int) -> int:
    match = _BETWEEN.match(text, place)
    return match.end() if match else place
