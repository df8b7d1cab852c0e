"""What all rules have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fluxstate_tui.diagnosis.diagnose import diagnose
from fluxstate_tui.diagnosis.finding import Severity, Source
from fluxstate_tui.diagnosis.installation import Installation, examine
from fluxstate_tui.diagnosis.rule import RULES
from fluxstate_tui.flux.queue import Queue
from tests.unit.diagnosis.making import healthy, of_pod


def test_codes_and_slugs_are_given_once() -> None:
    assert len({rule.code for rule in RULES}) == len({rule.slug for rule in RULES}) == len(RULES)


def test_a_rule_that_cannot_see_its_evidence_says_so_and_claims_nothing() -> None:
    blind = {one.slug: one.wanting for one in diagnose(healthy(events=None)).blind}
    assert blind["mount-failed"] == (Source.EVENTS,)
    assert Source.OPERATOR_LOG in blind["operator-rejected"]


def test_worse_findings_come_first() -> None:
    found = diagnose(of_pod("oompre", queues=(Queue("", True, False),))).findings
    severities = [list(Severity).index(one.severity) for one in found]
    assert len(set(severities)) > 1
    assert severities == sorted(severities)


def test_a_silenced_rule_is_neither_told_nor_blind() -> None:
    for word in ("FS101", "image-pull"):
        diagnosis = diagnose(of_pod("img-404"), silenced=(word,))
        assert "FS101" not in {one.code for one in diagnosis.findings}
        assert "FS101" not in {one.code for one in diagnosis.blind}


def _installation(**fields: Any) -> Installation:
    return replace(Installation("v1alpha2", {"controller": "Running"}, (), 0.2), **fields)


@pytest.mark.parametrize(
    ("fields", "slugs"),
    [
        ({}, []),
        ({"operators": {}}, ["operator-down"]),
        ({"operators": {"controller": "Pending"}}, ["operator-down"]),
        ({"version": "v1alpha1"}, ["old-operator"]),
        ({"missing_rights": ("list pods",)}, ["rights-missing"]),
        ({"clock_offset": -30.0}, ["clock-skew"]),
    ],
)
def test_an_installation_is_told_by_what_is_wrong_with_it(
    fields: dict[str, Any], slugs: list[str]
) -> None:
    assert [one.slug for one in examine(_installation(**fields)).findings] == slugs


def test_an_operator_that_may_not_be_looked_for_is_not_called_down() -> None:
    diagnosis = examine(_installation(operators=None))
    assert not diagnosis.findings
    assert [one.slug for one in diagnosis.blind] == ["operator-down"]
