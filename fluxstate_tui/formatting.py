"""How numbers, times and states are said: short, aligned, the same on every screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from fluxstate_tui.charset import cells, cut


class Word(Struct, frozen=True):
    """A state as people see it: glyph, word, and the tone that gives the colour."""

    glyph: str
    word: str
    tone: str

    def __str__(self) -> str:
        return f"{self.glyph} {self.word}"


def age(seconds: float) -> str:
    """A span in at most four cells: 42s, 18m, 5h, 3d, 2y."""
    whole = max(0, int(seconds))
    for unit, size, until in (("s", 1, 100), ("m", 60, 100), ("h", 3600, 48), ("d", 86400, 1000)):
        if whole < size * until:
            return f"{whole // size}{unit}"
    return f"{whole // 31_536_000}y"


def duration(seconds: float) -> str:
    """A job's time as `flux jobs` prints it: 0.170s, 8.557s, 20.06s, 1.500m, 2.000h."""
    for unit, size, limit in (("s", 1, 60), ("m", 60, 3600), ("h", 3600, 86400)):
        if seconds < limit:
            return _four_digits(seconds / size) + unit
    return _four_digits(seconds / 86400) + "d"


def _four_digits(value: float) -> str:
    whole = len(str(int(value)))
    return f"{value:.{max(0, 4 - whole)}f}"


def size(octets: int) -> str:
    """Bytes in at most six cells: 812 B, 14 kB, 1.4 MB."""
    if octets < 1000:
        return f"{octets} B"
    value = float(octets)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 1000:
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{value:.0f} PB"


def moment(timestamp: float) -> str:
    """Local date and time of seconds since the epoch; impossible times are shown as numbers."""
    try:
        return datetime.fromtimestamp(timestamp).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(timestamp)


def plural(count: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# Text of jobs and clusters for plain output: shown as it is, but never obeyed by a terminal.


def plain(text: str) -> str:
    r"""One line: control, format and bidi characters, line ends and surrogates become `\x1b`."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def plain_lines(text: str) -> str:
    """Several lines: line ends and tabs stay, everything else is as in `plain`."""
    return "\n".join(
        "\t".join(plain(piece) for piece in line.split("\t")) for line in text.split("\n")
    )


def _shown(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


_WIDEST = 64


def aligned(rows: Iterable[Sequence[object]], gap: int) -> list[str]:
    """A table: columns aligned to the left, `gap` spaces apart; text of the cluster is made safe.

    All but the last column are cut at 64 cells: one job with a name of a thousand letters must not
    push what is said about all others out of sight. Object names of Kubernetes are shorter.
    """
    lines = [_table_cells(row) for row in rows]
    widths = [max(map(cells, column)) for column in zip(*lines, strict=True)]
    space = " " * gap
    return [
        space.join(
            cell + " " * (width - cells(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def _table_cells(row: Sequence[object]) -> list[str]:
    *others, last = (plain(str(cell)) for cell in row)
    return [*(cut(cell, _WIDEST) for cell in others), last]


# How long ago, in the few letters that kubectl uses for it.


def human_duration(seconds: float) -> str:
    """`5s`, `2m3s`, `4h5m`, `3d` as k8s.io/apimachinery/pkg/util/duration prints ages."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, rest = divmod(days, 365)
    return f"{years}y{rest}d" if rest and years < 8 else f"{years}y"


# Small graphs in text: sparklines and bars. Each has a numeric twin beside it on the screen.

_STEPS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """One cell per value, scaled from 0 to the largest."""
    top = max(values, default=0)
    if top <= 0:
        return _STEPS[0] * len(values)
    return "".join(_STEPS[min(7, int(value / top * 7.999))] for value in values)


def bar(share: float, width: int) -> str:
    """A filled share (0 to 1) of `width` cells."""
    filled = round(max(0.0, min(1.0, share)) * width)
    return "█" * filled + "░" * (width - filled)
