"""Big answers are read piece by piece: the screen goes on being drawn, and nothing is misread."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.kube.list_body import decode_list
from fluxstate_tui.kube.watch import Lines, decoded

TEXT = st.sampled_from(["items", '"items":[', "]}", "a", "ƒ", '\\"', ""])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


async def read(body: bytes) -> tuple[list[Any], Any]:
    return await decode_list(body, lambda item: item)


@given(
    before=st.dictionaries(TEXT.filter(lambda key: key != "items"), JSON_VALUES, max_size=3),
    items=st.lists(JSON_VALUES, max_size=4),
    after=st.dictionaries(TEXT.filter(lambda key: key != "items"), JSON_VALUES, max_size=3),
    indent=st.sampled_from([None, 1]),
    tight=st.booleans(),
)
async def test_a_list_is_read_as_json_reads_it(
    before: dict[str, Any],
    items: list[Any],
    after: dict[str, Any],
    indent: int | None,
    tight: bool,
) -> None:
    separators = (",", ":") if tight else None
    document = {**before, "items": items, **{k: v for k, v in after.items() if k not in before}}
    body = json.dumps(document, indent=indent, separators=separators).encode()
    found, fields = await read(body)
    expected = json.loads(body)
    assert found == expected["items"]
    assert {**fields, "items": 0} == {**expected, "items": 0}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"metadata":{},"items":[{"a":1},',
        b'{"metadata":{},"items":[{"a":1}',
        b'{"metadata":{},"items":[{"a":1}]',
        b'{"metadata":{},"items":[1 2 x]}',
        b"\xff\xfe",
    ],
)
async def test_a_cut_or_broken_list_is_never_a_shorter_one(body: bytes) -> None:
    with pytest.raises(ValueError):
        await read(body)


async def test_a_list_without_items_is_empty() -> None:
    assert await read(b'{"metadata":{"resourceVersion":"5"},"items":null}') == (
        [],
        {"metadata": {"resourceVersion": "5"}, "items": None},
    )


async def turns_taken(work: asyncio.Task[Any]) -> int:
    """How often another task came to its turn while this one worked."""
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    return turns


def many(count: int) -> list[dict[str, Any]]:
    return [{"metadata": {"name": str(n), "text": ["x" * 10] * 100}} for n in range(count)]


async def test_the_screen_is_drawn_while_a_big_list_is_read() -> None:
    body = json.dumps({"metadata": {}, "items": many(2_000)}).encode()
    work = asyncio.create_task(read(body))
    assert await turns_taken(work) > 2
    assert len(work.result()[0]) == 2_000


async def test_the_screen_is_drawn_while_a_burst_of_events_is_read() -> None:
    burst = b"".join(json.dumps(item).encode() + b"\n" for item in many(2_000))

    async def consume() -> int:
        return len([document async for document in decoded(Lines().feed(burst))])

    work = asyncio.create_task(consume())
    assert await turns_taken(work) > 2
    assert work.result() == 2_000


@given(lines=st.lists(st.binary(min_size=1).filter(lambda b: b"\n" not in b and b.strip())))
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes]) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    for size in (1, 2, 7, 1000):
        cutter = Lines()
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert [line for piece in pieces for line in cutter.feed(piece)] == lines
