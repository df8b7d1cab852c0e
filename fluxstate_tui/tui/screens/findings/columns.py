"""The columns of the list of findings."""

from __future__ import annotations

from typing import Final

from fluxstate_tui.diagnosis.finding import Severity
from fluxstate_tui.formatting import Word
from fluxstate_tui.live.filters import FilterField
from fluxstate_tui.live.findings import Found
from fluxstate_tui.tui.widgets.grid import Column

SEVERITIES: Final = {
    Severity.ERROR: Word("▲", "error", "bad"),
    Severity.WARNING: Word("!", "warning", "warn"),
    Severity.NOTE: Word("·", "note", "off"),
}
_ORDER = list(Severity)


def rank(found: Found) -> tuple[int, str, str, str]:
    """The worst first; among equals causes before consequences."""
    severity = _ORDER.index(found.finding.severity)
    return severity, found.finding.code, found.ref.name, found.ref.namespace


_NAMESPACE: Column[Found] = Column(
    "namespace",
    "NAMESPACE",
    10,
    lambda f, _: f.ref.namespace,
    tone=lambda _: "off",
    sort=lambda f: (f.ref.namespace, f.ref.name),
    rank=6,
)
_FIRST: tuple[Column[Found], ...] = (
    Column(
        "severity",
        "SEVERITY",
        9,
        lambda f, _: str(SEVERITIES[f.finding.severity]),
        tone=lambda f: SEVERITIES[f.finding.severity].tone,
        sort=rank,
    ),
    Column(
        "finding",
        "FINDING",
        18,
        lambda f, _: f"{f.finding.code} {f.finding.slug}",
        sort=lambda f: f.finding.code,
        grow=10,
    ),
    Column(
        "minicluster",
        "MINICLUSTER",
        13,
        lambda f, _: f.ref.name,
        tone=lambda _: "strong",
        sort=lambda f: (f.ref.name, f.ref.namespace),
        grow=10,
    ),
)
_SAID: tuple[Column[Found], ...] = (
    Column("cause", "CAUSE", 26, lambda f, _: f.finding.told.cause, flex=1),
    Column("do", "DO", 30, lambda f, _: f.finding.told.fix, extra=True),
    Column("line", "LINE", 30, lambda f, _: f.finding.told.line, extra=True),
    Column(
        "evidence",
        "EVIDENCE",
        30,
        lambda f, _: " · ".join(quote.text for quote in f.finding.told.evidence),
        extra=True,
    ),
)


def finding_columns(namespaces: bool) -> tuple[Column[Found], ...]:
    """All columns; the namespace only when there can be more than one."""
    return (*_FIRST, *((_NAMESPACE,) if namespaces else ()), *_SAID)


FINDING_FIELDS: dict[str, FilterField[Found]] = {
    field.name: field
    for field in (
        FilterField[Found]("severity", text=lambda f: f.finding.severity.value),
        FilterField[Found]("code", text=lambda f: f.finding.code),
        FilterField[Found]("slug", text=lambda f: f.finding.slug),
        FilterField[Found]("name", text=lambda f: f.ref.name),
        FilterField[Found]("namespace", text=lambda f: f.ref.namespace),
        FilterField[Found]("cause", text=lambda f: f.finding.told.cause),
    )
}
