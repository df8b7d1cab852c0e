"""What is sent to a container whose Python is not ours to choose."""

from __future__ import annotations

import ast
import json
import sys

from fluxstate_tui.flux.remote_code import BOOTSTRAP, program_line

PROGRAM = json.loads(program_line())


def test_it_is_python_3_6() -> None:
    for text in (BOOTSTRAP, PROGRAM):
        ast.parse(text, feature_version=(3, 6))
        assert "from __future__ import annotations" not in text, "it came with 3.7"


def test_it_needs_the_standard_library_and_flux_and_nothing_else() -> None:
    known = {"flux", *sys.stdlib_module_names}
    for node in ast.walk(ast.parse(PROGRAM)):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= known
        elif isinstance(node, ast.ImportFrom):
            assert str(node.module).split(".")[0] in known


def test_it_is_one_line_on_its_way() -> None:
    assert len(program_line()) < 50_000
    assert program_line().count(b"\n") == 1
