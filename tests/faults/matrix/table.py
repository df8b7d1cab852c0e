"""The matrix on paper: for each operation and fault how many points were tried and survived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .run import Result


def table(results: Iterable[Result]) -> str:
    """One line per fault, one column per operation: `tried`, or `survived/tried` if some failed."""
    reached = [one for one in results if one.reached or one.problems]
    columns = list(dict.fromkeys(one.scenario for one in reached))
    rows = list(dict.fromkeys(one.breakage for one in reached))
    lines = [["fault \\ operation", *columns, "all"]]
    for row in rows:
        mine = [one for one in reached if one.breakage == row]
        cells = [_cell([one for one in mine if one.scenario == column]) for column in columns]
        lines.append([row, *cells, _cell(mine)])
    sums = [_cell([one for one in reached if one.scenario == column]) for column in columns]
    lines.append(["all", *sums, _cell(reached)])
    widths = [max(len(line[number]) for line in lines) for number in range(len(lines[0]))]
    return "\n".join(_line(line, widths) for line in lines)


def _cell(results: Sequence[Result]) -> str:
    survived = sum(not one.problems for one in results)
    if not results:
        return "-"
    return str(survived) if survived == len(results) else f"{survived}/{len(results)}"


def _line(words: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(words, widths, strict=True)
    return first[0].ljust(first[1]) + "".join(f"  {word:>{width}}" for word, width in others)
