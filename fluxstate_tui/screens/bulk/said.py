"""What is said of all of them, and of one of them in full."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fluxstate_tui.operations.plan import OutcomeKind
from fluxstate_tui.screens.bulk.columns import LOCKED, NOT_POSSIBLE, state_word
from fluxstate_tui.screens.bulk.run import BulkRun, PartRun, run_of
from fluxstate_tui.screens.operation_rows import OUTCOMES
from fluxstate_tui.widgets.line import Part as Words
from fluxstate_tui.widgets.tones import color
from fluxstate_tui.widgets.words import moment, plural

if TYPE_CHECKING:
    from fluxstate_tui.operations.bulk import Part


def outcomes(run: BulkRun) -> dict[str, int]:
    """How many ended how, the good ones first."""
    ended = [part for part in run.parts.values() if part.outcome is not None]
    found = Counter(state_word(part).word for part in ended)
    order = [*(kind.value for kind in OutcomeKind), NOT_POSSIBLE.word]
    return {word: found[word] for word in order if found[word]}


def whole_parts(run: BulkRun) -> tuple[list[Words], list[Words]]:
    """Left how many are possible, or ended how; right how many at the same time."""
    limit = run.bulk.limit
    way = "one after the other" if limit == 1 else f"{limit} at the same time"
    if not run.started:
        words = f"{len(run.bulk.ready)} of {plural(len(run.parts), 'MiniCluster')} possible"
        locked = sum(state_word(part) is LOCKED for part in run.parts.values())
        warning = (f"  {locked} locked by another operator", "$state-warn")
        return [(words, "$foreground bold"), *([warning] if locked else [])], [(way, "$accent")]
    glyphs = {word.word: word for word in (*OUTCOMES.values(), NOT_POSSIBLE)}
    parts: list[Words] = []
    for name, count in outcomes(run).items():
        word = glyphs[name]
        parts += [(f"{word.glyph} {count} {word.word}", color(word.tone)), ("  ", "")]
    left = sum(part.outcome is None for part in run.parts.values())
    if left:
        parts.append((f"▶ {left} to go", "$state-busy"))
    return parts, [(way, "$muted")]


def part_rows(part: Part) -> list[list[Words]]:
    """Its plan before it is agreed to, its outcome after: what its line has no room for."""
    outcome, run = part.outcome, run_of(part)
    if outcome is None:
        return _plan_rows(part, run) if run is not None and not run.started else []
    word = state_word(part)
    rows = [[(f"{word} ", color(word.tone)), (f"{part.ref.name}: {outcome.reason}", "")]]
    if outcome.safe:
        rows.append([("  safe  ", "$state-ok"), (outcome.safe, "")])
    if outcome.advice:
        rows.append([("  do    ", "$accent"), (outcome.advice, "")])
    return rows


def _plan_rows(part: Part, run: PartRun) -> list[list[Words]]:
    rows: list[list[Words]] = [[(line, "")] for line in run.plan.preview]
    holder = run.holder
    if holder is None:
        return rows
    lock = f"{part.ref.name}: {holder.who} works on it since {moment(holder.since)}: {holder.what}."
    meaning = "This one is refused if that is not done when its turn comes."
    return [[(f"{LOCKED} ", "$state-warn"), (lock, "")], [(f"  {meaning}", "")], *rows]
