"""Themes are YAML files; a wrong one is explained and left out, never a crash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from textual.color import Color, ColorParseError
from textual.theme import Theme

import fluxstate_tui

DEFAULT_THEME: Final = "flux-dark"
COLORS: Final = (
    "primary",
    "secondary",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "success",
    "warning",
    "error",
)
# What our stylesheets use beyond Textual's own variables, with the values for foreign themes.
VARIABLES: Final = {
    "state-ok": "ansi_green",
    "state-busy": "ansi_blue",
    "state-wait": "ansi_magenta",
    "state-warn": "ansi_yellow",
    "state-bad": "ansi_red",
    "muted": "#909090",
    "rule": "#606060",
    "cursor": "#304050",
    "cursor-blurred": "#303030",
}


_SIMPLE = re.compile(r'(  )?([a-z-]+):(?: "(#[0-9a-f]{6})"| ([a-z]+(?:-[a-z]+)*))?')


class ThemeError(ValueError):
    """A theme file that cannot be used; the message names the file, the place and the cure."""


def theme_folder() -> Path:
    """Where our themes lie: inside the package in a wheel, at the top level in a checkout."""
    package = Path(fluxstate_tui.__file__).parent
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def load_theme(path: Path) -> Theme:
    """Read one theme file. Raises ThemeError with a sentence for the user."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ThemeError(f"{path.name} cannot be read: {_first_line(error)}") from error
    data = _read_simple(text)
    if data is None:
        data = _read_yaml(path, text)
    if not isinstance(data, dict):
        raise ThemeError(f"{path.name} is not a mapping with name, dark, colors and variables.")
    _no_unknown(path, data, ("name", "dark", "colors", "variables"), "key")
    colors = _colors(path, data.get("colors"), "colors", COLORS)
    variables = _colors(path, data.get("variables"), "variables", tuple(VARIABLES))
    name, dark = data.get("name", path.stem), data.get("dark", True)
    if not isinstance(name, str) or not isinstance(dark, bool):
        raise ThemeError(f"{path.name}: name must be a text and dark true or false.")
    return Theme(name=name, dark=dark, variables=variables, **colors)


def load_themes(folder: Path) -> Iterator[Theme | ThemeError]:
    """Every theme of a folder, and for each wrong one the error instead."""
    for path in sorted(folder.glob("*.yaml")):
        try:
            yield load_theme(path)
        except ThemeError as error:
            yield error


def _read_simple(text: str) -> dict[str, Any] | None:
    """A theme as our own files write it, None for any other YAML.

    It saves PyYAML's 30 ms of CPU before the first paint.
    """
    data: dict[str, Any] = {}
    block: dict[str, Any] = data
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _SIMPLE.fullmatch(line)
        if match is None:
            return None
        indent, name, color, word = match.groups()
        if not indent and not color and not word:
            block = data[name] = {}
        elif bool(indent) == (block is data):
            return None
        else:
            block[name] = color or {"true": True, "false": False}.get(word, word)
    return data


def _read_yaml(path: Path, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ThemeError(f"{path.name} cannot be read: {_first_line(error)}") from error


def _colors(path: Path, given: Any, where: str, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ThemeError(f"{path.name}: {where} is missing.")
    _no_unknown(path, given, names, f"name under {where}")
    missing = [name for name in names if name not in given]
    if missing:
        raise ThemeError(f"{path.name}: {where} lacks {', '.join(missing)}.")
    for name, value in given.items():
        try:
            Color.parse(str(value))
        except ColorParseError as error:
            raise ThemeError(f"{path.name}: {name}: {value!r} is no colour.") from error
    return {str(name): str(value) for name, value in given.items()}


def _no_unknown(path: Path, given: dict[Any, Any], known: tuple[str, ...], what: str) -> None:
    for name in given:
        if name not in known:
            raise ThemeError(f"{path.name}: unknown {what} '{name}'. Known: {', '.join(known)}.")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
