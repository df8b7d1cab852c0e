"""Themes are TOML files; a wrong one is explained and left out, never a crash.

TOML because its reader is in the standard library and quick: a theme is read before the first
paint, and importing PyYAML alone takes 30 ms of CPU.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rich.style import Style
from textual.color import Color, ColorParseError
from textual.theme import Theme

# The style of every screen but the first, which is painted before this is read.
INNER_CSS: Final = Path(__file__).parent / "screens" / "inner.tcss"


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


class ThemeError(ValueError):
    """A theme file that cannot be used; the message names the file, the place and the cure."""


def theme_folder() -> Path:
    """Where our themes lie: inside the package in a wheel, at the top level in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def load_theme(path: Path) -> Theme:
    """Read one theme file. Raises ThemeError with a sentence for the user."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise ThemeError(f"{path.name} cannot be read: {_first_line(error)}") from error
    _no_unknown(path, data, ("name", "dark", "colors", "variables"), "key")
    colors = _colors(path, data.get("colors"), "colors", COLORS)
    variables = _colors(path, data.get("variables"), "variables", tuple(VARIABLES))
    name, dark = data.get("name", path.stem), data.get("dark", True)
    if not isinstance(name, str) or not isinstance(dark, bool):
        raise ThemeError(f"{path.name}: name must be a text and dark true or false.")
    return Theme(name=name, dark=dark, variables=variables, **colors)


def load_themes(folder: Path) -> Iterator[Theme | ThemeError]:
    """Every theme of a folder, and for each wrong one the error instead."""
    for path in sorted(folder.glob("*.toml")):
        try:
            yield load_theme(path)
        except ThemeError as error:
            yield error


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


# Tones: what a colour means. Each is a theme variable, so every theme decides how it looks.

VARIABLE: Final = {
    "ok": "state-ok",
    "busy": "state-busy",
    "wait": "state-wait",
    "warn": "state-warn",
    "bad": "state-bad",
    "off": "muted",
    "header": "muted",
    "plain": "foreground",
    "strong": "foreground",
    "accent": "accent",
    "rule": "rule",
    "mark": "accent",
}
BOLD: Final = ("strong", "header", "mark", "cursor")
GROUNDS: Final = ("cursor", "cursor-blurred")


def color(tone: str) -> str:
    """The style of a tone for styled text (Content), as a theme variable."""
    return f"${VARIABLE[tone]} bold" if tone in BOLD else f"${VARIABLE[tone]}"


def tone_style(tone: str, variables: Mapping[str, str]) -> Style:
    """The style of a tone for a line of segments. `variables` are the theme's.

    Grids use this instead of component classes: a dozen of those for each grid cost 30 ms of CPU
    before the first paint.
    """
    if tone in GROUNDS:
        ground = Color.parse(variables[tone]).rich_color
        return Style(bgcolor=ground, bold=True if tone in BOLD else None)
    ink = Color.parse(variables[VARIABLE[tone]]).rich_color
    return Style(color=ink, bold=True if tone in BOLD else None)
