"""What is sent to a container whose Python is not ours to choose."""

from __future__ import annotations

import ast
import json
import sys

from fluxstate_tui.flux.remote import BOOTSTRAP, program_line

SENT: list[tuple[str, str]] = json.loads(program_line())


def test_every_module_is_python_3_6() -> None:
    for name, text in [("bootstrap", BOOTSTRAP), *SENT]:
        ast.parse(text, name, feature_version=(3, 6))
        assert "from __future__ import annotations" not in text, "it came with 3.7"


def test_they_need_the_standard_library_flux_and_what_was_sent_before() -> None:
    known = {"flux", *sys.stdlib_module_names}
    sent: set[str] = set()
    for name, text in SENT:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= known
            elif isinstance(node, ast.ImportFrom):
                module = str(node.module)
                names = {f"{module}.{alias.name}" for alias in node.names}
                assert module.split(".")[0] in known or module in sent or names <= sent
        sent.add(name)


def test_they_are_small_enough_for_one_line() -> None:
    assert len(program_line()) < 100_000
    assert program_line().count(b"\n") == 1
