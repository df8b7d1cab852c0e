"""The one registry of rules: a function that is decorated here is asked from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fluxstate_tui.diagnosis.evidence import Evidence
from fluxstate_tui.diagnosis.finding import Severity, Source, Told

Look = Callable[[Evidence], Iterator[Told]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One diagnosis. Without all that it `needs` it is blind, and not asked."""

    code: str
    slug: str
    severity: Severity
    needs: tuple[Source, ...]
    look: Look


RULES: list[Rule] = []


def rule(code: str, slug: str, severity: Severity, *needs: Source) -> Callable[[Look], Look]:
    """Register a rule. Codes are never given twice, nor again after a rule went."""

    def add(look: Look) -> Look:
        if any(code == known.code or slug == known.slug for known in RULES):
            raise ValueError(f"{code} {slug} is taken")
        RULES.append(Rule(code, slug, severity, needs, look))
        return look

    return add
