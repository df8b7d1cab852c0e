"""A pod whose remote program is not ours, or not ours alone."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from fluxstate_tui.broker.live_jobs import MOST_OF_A_PIECE, JobListReader
from fluxstate_tui.broker.protocol import Pending, Reply, UnknownMessage, parse


def piece(text: bytes) -> str:
    return base64.b64encode(zlib.compress(text)).decode("ascii")


def test_a_piece_that_inflates_beyond_its_size_is_no_job_list() -> None:
    bomb = piece(b'{"jobs":[' + b" " * (64 << 20))
    with pytest.raises(ValueError, match=f"more than {MOST_OF_A_PIECE} bytes"):
        JobListReader().feed(bomb, last=False)


def test_a_job_that_never_ends_is_not_kept() -> None:
    deflate = zlib.compressobj()
    reader = JobListReader()

    def part(text: bytes) -> str:
        return base64.b64encode(deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH)).decode(
            "ascii"
        )

    reader.feed(part(b'{"jobs":[{"name":"'), last=False)
    with pytest.raises(ValueError, match="characters"):
        for _ in range(200):
            reader.feed(part(b"x" * (512 << 10)), last=False)


def test_a_job_that_is_nested_too_deeply_is_no_job() -> None:
    deep = b'{"jobs":[{"a":' + b"[" * 100_000
    with pytest.raises(ValueError, match="too deeply"):
        JobListReader().feed(piece(deep), last=False)


@pytest.mark.parametrize("number", [[1], {"a": 1}, "x", 1e400])
def test_a_reply_to_no_request_ends_no_session(number: object) -> None:
    line = json.dumps({"t": "reply", "id": number, "ok": True}).encode()
    message = parse(line)
    assert isinstance(message, UnknownMessage | Reply)
    if isinstance(message, Reply):
        Pending().take(message)
