"""The verdict on an archive in words, colour and glyph, and what it holds in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxstate_tui.archive.findings import Kind
from fluxstate_tui.screens.archives.opened import Opened
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.panel import Row
from fluxstate_tui.widgets.words import Word, plural, size

if TYPE_CHECKING:
    from fluxstate_tui.archive.reader import Archive
    from fluxstate_tui.archive.reading import Reading
    from fluxstate_tui.archive.verify import Verdict

VERDICTS = {
    Kind.COMPLETE: Word("✓", "complete", "ok"),
    Kind.EMPTY: Word("○", "empty", "ok"),
    Kind.ZERO_BYTES: Word("✗", "zero bytes", "bad"),
    Kind.TRUNCATED: Word("▲", "truncated", "bad"),
    Kind.DAMAGED: Word("▲", "damaged", "bad"),
    Kind.NOT_AN_ARCHIVE: Word("✗", "not an archive", "bad"),
    Kind.HOSTILE: Word("✗", "hostile", "bad"),
}
_LEVELS = {
    "L0": "its size was looked at",
    "L1": "its checksum is right",
    "L2": "every entry and job was checked",
    "L3": "Flux itself opened it",
}
_BAR = 24
_SHOWN = 20


def verdict_parts(verdict: Verdict, *, wide: bool) -> list[Part]:
    """`✓ complete (L2): 36 jobs in 203 entries, flux-core 0.88.0`; if wide, what L2 means."""
    word = VERDICTS[verdict.kind]
    parts: list[Part] = [(f"{word.glyph} {verdict.sentence()}", f"$state-{word.tone}")]
    if verdict.kind.good and wide:
        parts.append((f"  {verdict.level}: {_LEVELS.get(verdict.level, '')}", "$muted"))
    return parts


def finding_rows(opened: Opened) -> list[Row]:
    """What is wrong, each with its place; first of all that this is not the whole archive."""
    verdict = opened.verdict
    jobs = plural(len(verdict.archive.jobs), "job")
    rows: list[Row] = []
    if opened.cut:
        partial = f"▲ PARTIAL: {jobs} could be read; how many are missing is not known."
        rows.append(((partial, "$state-warn bold"),))
    for finding in verdict.findings[:_SHOWN]:
        place = f"{finding.place}: " if finding.place else ""
        rows.append(
            (
                (f"{VERDICTS[finding.kind].glyph} {finding.kind.value} ", "$state-bad"),
                (place, "$muted"),
                (finding.message, ""),
            )
        )
    if len(verdict.findings) > _SHOWN:
        rows.append(((f"… and {len(verdict.findings) - _SHOWN} more", "$muted"),))
    return rows


def count_parts(opened: Opened) -> list[Part]:
    """`12 pending  3 running …`, marked when that is only a part."""
    counts = opened.counts
    if opened.partial and not opened.cut:
        return []
    marked: list[Part] = [("at least  ", "$state-warn")] if opened.cut else []
    numbers = (
        (counts.pending, "pending", "wait"),
        (counts.running, "running", "busy"),
        (counts.done, "done", "ok"),
        (counts.failed, "failed", "bad"),
    )
    for number, word, tone in numbers:
        marked += [(f"{number} ", f"$state-{tone}"), (f"{word}  ", "$muted")]
    return marked


def identity_parts(archive: Archive, *, wide: bool) -> list[Part]:
    """Size, and if wide also checksum and the nodes it was made on."""
    if not wide:
        return [(size(archive.size), "$muted")]
    found = archive.resources
    nodes = f"{plural(found.nnodes, 'node')}, {found.ncores} cores  " if found is not None else ""
    return [(f"{nodes}{size(archive.size)}  sha256 {archive.sha256[:12]}", "$muted")]


def progress_parts(reading: Reading) -> list[Part]:
    """`◔ reading ████░░░░ 43 %  412 of 960 MB`."""
    if reading.stopped():
        return [("stopping …", "$muted")]
    full = round(reading.share * _BAR)
    parts: list[Part] = [(f"◔ {reading.what}  ", "$state-busy")]
    if reading.total:
        parts += [
            ("█" * full, "$state-busy"),
            ("░" * (_BAR - full), "$rule"),
            (f" {reading.share:4.0%}  ", ""),
            (f"{size(reading.done)} of {size(reading.total)}", "$muted"),
        ]
    return [*parts, ("   esc cancels", "$muted")]
