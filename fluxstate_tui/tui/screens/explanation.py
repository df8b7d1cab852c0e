"""Why something is as it is, in one sentence and with the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.formatting import age
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.operations.registry import spec
from fluxstate_tui.tui.screens.words import state_word
from fluxstate_tui.tui.theme import color
from fluxstate_tui.tui.widgets.lines import Part

if TYPE_CHECKING:
    from fluxstate_tui.diagnosis.finding import Diagnosis, Finding, Quote
    from fluxstate_tui.minicluster.objects import KubeEvent
    from fluxstate_tui.tui.screens.services import OperationRun


def headline(summary: Summary, run: OperationRun | None) -> list[Part]:
    """The state and its reason in one line; a running operation comes first."""
    word = state_word(summary)
    parts: list[Part] = []
    if run is not None and run.outcome is None:
        parts += [(f"▶ {run.title}: {run.progress_text}", "$state-busy"), ("  ", "")]
    if run is not None and run.outcome is not None and run.unseen:
        key = spec(run.plan.operation).key
        said = f"▲ {run.title}: {run.outcome.kind.value}, {key} shows why"
        parts += [(said, "$state-bad bold"), ("  ", "")]
    if summary.armed and not (run is not None and run.running):
        parts += [("! an archive is armed: D disarms it", "$state-bad bold"), ("  ", "")]
    parts += [(str(word), color(word.tone)), ("  ", "")]
    return [*parts, (summary.warning or summary.reason, "$foreground")]


def explanation(
    summary: Summary, events: Sequence[KubeEvent], now: float, diagnosis: Diagnosis | None = None
) -> list[list[Part]]:
    """What is wrong, the evidence that the state was derived from, and the last events."""
    rows: list[list[Part]] = []
    if diagnosis is not None:
        for finding in diagnosis.findings:
            rows += finding_rows(finding)
    rows.append([("EVIDENCE", "$muted bold")])
    rows += [[("· ", "$muted"), (line, "")] for line in summary.evidence]
    if summary.armed:
        rows.append(
            [
                ("! ", "$state-bad"),
                ("An archive is armed: the next start of the lead container loads it, and ", ""),
                ("throws away the queue that is there. D disarms it.", ""),
            ]
        )
    rows += [event_row(event, now) for event in events]
    return rows


MOST_QUOTED = 600
_TONES = {"error": "$state-bad", "warning": "$state-warn", "note": "$muted"}


def finding_rows(finding: Finding) -> list[list[Part]]:
    """Code and cause, then what to do."""
    told, tone = finding.told, _TONES[finding.severity.value]
    return [
        [(f"{finding.code} {finding.slug} ", tone), (told.cause, "")],
        [("  do: ", "$muted"), (told.fix, "")],
    ]


def finding_in_full(finding: Finding, now: float) -> list[list[Part]]:
    """What it is, what to do, the line to copy, and on which evidence."""
    told = finding.told
    rows = finding_rows(finding)
    if told.remedy is not None:
        kind = OperationKind(told.remedy.value)
        rows.append([("  key: ", "$muted"), (spec(kind).key, "$accent bold"), (f" {kind}", "")])
    if told.line:
        rows.append([("  $ ", "$muted"), (told.line, "$accent"), ("  (y copies it)", "$muted")])
    return rows + [
        [("  · ", "$muted"), (quote.text[:MOST_QUOTED], ""), (f"  {where(quote, now)}", "$muted")]
        for quote in told.evidence
    ]


def where(quote: Quote, now: float) -> str:
    """Where it was read, and how long ago it was written."""
    place = quote.source.value + (f", {quote.about}" if quote.about else "")
    return place + (f", {age(now - quote.at)} ago" if quote.at is not None else "")


def event_row(event: KubeEvent, now: float) -> list[Part]:
    """One Kubernetes event: age, reason, object, message."""
    tone = "$state-warn" if event.type == "Warning" else "$muted"
    return [
        (f"{age(now - event.last_seen):>4}  ", "$muted"),
        (f"{event.reason} ", tone),
        (f"{event.kind.lower()}/{event.name} ", "$muted"),
        (event.message, ""),
    ]


def trouble_rows(error: FluxstateError) -> list[str]:
    """An error in lines: what happened, what is safe, what to do."""
    rows = [error.message]
    if error.safe:
        rows.append(f"safe: {error.safe}")
    if error.advice:
        rows.append(f"do: {error.advice}")
    return rows
