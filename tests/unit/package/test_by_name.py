"""What is made of many values gets them by name: two that are exchanged are seen by nobody."""

from __future__ import annotations

import ast
from pathlib import Path

import fluxstate_tui

PACKAGE = Path(fluxstate_tui.__file__).parent
MOST = 5
BY_POSITION = {
    "Column": "columns are written below each other, and are a table of their own",
    "Job": "archive/builder.py: a million times, and each is held by "
    "test_each_value_of_a_job_lands_in_its_own_field",
}


def test_no_more_than_five_values_are_given_by_position() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node.func)}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if "sim" not in path.relative_to(PACKAGE).parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and len(node.args) > MOST and _made(node) not in BY_POSITION
        if _made(node).lstrip("_")[:1].isupper()
    ]
    assert found == []


def _made(call: ast.Call) -> str:
    """The name of the class, or of the function."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
