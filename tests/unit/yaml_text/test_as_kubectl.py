"""What people write means to us what it means to kubectl, or is refused with its line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.yaml_text import YamlError, load, load_documents

# What kubectl 1.32 made of these (kubectl label --local -o json).
AS_KUBECTL: list[tuple[str, Any]] = [
    ("2024-01-15", "2024-01-15"),
    ("2024-01-15T10:20:30Z", "2024-01-15T10:20:30Z"),
    ("2024-01-15 10:20:30", "2024-01-15 10:20:30"),
    ("1:30", "1:30"),
    ("12:30:45", "12:30:45"),
    ("190:20:30.15", "190:20:30.15"),
    ("yes", True),
    ("Off", False),
    ("n", False),
    ("yEs", "yEs"),
    ("0123", 83),
    ("089", 89),
    ("0o17", 15),
    ("0b11", 3),
    ("0x1F", 31),
    ("-0x1F", -31),
    ("1_000", 1000),
    ("1e3", 1000),
    ("1.5E+3", 1500),
    ("1e500", "1e500"),
    (".5", 0.5),
    ("5.", 5),
    ("+12", 12),
    ("-0", 0),
    ("~", None),
    ("null", None),
    ("", None),
    ("12345678901234567890", 12345678901234567890),
    ("1.10", 1.1),
    ("=", "="),
    ("!!str 123", "123"),
    ("!!binary aGVsbG8=", "hello"),
    ("'2024'", "2024"),
    ('"yes"', "yes"),
    ("1.2.3", "1.2.3"),
    ("- 1\n  - a", [1, "a"]),
    ("{1: one, true: t, 1.5: f}", {"1": "one", "true": "t", "1.5": "f"}),
    ("{<<: {a: 1, b: 2}, b: 3}", {"a": 1, "b": 3}),
    ("{<<: [{a: 1}, {a: 2, c: 4}], b: 3}", {"a": 1, "b": 3, "c": 4}),
    (".", "."),
    ("0x", "0x"),
    ("+", "+"),
    ("_1", "_1"),
    ("0b2", "0b2"),
]


@pytest.mark.parametrize(("text", "value"), AS_KUBECTL)
def test_a_value_is_what_it_is_to_kubectl(text: str, value: Any) -> None:
    found = load(f"x:\n  {text}\n" if text.startswith("- ") else f"x: {text}\n")["x"]
    assert json.dumps(found, sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is there twice, first in line 1"),
        ("x:\n  - {k: 1, k: 2}\n", 2, "'k' is there twice"),
        ('{"a": 1,\n "a": 2}', 2, "'a' is there twice"),
        ("1: a\n'1': b\n", 2, "'1' is there twice"),
        ("a: [", 1, ""),
        ("a: b: c", 1, "mapping values are not allowed"),
        ("\tx: 1", 1, "cannot start any token"),
        ("x: .nan", 1, "no number"),
        ("x: !odd y", 1, "!odd is not known"),
        ("x: {? [a] : b}", 1, "neither a text nor a number"),
        ("x: {null: b}", 1, "neither a text nor a number"),
        ("x: &a\n  y: *a", 1, "contains itself"),
        ("x: *gone", 1, "undefined alias"),
        ("x: !!int a", 1, "is no !!int"),
        ("a: 1\nx: " + "[" * 200, 2, ""),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(YamlError) as caught:
        load(text)
    assert words in caught.value.problem
    assert caught.value.line == line


def test_a_small_text_that_grows_without_bound_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for number in range(1, 9):
        again = ", ".join([f"*a{number - 1}"] * 10)
        lines.append(f"a{number}: &a{number} [{again}]")
    with pytest.raises(YamlError, match="more than"):
        load("\n".join(lines))


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(YamlError, match="nested too deeply"):
        load("[" * 5000 + "]" * 5000)
    with pytest.raises(YamlError, match="nested too deeply"):
        load('{"a":' * 5000 + "1" + "}" * 5000)


def test_documents_come_one_by_one_and_json_may_have_tabs() -> None:
    assert load_documents("a: 1\n---\n---\nb: 2\n...\n") == [{"a": 1}, None, {"b": 2}]
    assert load_documents('{\n\t"a": [1,\n\t2]\n}') == [{"a": [1, 2]}]
    assert load_documents('{"a": 1}\n---\n{"b": 2}') == [{"a": 1}, {"b": 2}]
    assert load_documents("") == []
    assert load("# nothing\n") is None
    assert load(b"\xef\xbb\xbfa: 1") == {"a": 1}
    with pytest.raises(YamlError, match="UTF-8") as caught:
        load(b"a: 1\nb: \xff")
    assert caught.value.line == 2


@given(st.text(max_size=60) | st.text(alphabet="a:-[]{}&*!|>'\"#,\n 0159.<~", max_size=60))
def test_no_text_crashes_it(text: str) -> None:
    try:
        found = load_documents(text)
    except YamlError:
        return
    json.dumps(found, allow_nan=False)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl to compare with")
def test_kubectl_here_makes_the_same_of_it(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    lines = [f"  k{number}: {text}" for number, (text, _) in enumerate(AS_KUBECTL)]
    head = "apiVersion: example.org/v1\nkind: Any\nmetadata: {name: x, labels: {a: b}}\nspec:\n"
    path.write_text(head + "\n".join(line for line in lines if ": - " not in line) + "\n")
    argv = ["kubectl", "label", "--local", "-f", str(path), "-o", "json", "c=d"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    ours = load(path.read_text())["spec"]
    theirs = json.loads(done.stdout)["spec"]
    assert {key: _rough(value) for key, value in ours.items()} == {
        key: _rough(value) for key, value in theirs.items()
    }


def _rough(value: Any) -> Any:
    """Printing alone rounds what is beyond 2**53."""
    return float(value) if isinstance(value, int) and abs(value) > 2**53 else value


def test_importing_it_does_not_import_a_parser() -> None:
    code = "import sys, fluxstate_tui.yaml_text; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
