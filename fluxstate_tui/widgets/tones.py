"""Tones: what a colour means. Each is a theme variable, so every theme decides how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.style import Style
from textual.color import Color

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
