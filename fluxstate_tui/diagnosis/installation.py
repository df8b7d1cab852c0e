"""What is wrong with the installation around all MiniClusters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fluxstate_tui.diagnosis.finding import Blind, Diagnosis, Finding, Quote, Severity, Source, Told

_SKEW = 5.0


@dataclass(frozen=True, slots=True)
class Installation:
    """`version` is that of MiniClusters that is served; `operators` are its pods' phases by name.

    None is what may not be read. `clock_offset` is the API server's clock minus ours, in seconds;
    `missing_rights` are rights that we want and lack, as kubectl words them.
    """

    version: str
    operators: dict[str, str] | None
    missing_rights: tuple[str, ...]
    clock_offset: float


def examine(installation: Installation, silenced: Iterable[str] = ()) -> Diagnosis:
    """As with a MiniCluster: findings, and what could not be looked at."""
    silent = set(silenced)
    every = list(_findings(installation))
    found = [f for f in every if not silent & {f.code, f.slug}]
    blind = []
    if installation.operators is None and not silent & {"FS901", "operator-down"}:
        blind.append(Blind("FS901", "operator-down", (Source.OPERATOR,)))
    return Diagnosis(tuple(found), tuple(blind), len(every) - len(found))


def _findings(one: Installation) -> Iterator[Finding]:
    operators = one.operators
    if operators is not None and "Running" not in operators.values():
        seen = ", ".join(f"{name} {phase}" for name, phase in operators.items())
        told = Told(
            "The Flux Operator does not run: nothing becomes of a MiniCluster.",
            (Quote(seen or "no pod of it in any namespace", Source.OPERATOR),),
            "Install or start it.",
            line="kubectl get pods -A -l control-plane=controller-manager",
        )
        yield Finding("FS901", "operator-down", Severity.ERROR, told)
    if one.version == "v1alpha1":
        told = Told(
            "This cluster serves MiniClusters of the old version v1alpha1 only.",
            (Quote(one.version, Source.OPERATOR),),
            "Update the Flux Operator when its MiniClusters are saved.",
        )
        yield Finding("FS902", "old-operator", Severity.NOTE, told)
    if one.missing_rights:
        told = Told(
            "Rights are missing here that the dashboard asks for.",
            tuple(Quote(f"may not {right}", Source.RIGHTS) for right in one.missing_rights),
            "Ask for the Role of examples/rbac.yaml.",
        )
        yield Finding("FS903", "rights-missing", Severity.WARNING, told)
    if abs(one.clock_offset) > _SKEW:
        told = Told(
            f"This computer's clock is {abs(one.clock_offset):.0f} s "
            f"{'behind' if one.clock_offset > 0 else 'ahead of'} the cluster's.",
            (Quote(f"{one.clock_offset:+.1f} s", Source.CLOCK),),
            "Let both keep time (NTP). Ages here are by the cluster's clock.",
        )
        yield Finding("FS904", "clock-skew", Severity.WARNING, told)
