"""Archives that Flux's own loader minds, and some that it does not: each with what Flux 0.88 did.

Every outcome here was recorded by letting real Flux load the archive; test_loader.py does it
again where there is a flux.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.flux import eventlog
from fluxstate_tui.flux.eventlog import Event
from tests.unit.archive import given

GOOD, CHANGED = 1 << 24, 2 << 24
_FOLDER = "job/0000/0000/0200/0000"


class Outcome(Enum):
    """What becomes of the archive in Flux."""

    LOADED = "every job is there"
    LOST = "it starts, without the changed job"
    NO_START = "it does not start"


@dataclass(frozen=True, slots=True)
class Mutation:
    """An archive with one good job and one that is changed, or with changed other members."""

    name: str
    entries: tuple[Entry, ...]
    outcome: Outcome

    @property
    def archive(self) -> bytes:
        """The archive."""
        names = {entry.name for entry in self.entries}
        before = [entry for entry in given.instance() if entry.name not in names]
        good = given.job_entries(GOOD, given.finished())
        return given.write(*before, *good, *self.entries)


_Events = list[Event]


def _job(
    name: str,
    outcome: Outcome,
    change: Callable[[_Events], object] = lambda _events: None,
    *,
    pending: bool = False,
    **files: bytes | None,
) -> Mutation:
    """A job whose events are changed in place, or with files that are replaced or missing."""
    events = given.pending() if pending else given.finished()
    change(events)
    entries = {entry.name: entry for entry in given.job_entries(CHANGED, events)}
    for file, data in files.items():
        entries.pop(f"{_FOLDER}/{file}", None)
        if data is not None:
            entries[f"{_FOLDER}/{file}"] = Entry(f"{_FOLDER}/{file}", data)
    return Mutation(name, tuple(entries.values()), outcome)


def _insert(at: int, name: str, **context: Any) -> Callable[[_Events], object]:
    """An event more, before that one; without a context it has none."""
    return lambda events: events.insert(at, Event(given.T0 + at + 0.25, name, context))


def _submit(**changes: Any) -> Callable[[_Events], object]:
    """Another context of the first event; None takes a key away."""

    def change(events: _Events) -> None:
        context = {**events[0].context, **changes}
        kept = {key: value for key, value in context.items() if value is not None}
        events[0] = Event(events[0].timestamp, "submit", kept)

    return change


def _log(before: bytes, after: bytes) -> bytes:
    """The usual eventlog with other bytes in one place."""
    log = eventlog.encode(given.finished())
    assert before in log
    return log.replace(before, after, 1)


def _spec(**system: Any) -> bytes:
    return json.dumps(given.jobspec("x", **system)).encode()


def _checkpoint(name: str, outcome: Outcome, data: bytes | dict[str, Any]) -> Mutation:
    value = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Mutation(f"checkpoint: {name}", (Entry("checkpoint/job-manager", value),), outcome)


def _member(name: str, outcome: Outcome, data: bytes = b"x") -> Mutation:
    return Mutation(f"a member {name}: {data[:40]!r}", (Entry(name, data),), outcome)


_QUEUE = {"enable": True, "start": True}
_V1 = {"version": 1, "max_jobid": 1}
_LOADED, _LOST, _NO_START = Outcome.LOADED, Outcome.LOST, Outcome.NO_START
_RESOURCE = "resource/eventlog"

MUTATIONS = (
    _job("unchanged", _LOADED),
    _job("unchanged, pending", _LOADED, pending=True),
    # the eventlog as a text
    _job("an empty eventlog", _LOST, eventlog=b""),
    _job("no eventlog", _LOST, eventlog=None),
    _job("an empty line", _LOST, eventlog=_log(b"\n", b"\n\n")),
    _job("one line without an end", _LOST, eventlog=_log(b"\n", b" ").replace(b"\n", b" ")),
    _job("a line that is no JSON", _LOST, eventlog=_log(b"\n", b"\nx\n")),
    _job("NaN", _LOST, eventlog=_log(b'"priority":16', b'"priority":NaN')),
    _job("a number of 20 digits", _LOST, eventlog=_log(b'"priority":16', b'"x":' + b"9" * 20)),
    _job("a float out of range", _LOST, eventlog=_log(b'"priority":16', b'"x":1e999')),
    _job("half a surrogate pair", _LOST, eventlog=_log(b'"priority":16', b'"x":"\\ud800"')),
    _job("NUL in a text", _LOADED, eventlog=_log(b'"priority":', b'"x":"\\u0000","priority":')),
    _job("NUL in a key", _LOST, eventlog=_log(b'"priority":', b'"\\u0000":1,"priority":')),
    _job("no UTF-8", _LOST, eventlog=_log(b'"priority":', b'"x":"\xff","priority":')),
    _job(
        "a context that is null", _LOST, eventlog=_log(b'"validate"', b'"validate","context":null')
    ),
    _job("a line with more keys", _LOADED, eventlog=_log(b'"validate"', b'"validate","more":1')),
    _job(
        "a time that is a text",
        _LOST,
        eventlog=_log(b'"name":"validate"', b'"name":"validate","timestamp":"1"'),
    ),
    # the replay
    _job("submit only", _LOST, lambda events: events.__delitem__(slice(1, None))),
    _job("no submit", _LOST, lambda events: events.__delitem__(0)),
    _job("no validate", _LOST, lambda events: events.__delitem__(1)),
    _job("submit twice", _LOST, _insert(5, "submit", userid=0, urgency=16, flags=0, version=1)),
    _job("submit without flags", _LOST, _submit(flags=None)),
    _job("submit without urgency", _LOST, _submit(urgency=None)),
    _job("submit of version 2", _LOST, _submit(version=2)),
    _job("submit of version 0", _LOST, _submit(version=0)),
    _job("submit of version '1'", _NO_START, _submit(version="1")),
    _job("submit without version, as before 0.41", _LOADED, _submit(version=None)),
    _job("invalidate", _LOST, _insert(2, "invalidate")),
    _job(
        "priority without a number",
        _LOST,
        lambda events: events.__setitem__(3, Event(given.T0 + 3, "priority")),
    ),
    _job("priority without a number, later", _NO_START, _insert(6, "priority", priority="x")),
    _job("urgency without a number", _LOST, _insert(3, "urgency")),
    _job("urgency 99", _NO_START, _insert(3, "urgency", urgency=99)),
    _job(
        "finish without status",
        _NO_START,
        lambda events: events.__setitem__(6, Event(given.T0 + 6, "finish")),
    ),
    _job(
        "release without final",
        _LOST,
        lambda events: events.__setitem__(7, Event(given.T0 + 7, "release")),
    ),
    _job("exception without note", _NO_START, _insert(6, "exception", type="x", severity=3)),
    _job("exception without type", _LOST, _insert(6, "exception", severity=3, note="n")),
    _job("exception without severity", _LOST, _insert(6, "exception", type="x", note="n")),
    _job(
        "exception without type, after the end",
        _NO_START,
        _insert(10, "exception", severity=3, note="n"),
    ),
    _job(
        "exception whose note is null",
        _NO_START,
        _insert(6, "exception", type="x", severity=3, note=None),
    ),
    _job("memo without a context", _LOST, _insert(3, "memo")),
    _job("memo with nulls", _LOADED, _insert(3, "memo", a=None, b={"c": None})),
    _job("dependency without description", _LOST, _insert(2, "dependency-add")),
    _job("dependency without description, later", _NO_START, _insert(6, "dependency-add")),
    _job(
        "a dependency is removed that was not added",
        _LOST,
        _insert(2, "dependency-remove", description="a"),
    ),
    _job("that, later", _LOADED, _insert(6, "dependency-remove", description="a")),
    _job("an event dependency-foo", _LOST, _insert(2, "dependency-foo", description="a")),
    _job(
        "an event dependency-foo, later", _NO_START, _insert(6, "dependency-foo", description="a")
    ),
    _job("a flag that is unknown", _LOST, _insert(2, "set-flags", flags=["x"])),
    _job("a flag that is known", _LOADED, _insert(2, "set-flags", flags=["debug"])),
    _job("set-flags without flags", _LOST, _insert(2, "set-flags")),
    _job("an event prolog-foo", _LOST, _insert(5, "prolog-foo")),
    _job("an event epilog-foo", _LOST, _insert(7, "epilog-foo")),
    _job("an event epilog-foo, early", _LOADED, _insert(3, "epilog-foo")),
    _job("an event that nobody knows", _LOADED, _insert(3, "plugin.said", x=[1])),
    _job("an event annotations without them", _NO_START, _insert(3, "annotations")),
    _job(
        "jobspec-update",
        _LOADED,
        _insert(3, "jobspec-update", **{"attributes.system.duration": 5.0}),
    ),
    _job("jobspec-update without a context", _NO_START, _insert(3, "jobspec-update")),
    _job(
        "jobspec-update of a path that is none",
        _LOST,
        _insert(3, "jobspec-update", **{"attributes..x": 1}),
    ),
    _job(
        "jobspec-update below a text",
        _LOST,
        _insert(3, "jobspec-update", **{"attributes.system.cwd.x": 1}),
    ),
    _job(
        "jobspec-update to a queue that is a number",
        _LOST,
        _insert(3, "jobspec-update", **{"attributes.system.queue": 1}),
    ),
    _job("jobspec-update of another key", _LOADED, _insert(3, "jobspec-update", other=1)),
    _job("resource-update", _LOADED, _insert(6, "resource-update", expiration=1e10)),
    _job("resource-update of something else", _LOST, _insert(6, "resource-update", x=1)),
    _job("resource-update of more", _LOST, _insert(6, "resource-update", x=1, expiration=1e10)),
    _job("resource-update to the past", _LOST, _insert(6, "resource-update", expiration=-1)),
    _job(
        "resource-update without R",
        _LOST,
        _insert(3, "resource-update", expiration=1e10),
        pending=True,
    ),
    # jobspec and R
    _job("no jobspec", _LOST, jobspec=None),
    _job("a cut jobspec", _LOST, jobspec=_spec()[:-1]),
    _job("a jobspec that is a list", _LOST, jobspec=b"[]"),
    _job("a jobspec that is a number", _LOST, jobspec=b"1"),
    _job("a jobspec whose attributes are null", _LOST, jobspec=b'{"attributes":null}'),
    _job("a jobspec whose queue is null", _LOST, jobspec=_spec(queue=None)),
    _job("a jobspec whose queue is a number", _LOST, jobspec=_spec(queue=1)),
    _job("a jobspec with half a surrogate pair", _LOST, jobspec=_spec(x="\ud800")),
    _job("a jobspec with NUL", _LOST, jobspec=_spec(x="\0")),
    _job("a jobspec with a number of 20 digits", _LOST, jobspec=_spec(x=10**20)),
    _job(
        "a jobspec with a float out of range", _LOST, jobspec=_spec(x="@").replace(b'"@"', b"1e999")
    ),
    _job("a jobspec with NaN", _LOST, jobspec=_spec(x=float("nan"))),
    _job("a jobspec without UTF-8", _LOST, jobspec=_spec(x="@").replace(b"@", b"\xff")),
    _job("a jobspec with text of all kinds", _LOADED, jobspec=_spec(x="é\U0001f600\n1e9")),
    _job("R that is no JSON", _LOST, R=b"{"),
    _job("R that is no JSON, before it is needed", _LOST, pending=True, R=b"{"),
    # directories below job
    _member("job/foo/bar/a/b/eventlog", _NO_START),
    _member("job/foo/bar/a/eventlog", _LOADED),
    _member("job/00000/0000/0000/0009/eventlog", _NO_START),
    _member("job/00.00/x", _NO_START),
    _member("job/0000/00.00/0000/0009/x", _NO_START),
    _member("job/0000/0000/0000/000A/eventlog", _LOST),
    _member("job/0000/0000/0000/a/eventlog", _LOST),
    _member("job/0000/0000/0000/0x9/x", _LOST),
    _member("job/0000/0000/0000/0009/guest/output", _LOST, b'{"timestamp":1.5,"name":"x"}\n'),
    _member("job/0000/0000/0000/0009/x", _LOST),
    _member("job/0000/0000/0000/0009", _LOADED),
    # the instance
    _checkpoint("empty", _NO_START, b""),
    _checkpoint("no JSON", _NO_START, b"x"),
    _checkpoint("cut", _NO_START, b'{"version":1,"max_jobid":'),
    _checkpoint("version 2", _NO_START, {**_V1, "version": 2}),
    _checkpoint("version 2 without max_jobid", _NO_START, {"version": 2}),
    _checkpoint("version -1 with queues", _NO_START, {**_V1, "version": -1, "queue": []}),
    _checkpoint("version -1 without queues", _LOADED, {**_V1, "version": -1}),
    _checkpoint("without queues", _LOADED, _V1),
    _checkpoint("version 0 without start", _LOADED, {"max_jobid": 1, "queue": [{"enable": True}]}),
    _checkpoint("version 1 without start", _NO_START, {**_V1, "queue": [{"enable": True}]}),
    _checkpoint("queues that are an object", _NO_START, {**_V1, "queue": {}}),
    _checkpoint("queues that are null", _NO_START, {**_V1, "queue": None}),
    _checkpoint("a queue that is a text", _NO_START, {**_V1, "queue": ["x"]}),
    _checkpoint(
        "a queue that says 1 for true", _NO_START, {**_V1, "queue": [{**_QUEUE, "enable": 1}]}
    ),
    _checkpoint(
        "a queue whose name is null", _NO_START, {**_V1, "queue": [{**_QUEUE, "name": None}]}
    ),
    _checkpoint(
        "a queue whose reason is a number",
        _NO_START,
        {**_V1, "queue": [{**_QUEUE, "disable_reason": 3}]},
    ),
    _checkpoint("a queue", _LOADED, {**_V1, "queue": [{**_QUEUE, "start": False}]}),
    _checkpoint(
        "max_jobid of 64 bits", _NO_START, b'{"version":1,"max_jobid":18446744073709551615}'
    ),
    _member(_RESOURCE, _NO_START, b"x\n"),
    _member(
        _RESOURCE, _LOADED, b'{"timestamp":1.5,"name":"resource-define","context":{"method":"x"}}\n'
    ),
    _member(_RESOURCE, _NO_START, b'{"timestamp":1.5,"name":"drain","context":{"idset":"0"}}\n'),
    _member(_RESOURCE, _NO_START, b'{"timestamp":1.5,"name":"undrain"}\n'),
    _member(
        _RESOURCE,
        _LOADED,
        b'{"timestamp":1.5,"name":"drain","context":{"idset":"0","nodelist":"n0"}}\n',
    ),
)
