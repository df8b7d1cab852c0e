"""The source of the simulation has no way to start a process or an interpreter, nor to a file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fluxstate_tui.sim

FOLDER = Path(fluxstate_tui.sim.__file__).parent
SOURCES = sorted(FOLDER.rglob("*.py"))

MODULES = frozenset(
    {
        *("_ctypes", "_posixsubprocess", "_winapi", "builtins", "cffi", "code", "codeop"),
        *("cProfile", "concurrent", "ctypes", "dbm", "dill", "doctest", "fcntl", "gc"),
        *("imp", "importlib", "inspect", "mmap", "multiprocessing", "nt", "pdb"),
        *("pickle", "pkgutil", "posix", "profile", "pty", "pyclbr", "runpy", "shelve"),
        *("site", "subprocess", "sys", "timeit", "trace", "venv", "webbrowser", "zipapp"),
        "zipimport",
    }
)
"""Modules by which Python starts a process, an interpreter, or code that is not its own."""

FILES = frozenset({"aiofiles", "fileinput", "glob", "linecache", "shutil", "tempfile"})
"""Modules by which it reaches the files of this computer."""

NAMES = frozenset(
    {
        *("__builtins__", "__import__", "breakpoint", "compile", "delattr", "eval", "exec"),
        *("globals", "locals", "open", "setattr", "vars"),
    }
)
ATTRIBUTES = frozenset(
    {
        *("__builtins__", "__code__", "__globals__", "__import__", "__loader__", "__subclasses__"),
        *("create_subprocess_exec", "create_subprocess_shell", "subprocess_exec"),
        *("subprocess_shell", "run_module", "run_path", "exec_module", "unsafe_load"),
        *("full_load", "load_all", "FunctionType", "CodeType"),
    }
)
NEEDED = {
    "os": {"strerror"},
    "signal": {"Signals", "strsignal"},
    "marshal": {"dumps", "loads"},
    "yaml": {"safe_dump", "safe_load", "YAMLError"},
}
"""All that the simulation needs of these: words for an errno, names of signals, fast copies of
objects of its own (a code object that nothing can call is no way out), and plain data.
"""

KUBECONFIG = "server.py"
"""The one file that writes on this computer, and only the kubeconfig that its user asks for."""


def modules(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield str(node.module)


def faults(text: str, name: str = "") -> list[str]:
    """Each way out of the simulation that a source has."""
    found = []
    for node in ast.walk(ast.parse(text)):
        for module in modules(node):
            root = module.partition(".")[0]
            if root in MODULES | FILES or (root in ("pathlib", "io") and name != KUBECONFIG):
                found.append(f"line {node.lineno}: import {module}")  # type: ignore[attr-defined]
        if isinstance(node, ast.ImportFrom) and node.module in NEEDED:
            found.append(f"line {node.lineno}: names out of {node.module}")
        if isinstance(node, ast.Import):
            found += [f"line {node.lineno}: {a.name} as {a.asname}" for a in node.names
                      if a.name in NEEDED and a.asname]  # fmt: skip
        if isinstance(node, ast.Name) and node.id in NAMES:
            found.append(f"line {node.lineno}: {node.id}")
        if isinstance(node, ast.Attribute):
            if node.attr in ATTRIBUTES:
                found.append(f"line {node.lineno}: .{node.attr}")
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner in NEEDED and node.attr not in NEEDED[owner]:
                found.append(f"line {node.lineno}: {owner}.{node.attr}")
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_file_of_the_simulation_can_start_anything_or_open_a_file(source: Path) -> None:
    assert not faults(source.read_text("utf-8"), str(source.relative_to(FOLDER)))


def source_of(module: str) -> Path | None:
    """The file of one of our own modules."""
    place = FOLDER.parent.parent.joinpath(*module.split("."))
    if place.is_dir():
        return place / "__init__.py"
    return place.with_suffix(".py") if place.with_suffix(".py").is_file() else None


FRONT_DOOR = FOLDER.parent / "__init__.py"
"""It imports the public Python API for whoever asks it by one of its names: see the last test."""


def reached() -> set[Path]:
    """All of our own files that the simulation imports, and what these import."""
    found: set[Path] = {FRONT_DOOR}
    todo = list(SOURCES)
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [f"{node.module}.{a.name}" for a in node.names] if isinstance(
                node, ast.ImportFrom) else []  # fmt: skip
            for name in (*modules(node), *names):
                other = source_of(name) if name.startswith("fluxstate_tui") else None
                todo += [] if other is None else [other]
    return found


def test_what_it_shares_with_the_live_path_can_start_nothing_either() -> None:
    shared = reached() - set(SOURCES)
    assert len(shared) > 10
    for path in shared:
        tree = ast.parse(path.read_text("utf-8"))
        imported = {name for node in ast.walk(tree) for name in modules(node)}
        called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        roots = {name.partition(".")[0] for name in imported - {"importlib.resources"}}
        assert not roots & (MODULES - {"gc", "sys", "concurrent"}), path
        assert not called & {"eval", "exec", "compile", "__import__"}, path


@pytest.mark.parametrize(
    "way",
    [
        "import subprocess",
        "from subprocess import run",
        "import multiprocessing.context as c",
        "import os\nos.system('x')",
        "import os\nos.execv('x', [])",
        "import os\nos.posix_spawn('x', [], {})",
        "import os as safe",
        "from os import popen",
        "import asyncio\nasyncio.create_subprocess_exec('x')",
        "loop.subprocess_shell(None, 'x')",
        "eval('1')",
        "run = exec",
        "compile('1', '', 'eval')",
        "__import__('os')",
        "import importlib",
        "from importlib import import_module",
        "import pickle",
        "import ctypes",
        "import pty",
        "import runpy",
        "import sys",
        "import builtins",
        "f.__globals__",
        "().__class__.__base__.__subclasses__()",
        "open('/etc/passwd')",
        "from pathlib import Path",
        "import io",
        "import tempfile",
        "import yaml\nyaml.load('x', yaml.Loader)",
    ],
)
def test_each_such_way_would_be_seen(way: str) -> None:
    assert faults(way)


def test_the_simulation_ships_nothing_but_python_that_was_looked_at() -> None:
    others = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".py"]
    assert not [path for path in others if "__pycache__" not in path.parts]
    assert len(SOURCES) > 90


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_the_simulation_asks_the_package_for_nothing_but_its_version(source: Path) -> None:
    tree = ast.parse(source.read_text("utf-8"))
    asked = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "fluxstate_tui"
        for alias in node.names
    }
    assert asked <= {"__version__"} | {path.stem for path in FOLDER.parent.iterdir()} - {"api"}
    plain = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    assert "fluxstate_tui" not in plain
