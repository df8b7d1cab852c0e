"""Lines from a container: ours, and whatever else it may print."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.broker.live_jobs import JobListReader
from fluxstate_tui.broker.protocol import Beat, JobEvents, LineReader, Reply, UnknownMessage, parse


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line)), st.data())
def test_lines_are_the_same_however_the_stream_is_cut(
    lines: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader, got = LineReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += reader.feed(stream[start:end])
    assert got == [line for line in lines if line]


def test_a_line_over_the_limit_is_dropped_and_the_next_one_is_read() -> None:
    reader = LineReader(limit=10)
    assert reader.feed(b"x" * 8) == []
    assert reader.feed(b"x" * 8) == []
    assert reader.feed(b"end of the long one\nshort\n") == [b"short"]


def test_half_a_line_is_no_line() -> None:
    reader = LineReader()
    assert reader.feed(b'{"t":"beat"') == []
    assert reader.rest() == b'{"t":"beat"'


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(line: bytes) -> None:
    parse(line)


@pytest.mark.parametrize(
    "line",
    [
        b"bash: warning: setlocale: LC_ALL: cannot change locale",
        b"\xff\xfe\x00 not UTF-8",
        b"[" * 100_000,
        b'{"t":"beat"}',
        b'{"t":"beat","now":"soon","state":"run"}',
        b'{"t":"event","id":1,"events":[{"timestamp":1}]}',
        b'{"t":"event","id":"x","events":[]}',
        b'{"t":"jobs"}',
        b'{"t":["beat"]}',
        b"null",
        b'"beat"',
        b'{"t":"hello","protocol":1}',
        b'{"t":"mode","mode":"journal","why":""}',
        b'{"t":"mode","mode":"journal","why":"","active":["x"]}',
        b'{"t":"more","value":1}',
    ],
)
def test_what_is_none_of_ours_is_rubbish(line: bytes) -> None:
    message = parse(line)
    assert isinstance(message, UnknownMessage)
    assert len(message.text) <= 200


def test_messages_are_what_they_say() -> None:
    assert parse(b'{"t":"beat","now":1.5,"state":"run"}') == Beat(1.5, "run")
    reply = parse(b'{"t":"reply","id":3,"ok":false,"errno":1,"error":"no [/b]"}')
    assert reply == Reply(3, False, {}, 1, "no [/b]")


def test_a_line_of_a_megabyte_is_a_line() -> None:
    note = "\u202e[/foo]\x1b" + "x" * 1_000_000
    event = {"timestamp": 1.0, "name": "exception", "context": {"note": note}}
    line = json.dumps({"t": "event", "id": 5, "events": [event]}).encode()
    message = parse(LineReader().feed(line + b"\n")[0])
    assert isinstance(message, JobEvents)
    assert message.events[0]["context"]["note"] == note


def _pieces(text: str, size: int) -> list[tuple[str, bool]]:
    deflate = zlib.compressobj(1)
    pieces = []
    data = text.encode("utf-8")
    for start in range(0, len(data), size):
        last = start + size >= len(data)
        out = deflate.compress(data[start : start + size])
        out += deflate.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
        pieces.append((base64.b64encode(out).decode(), last))
    return pieces


_JOBS = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(), max_size=4),
    max_size=10,
)


@given(_JOBS, st.integers(1, 50), st.booleans())
def test_a_job_list_is_the_same_however_it_is_cut(
    jobs: list[dict[str, object]], size: int, ascii_only: bool
) -> None:
    text = json.dumps({"jobs": jobs}, ensure_ascii=ascii_only)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps({"jobs": jobs})
    reader, got = JobListReader(), []
    for piece, last in _pieces(text, size):
        got += reader.feed(piece, last)
    assert got == jobs


def test_a_memo_that_looks_like_the_end_of_a_job_does_not_cut_it() -> None:
    jobs = [{"annotations": {"user": [{"a": 1}, {"id": 2}, '},{"id":3}']}}, {"id": 4}]
    pieces = _pieces(json.dumps({"jobs": jobs}, separators=(",", ":")), 7)
    reader = JobListReader()
    assert [job for piece in pieces for job in reader.feed(*piece)] == jobs


@pytest.mark.parametrize(
    "text", ['{"jobs":[{"id":1}', "[]", '{"error":[1]}', "x" * 50, '{"jobs":[{"id":1},', "{}"]
)
def test_a_cut_or_foreign_list_is_never_called_complete(text: str) -> None:
    reader = JobListReader()
    with pytest.raises(ValueError, match="job"):
        for piece, last in _pieces(text, 1000):
            reader.feed(piece, last)


@pytest.mark.parametrize("data", ["!!!", base64.b64encode(b"not deflated").decode()])
def test_a_piece_that_is_not_deflated_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        JobListReader().feed(data, last=True)
