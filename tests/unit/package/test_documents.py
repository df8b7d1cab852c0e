"""What the documents say of the code is there, and the code cites nothing that does not ship."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "examples/README.md",
)
# README speaks of files of its readers too.
WITH_PATHS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")
# Files of the working place in which this was made: pieces, so that this file has none of them.
ELSEWHERE = re.compile(
    "|".join((r"\bfac" + r"ts/", r"\bsee" + r"ds/", r"\bsha" + r"red/", r"\bDESI" + r"GN\b"))
)
CITED = re.compile(r"ARCHITECTURE\.md#(F\d+)")
# `path/to/file.py`, `path/to/folder/`, with or without `::test_name`.
NAMED = re.compile(r"`([\w.][\w./-]*?(?:\.(?:py|md|yaml|toml|tcss|svg)|/))(?:::(\w+))?`")
LINKED = re.compile(r"\]\(([^)#]+)(?:#([\w-]+))?\)")


def text_files() -> list[Path]:
    found = [ROOT / "Makefile", ROOT / "pyproject.toml", *ROOT.glob("*.md")]
    for folder in ("fluxstate_tui", "tests", "examples", "themes"):
        for suffix in ("py", "md", "yaml", "tcss", "toml"):
            found += (ROOT / folder).rglob(f"*.{suffix}")
    return [path for path in found if "data" not in path.relative_to(ROOT).parts]


def test_nothing_cites_what_does_not_ship() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in text_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ELSEWHERE.search(line)
    ]
    assert found == []


def test_every_fact_that_is_cited_has_its_number_in_the_list() -> None:
    anchors = re.findall(r'<a id="(F\d+)"></a>', (ROOT / "ARCHITECTURE.md").read_text())
    assert anchors == [f"F{number}" for number in range(1, len(anchors) + 1)]
    missing = [
        f"{path.relative_to(ROOT)}: {fact}"
        for path in text_files()
        for fact in CITED.findall(path.read_text())
        if fact not in anchors
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    text = (ROOT / document).read_text()
    missing = []
    for name, test in NAMED.findall(text) if document in WITH_PATHS else ():
        found = [base / name for base in (ROOT, ROOT / "fluxstate_tui") if (base / name).exists()]
        if not found:
            missing.append(name)
        elif test and not re.search(rf"^(async )?def {test}\(", found[0].read_text(), re.M):
            missing.append(f"{name}::{test}")
    for target, anchor in LINKED.findall(text):
        if target.startswith("https://"):
            continue
        found_at = (ROOT / document).parent / target
        if not found_at.exists():
            missing.append(target)
        elif anchor and anchor not in anchors_of(found_at.read_text()):
            missing.append(f"{target}#{anchor}")
    assert missing == []


def anchors_of(text: str) -> set[str]:
    """The anchors of a Markdown file as GitHub makes them, and those written as HTML."""
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    made = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    return made | set(re.findall(r'<a id="([\w-]+)">', text))


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=!~;\[ ]", line)[0].lower() for line in project["dependencies"]}
    distributions = {"yaml": "pyyaml"}
    imported = {
        name.partition(".")[0]
        for path in (ROOT / "fluxstate_tui").rglob("*.py")
        for name in imports_of(path)
    }
    foreign = imported - sys.stdlib_module_names - {"fluxstate_tui", "flux"}
    assert {distributions.get(name, name) for name in foreign} <= declared


def imports_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
    return found
