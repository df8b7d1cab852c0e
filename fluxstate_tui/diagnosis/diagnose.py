"""All rules over one picture: findings, the likeliest first, and what could not be looked at."""

from __future__ import annotations

from collections.abc import Iterable

from fluxstate_tui.diagnosis.evidence import Evidence
from fluxstate_tui.diagnosis.finding import Blind, Diagnosis, Finding, Severity
from fluxstate_tui.diagnosis.rule import RULES
from fluxstate_tui.diagnosis.rules import containers, creation, flux, pods, volumes

# Their import is what registers the rules.
AREAS = (creation, pods, volumes, containers, flux)
_ORDER = list(Severity)


def diagnose(evidence: Evidence, silenced: Iterable[str] = ()) -> Diagnosis:
    """Ask each rule but those whose code or slug is silenced.

    Worse ones come first; among equals the order of codes is from causes to consequences.
    """
    silent = set(silenced)
    findings: list[Finding] = []
    blind: list[Blind] = []
    for rule in sorted(RULES, key=lambda one: one.code):
        if silent & {rule.code, rule.slug}:
            continue
        wanting = tuple(source for source in rule.needs if not evidence.sees(source))
        if wanting:
            blind.append(Blind(rule.code, rule.slug, wanting))
            continue
        findings += (
            Finding(rule.code, rule.slug, rule.severity, told) for told in rule.look(evidence)
        )
    findings.sort(key=lambda finding: _ORDER.index(finding.severity))
    return Diagnosis(tuple(findings), tuple(blind))
