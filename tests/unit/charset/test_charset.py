"""Signs, names and job ids where the terminal is none of UTF-8."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual._border import BORDER_CHARS
from textual.scrollbar import ScrollBarRender

import fluxstate_tui
from fluxstate_tui.charset import ASCII_FORMS, cut, encode, encoding_of
from fluxstate_tui.formatting import aligned, sparkline
from fluxstate_tui.tui.text import visible
from fluxstate_tui.tui.widgets.job_words import JOB_RESULTS, JOB_STATES
from fluxstate_tui.tui.widgets.words import PHASES

PACKAGE = Path(fluxstate_tui.__file__).parent
# Simulated programs in a pod draw their own.
NOT_OURS = ("sim",)


@pytest.mark.parametrize(
    ("environ", "system", "from_c", "encoding"),
    [
        ({"LANG": "C.UTF-8"}, "UTF-8", False, "utf-8"),
        ({"LANG": "de_DE.utf8", "LC_CTYPE": ""}, "UTF-8", False, "utf-8"),
        ({"LC_ALL": "C"}, "ANSI_X3.4-1968", True, "ascii"),
        ({"LC_ALL": "POSIX", "LANG": "C.UTF-8"}, "ANSI_X3.4-1968", True, "ascii"),
        # What Python makes of LANG=C, and of no locale at all.
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "UTF-8", True, "ascii"),
        ({"LC_CTYPE": "C.UTF-8"}, "UTF-8", True, "ascii"),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, "UTF-8", False, "utf-8"),
        # SSH brings a locale along that this computer lacks.
        ({"LANG": "de_DE.UTF-8", "LC_CTYPE": "C.UTF-8"}, "UTF-8", True, "utf-8"),
        ({"LANG": "de_DE", "LC_CTYPE": "C.UTF-8"}, "UTF-8", True, "ascii"),
        ({"LC_ALL": "en_US.ISO-8859-1"}, "ISO-8859-1", False, "iso8859-1"),
        ({"LANG": "ja_JP.eucJP"}, "EUC-JP", False, "euc_jp"),
        ({"LANG": "xx"}, "nonsense", False, "ascii"),
        ({"LC_ALL": "C", "PYTHONIOENCODING": "utf-8:strict"}, "ANSI_X3.4-1968", True, "utf-8"),
        ({"LC_ALL": "C", "PYTHONUTF8": "1"}, "ANSI_X3.4-1968", True, "utf-8"),
    ],
)
def test_the_locale_says_what_the_terminal_can_show(
    environ: Mapping[str, str], system: str, from_c: bool, encoding: str
) -> None:
    assert encoding_of(environ, system, from_c=from_c) == encoding


def _texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_sign_of_the_program_has_an_ascii_form() -> None:
    files = [
        path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in NOT_OURS
    ]
    signs = {
        sign for path in files for text in _texts(path) for sign in text if visible(sign) == sign
    }
    # Wide ones are the operator's, which are looked for in its logs.
    drawn = {sign for sign in signs if not sign.isascii() and cell_len(sign) == 1}
    missing = {sign for sign in drawn if ord(sign) not in ASCII_FORMS}
    assert missing - {"�"} == set()


def test_every_line_and_bar_of_textual_has_an_ascii_form() -> None:
    signs = {sign for kind in BORDER_CHARS.values() for row in kind for sign in "".join(row)} | set(
        "".join([*ScrollBarRender.VERTICAL_BARS, *ScrollBarRender.HORIZONTAL_BARS])
    )
    assert {sign for sign in signs if not sign.isascii() and ord(sign) not in ASCII_FORMS} == set()


def test_each_ascii_form_is_as_wide_as_its_sign() -> None:
    for code, form in ASCII_FORMS.items():
        assert form.isascii()
        assert form.isprintable()
        assert (len(form), cell_len(chr(code))) == (1, 1), chr(code)


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "koi8-r"])
@given(text=st.text())
@settings(max_examples=200)
def test_what_is_drawn_takes_as_many_cells_in_any_encoding(encoding: str, text: str) -> None:
    shown = "".join(map(visible, text))
    assert len(encode(shown, encoding)) == sum(map(cell_len, shown))


def test_text_is_left_as_it_is_where_the_terminal_has_it() -> None:
    assert encode("● é ƒ12", "utf-8").decode() == "● é ƒ12"
    assert encode("● é ƒ12", "iso8859-1") == b"* \xe9 f12"
    assert encode("● é ƒ12", "ascii") == b"* ? f12"
    assert encode("● 日本", "euc_jp") == b"* " + "日本".encode("euc_jp")


def test_states_can_be_told_apart_in_ascii() -> None:
    for words in (PHASES.values(), JOB_STATES.values(), JOB_RESULTS.values()):
        shown = {encode(str(word), "ascii") for word in words}
        assert len(shown) == len({str(word) for word in words})
    steps = encode(sparkline(range(1, 9)), "ascii")
    assert len(set(steps)) == 8


def test_a_table_is_aligned_by_what_is_seen() -> None:
    first, wide, cut_off = aligned([("NAME", "X"), ("日本", "1"), ("日" * 50, "2")], gap=2)
    assert cell_len(wide[: wide.index("1")]) == first.index("X") == cell_len(cut_off) - 1 == 66
    assert cut("日本語", 5) == "日本…"
