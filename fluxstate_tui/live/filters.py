"""The filter line: `text`, `state:run`, `user:x,y`, `nodes:>2`, `!name:test`. Mistakes are told."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

R = TypeVar("R")

_TERM = re.compile(r'(!?)(?:([A-Za-z_]+):)?(?:"([^"]*)"|(\S*))(?:\s+|$)')
_COMPARISON = re.compile(r"(>=|<=|>|<|=)?\s*(-?\d+(?:\.\d+)?)$")


class FilterError(ValueError):
    """The filter cannot be read; the message says why and what would be right."""


class FilterField(Struct, Generic[R], frozen=True):
    """A field that can be asked for. Exactly one of `text` and `number` is given."""

    name: str
    text: Callable[[R], str] | None = None
    number: Callable[[R], float | None] | None = None
    in_plain_text: bool = True


def parse_filter(line: str, fields: Mapping[str, FilterField[R]]) -> Callable[[R], bool] | None:
    """Read a filter line. Terms are joined by and, values after a colon (`a,b`) by or.

    None for an empty line. Raises FilterError with a sentence for the user.
    """
    line = line.strip()
    if line.count('"') % 2:
        raise FilterError('A quotation mark (") is not closed.')
    tests: list[Callable[[R], bool]] = []
    for match in _TERM.finditer(line):
        negated, name, quoted, bare = match.groups()
        if match.group(0) == "":
            break
        value = quoted if quoted is not None else bare
        tests.append(_term(name, value, bool(negated), quoted is not None, fields))
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)


def _term(
    name: str | None,
    value: str,
    negated: bool,
    quoted: bool,
    fields: Mapping[str, FilterField[R]],
) -> Callable[[R], bool]:
    if not value:
        what = f"{name}:" if name else "!"
        raise FilterError(f"'{what}' needs something after it.")
    if name is None:
        test = _anywhere(value, fields)
    else:
        field = fields.get(name.lower())
        if field is None:
            raise FilterError(_unknown(name, fields))
        values = [value] if quoted else [part for part in value.split(",") if part]
        test = _any_of([_one(field, part) for part in values])
    return (lambda row: not test(row)) if negated else test


def _one(field: FilterField[R], value: str) -> Callable[[R], bool]:
    if field.number is not None:
        return _numeric(field.name, field.number, value)
    assert field.text is not None
    text, wanted = field.text, value.casefold()
    return lambda row: wanted in text(row).casefold()


def _numeric(name: str, number: Callable[[R], float | None], value: str) -> Callable[[R], bool]:
    match = _COMPARISON.match(value)
    if match is None:
        raise FilterError(f"'{name}' is a number: write {name}:4, {name}:>2 or {name}:<=8.")
    sign, bound = match.group(1) or "=", float(match.group(2))

    def test(row: R) -> bool:
        found = number(row)
        if found is None:
            return False
        return {
            ">": found > bound,
            "<": found < bound,
            ">=": found >= bound,
            "<=": found <= bound,
            "=": found == bound,
        }[sign]

    return test


def _anywhere(value: str, fields: Mapping[str, FilterField[R]]) -> Callable[[R], bool]:
    wanted = value.casefold()
    texts = [f.text for f in fields.values() if f.text is not None and f.in_plain_text]
    return lambda row: any(wanted in text(row).casefold() for text in texts)


def _any_of(tests: list[Callable[[R], bool]]) -> Callable[[R], bool]:
    if not tests:
        raise FilterError("A comma needs a value beside it.")
    return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)


def _unknown(name: str, fields: Mapping[str, FilterField[R]]) -> str:
    close = difflib.get_close_matches(name.lower(), fields, n=1)
    if close:
        return f"There is no field '{name}'. Did you mean {close[0]}:?"
    return f"There is no field '{name}'. Fields: {', '.join(sorted(fields))}."
