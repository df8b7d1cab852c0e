"""All rules over one picture: findings, the likeliest first, and what could not be looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fluxstate_tui.diagnosis.evidence import Evidence
from fluxstate_tui.diagnosis.finding import ASKED, Blind, Diagnosis, Finding, Severity, Told
from fluxstate_tui.diagnosis.rule import RULES
from fluxstate_tui.diagnosis.rules import containers, creation, flux, pods, volumes

# Their import is what registers the rules.
AREAS = (creation, pods, volumes, containers, flux)
_ORDER = list(Severity)
_IN_ORDER = sorted(RULES, key=lambda rule: rule.code)


def diagnose(evidence: Evidence, silenced: Iterable[str] = ()) -> Diagnosis:
    """Ask each rule. What those find whose code or slug is silenced is counted, and not told.

    Worse ones come first; among equals the order of codes is from causes to consequences.
    """
    silent, unseen = set(silenced), evidence.unseen()
    findings: list[Finding] = []
    blind: list[Blind] = []
    untold = 0
    for rule in _IN_ORDER:
        wanting = tuple(source for source in rule.needs if source in unseen)
        if rule.code in silent or rule.slug in silent:
            untold += 0 if wanting else sum(1 for _ in rule.look(evidence))
            continue
        if wanting:
            blind.append(Blind(rule.code, rule.slug, wanting))
            continue
        findings += (
            Finding(rule.code, rule.slug, rule.severity, _dated(told, evidence.asked))
            for told in rule.look(evidence)
        )
    findings.sort(key=lambda finding: _ORDER.index(finding.severity))
    return Diagnosis(tuple(findings), tuple(blind), untold)


def _dated(told: Told, asked: float | None) -> Told:
    """With the age of what the broker said, where it was not asked just now."""
    if asked is None:
        return told
    quotes = (
        replace(quote, at=asked) if quote.at is None and quote.source in ASKED else quote
        for quote in told.evidence
    )
    return replace(told, evidence=tuple(quotes))
