"""What `doctor` prints: findings with their evidence, and what could not be looked at."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.evidence import operator_lines, operator_pods, read_evidence
from fluxstate_tui.broker.find import find_minicluster
from fluxstate_tui.cli.options import configuration, kube_options
from fluxstate_tui.cli.tables import age
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.diagnosis.diagnose import diagnose
from fluxstate_tui.diagnosis.finding import Diagnosis, Finding, Quote, Severity
from fluxstate_tui.diagnosis.installation import Installation, examine
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.formatting import plain, plural
from fluxstate_tui.kube.client import Access
from fluxstate_tui.kube.objects import EVENTS, JOBS, PODS, PVCS, parse_minicluster

_MARKS = {Severity.ERROR: "▲", Severity.WARNING: "!", Severity.NOTE: "·"}
_INSTALLATION = "installation"


async def doctor(args: argparse.Namespace) -> int:
    """Look, and say. Raises FluxstateError."""
    silenced = configuration().silenced
    found: dict[str, Diagnosis] = {}
    async with open_context(kube_options(args)) as context:
        resource = await context.cluster.minicluster_resource()
        operators = await operator_pods(context)
        if args.name:
            miniclusters = [await find_minicluster(context.cluster, args.name)]
        else:
            found[_INSTALLATION] = examine(
                await _installation(context, resource.version, operators), silenced
            )
            items = await context.cluster.list(resource, context.cluster.scope)
            miniclusters = [parse_minicluster(item) for item in items]
        refused = await operator_lines(context, operators)
        for one in miniclusters:
            evidence = await read_evidence(context, one, refused)
            found[str(one.ref)] = diagnose(evidence, silenced)
        now = context.server_now
    print(_json(found) if args.json else "\n".join(_lines(found, now)))
    wrong = any(diagnosis.wrong for diagnosis in found.values())
    return int(ExitCode.FAILURE if wrong else ExitCode.OK)


async def _installation(
    context: OperationContext, version: str, operators: list[dict[str, Any]] | None
) -> Installation:
    access, scope = Access(context.cluster, context.clock), context.cluster.scope
    missing = [
        f"list {resource.label}"
        for resource in (PODS, JOBS, EVENTS, PVCS)
        if not await access.can("list", resource, scope)
    ]
    if not await access.can("get", PODS, scope, subresource="log"):
        missing.append("get pods/log")
    if not await access.can_exec(context.cluster.namespace):
        missing.append("get and create pods/exec")
    seen = None
    if operators is not None:
        seen = {one["metadata"]["name"]: str(one["status"].get("phase")) for one in operators}
    return Installation(version, seen, tuple(missing), context.cluster.clock_offset)


def _lines(found: dict[str, Diagnosis], now: float) -> Iterator[str]:
    for name, diagnosis in found.items():
        yield f"{name}: {_verdict(diagnosis)}"
        for finding in diagnosis.findings:
            yield from _finding(finding, now)
        if diagnosis.silenced:
            yield f"  {plural(diagnosis.silenced, 'finding')} silenced by the configuration"
        if diagnosis.blind:
            wanting = {source.value for one in diagnosis.blind for source in one.wanting}
            codes = ", ".join(one.code for one in diagnosis.blind)
            yield f"  ? could not see {', '.join(sorted(wanting))}: not asked {codes}"


def _verdict(diagnosis: Diagnosis) -> str:
    count = len(diagnosis.findings)
    return plural(count, "finding") if count else "nothing is wrong as far as seen"


def _finding(finding: Finding, now: float) -> Iterator[str]:
    told = finding.told
    yield f"  {_MARKS[finding.severity]} {finding.code} {finding.slug}: {plain(told.cause)}"
    for quote in told.evidence:
        yield f"      {_quoted(quote, now)}"
    yield f"      do: {plain(told.fix)}"
    if told.line:
        yield f"      $ {plain(told.line)}"


def _quoted(quote: Quote, now: float) -> str:
    where = quote.source.value + (f", {plain(quote.about)}" if quote.about else "")
    when = f", {age(now - quote.at)} ago" if quote.at is not None else ""
    return f'"{plain(quote.text)}" ({where}{when})'


def _json(found: dict[str, Diagnosis]) -> str:
    return json.dumps({"diagnoses": [_diagnosis(n, d) for n, d in found.items()]}, indent=2)


def _diagnosis(name: str, diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "of": name,
        "findings": [_finding_json(finding) for finding in diagnosis.findings],
        "silenced": diagnosis.silenced,
        "blind": [
            {
                "code": b.code,
                "slug": b.slug,
                "wanting": [source.name.lower() for source in b.wanting],
            }
            for b in diagnosis.blind
        ],
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    told = finding.told
    return {
        "code": finding.code,
        "slug": finding.slug,
        "severity": finding.severity.value,
        "cause": told.cause,
        "evidence": [
            {"text": q.text, "source": q.source.name.lower(), "about": q.about, "at": q.at}
            for q in told.evidence
        ],
        "fix": told.fix,
        "key": told.remedy.value if told.remedy else "",
        "line": told.line,
    }
