"""Flux's output formats: Python format strings with `!F !d !D`, `:h`, `+`, and `?:`/`+:` fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_FIELD = re.compile(r"(\?:|\?\+:|\+:)?\{([^{}:!]+)(?:!([a-zA-Z]))?(?::([^{}]*))?\}")
_TAIL = re.compile(r"(.*?)(:*)(>|<|\^)?(\d+)?(?:\.(\d+))?([+h]*)$")
EMPTY = ("", "0s", "0.0", "0:00:00", "1970-01-01T00:00:00", "None")


class FieldError(ValueError):
    """A format names a field that there is not."""


def fsd(seconds: float) -> str:
    """A duration as Flux prints it: `0.038s`, `17.51s`, `30m`, `1.5h`, `2d`."""
    if seconds < 0.001:
        return "0s"
    if seconds < 10.0:
        return f"{seconds:.3f}s"
    for limit, unit, factor in ((60.0, "s", 1.0), (3600.0, "m", 60.0), (86400.0, "h", 3600.0)):
        if seconds < limit:
            return f"{seconds / factor:.4g}{unit}"
    return f"{seconds / 86400.0:.4g}d"


def render_rows(
    form: str, rows: Sequence[Mapping[str, Any]], headings: Mapping[str, str], *, header: bool
) -> str:
    """All rows by the format, with a heading line. FieldError for an unknown field."""
    fields = [match[2] for match in _FIELD.finditer(form)]
    known = set(headings) | {key for row in rows for key in row}
    for field in fields:
        if field not in known:
            raise FieldError(f"Unknown format field: {field}")
    form = _without_empty_fields(form, rows)
    lines = []
    if header:
        lines.append(_render(form, None, headings))
    lines += [_render(form, row, headings) for row in rows]
    return "".join(line + "\n" for line in lines)


def _without_empty_fields(form: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """`?:{field}` is left out when no row has a value for it."""

    def keep(match: re.Match[str]) -> str:
        mark, field = match[1], match[2]
        text = match[0].removeprefix(mark or "")
        if mark and mark.startswith("?") and not any(str(row.get(field, "")) for row in rows):
            return "\0"
        return text

    return re.sub("\0 ?", "", _FIELD.sub(keep, form))


def _render(form: str, row: Mapping[str, Any] | None, headings: Mapping[str, str]) -> str:
    def one(match: re.Match[str]) -> str:
        field, conversion, spec = match[2], match[3], match[4] or ""
        if row is None:
            return _pad(headings.get(field, field.upper()), spec, heading=True)
        value = row.get(field, "")
        return _pad(_convert(value, conversion, spec), spec, heading=False)

    return _FIELD.sub(one, form)


def _convert(value: Any, conversion: str | None, spec: str) -> str:
    if conversion == "F":
        return fsd(float(value)) if isinstance(value, int | float) else ""
    if conversion in ("D", "d"):
        if not value:
            return ""
        when = datetime.fromtimestamp(float(value), UTC)
        if conversion == "D":
            return when.strftime("%Y-%m-%dT%H:%M:%S")
        chosen = spec.rpartition("::")[0] if "::" in spec else ""
        return when.strftime(chosen or "%b%d %H:%M").rstrip(":")
    return "" if value is None else str(value)


def _pad(text: str, spec: str, *, heading: bool) -> str:
    match = _TAIL.fullmatch(spec.rpartition(":")[2] if ":" in spec else spec)
    if match is None:
        return text
    _, _, align, width_text, precision_text, flags = match.groups()
    if "h" in flags and not heading and text in EMPTY:
        text = "-"
    if precision_text and not heading:
        limit = int(precision_text)
        if len(text) > limit and "+" in flags:
            text = text[: limit - 1] + "+"
        text = text[:limit]
    width = int(width_text or 0)
    if align == ">":
        return text.rjust(width)
    return text.center(width) if align == "^" else text.ljust(width)
