"""What the terminal of this process can show: Unicode, or an ASCII form of the same width."""

from __future__ import annotations

import codecs
import locale
import os
import sys
from collections.abc import Mapping
from functools import cache
from io import TextIOWrapper
from typing import Final

UTF_8: Final = "utf-8"
ASCII: Final = "ascii"

# Error handler of codecs: a form or `?` of the same width for each character. Never raises.
ASCII_FORMS_ERRORS: Final = "fluxstate-ascii-forms"

# Each sign that the program shows and its form without Unicode, both one cell wide.
_FORMS: Final = (
    # jobs, and text that is cut, set apart or not there
    ("ƒ…·×–—›↳→←↑↓", "f~-x-->>><^v"),
    ("“”‘’•", "\"\"''*"),
    ("↵⏎⌫", "<<<"),
    # states
    ("●○◌◔◐◑◕◷", "*o.,::;@"),
    ("▶▷◀◁▲△▼▽▸", ">)<<^^vv>"),
    ("✓✔✗✘⊘‖", "++xx/="),
    ("◆◇■□◧", "#<#.%"),
    # sparklines and bars: the fuller the darker
    ("▁▂▃▄▅▆▇█", "_.:-=+*#"),
    ("░▒▓", ".:%"),
    # edges
    ("▉▊▋▌▍▎▏▐▕", "|||||||||"),
    ("▔▀▖▗▘▙▛▜▝▟", "-^.....''."),
    ("─━┄┅┈┉╌╍╴╶╸╺═╾╼", "-" * 15),
    ("│┃┆┇┊┋╎╏╵╷╹╻║╽╿", "|" * 15),
)
_BOX_DRAWING: Final = range(0x2500, 0x2580)
_CONTROL_PICTURES: Final = range(0x2400, 0x2422)

ASCII_FORMS: Final[Mapping[int, str]] = {
    **dict.fromkeys(_BOX_DRAWING, "+"),
    **dict.fromkeys(_CONTROL_PICTURES, "?"),
    **{ord(sign): form for signs, forms in _FORMS for sign, form in zip(signs, forms, strict=True)},
}


@cache
def encoding() -> str:
    """The encoding of this process's terminal."""
    return encoding_of(os.environ, locale.getencoding(), from_c=bool(sys.flags.utf8_mode))


def unicode() -> bool:
    """Whether the terminal can show every sign."""
    return encoding() == UTF_8


def encoding_of(environ: Mapping[str, str], system: str, *, from_c: bool) -> str:
    """What the locale of this environment says; ASCII where it names none.

    `system` is the encoding that the C library made of it. `from_c`: Python found the C locale,
    in which it writes UTF-8 and says LC_CTYPE=C.UTF-8 to child processes (PEP 538, PEP 540).
    """
    explicit = environ.get("PYTHONIOENCODING", "").partition(":")[0]
    if explicit or environ.get("PYTHONUTF8") == "1":
        return _known(explicit or UTF_8)
    names = [environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if from_c and names[1] in ("C.UTF-8", "C.utf8", "UTF-8"):
        names[1] = ""
    name = next((name for name in names if name), "C").lower()
    if "utf-8" in name or "utf8" in name:
        return UTF_8  # the terminal's word, even where this computer lacks the locale
    return ASCII if from_c or name in ("c", "posix") else _known(system)


def _known(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ASCII


def begin() -> None:
    """Standard output and error of this process write in that encoding, and never fail at it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # None when it was closed by whoever started this
            errors = "backslashreplace" if unicode() else ASCII_FORMS_ERRORS
            stream.reconfigure(encoding=encoding(), errors=errors)


def encode(text: str, encoding: str) -> bytes:
    """What a terminal of that encoding is sent: as many cells as the text has."""
    if encoding == UTF_8:
        return text.encode(UTF_8, "replace")
    # All signs, also those that the encoding has: some are two cells wide in East Asian ones.
    return text.translate(ASCII_FORMS).encode(encoding, ASCII_FORMS_ERRORS)


def cells(text: str) -> int:
    """How many cells of a terminal a line of text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """At most that many cells, with … for what is cut off."""
    if cells(text) <= width:
        return text
    if text.isascii():
        return f"{text[: width - 1]}…"
    from rich.cells import set_cell_size

    return set_cell_size(text, width - 1) + "…"


def _ascii_forms(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(ASCII_FORMS.get(ord(one), "?" * cells(one)) for one in bad), error.end


codecs.register_error(ASCII_FORMS_ERRORS, _ascii_forms)
