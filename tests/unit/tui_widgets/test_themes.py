"""Themes can be read: by people (contrast) and by the loader (mistakes explained)."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

from fluxstate_tui.tui.theme import (
    COLORS,
    DEFAULT_THEME,
    VARIABLES,
    ThemeError,
    load_theme,
    load_themes,
    theme_folder,
)

PATHS = sorted(theme_folder().glob("*.toml"))
INKS = ("state-ok", "state-busy", "state-wait", "state-warn", "state-bad", "muted")
GROUNDS = ("background", "surface", "panel", "cursor", "cursor-blurred")


def contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast ratio, 1 to 21."""

    def luminance(color: str) -> float:
        channels = [value / 255 for value in Color.parse(color).rgb]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def colors_of(path: Path) -> dict[str, str]:
    theme = load_theme(path)
    plain = {name: str(getattr(theme, name)) for name in COLORS}
    return plain | theme.variables


def test_there_are_the_four_themes() -> None:
    names = {path.stem for path in PATHS}
    assert {"flux-dark", "flux-light", "high-contrast", "flux-colorblind"} <= names
    assert DEFAULT_THEME in names


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_ink_can_be_read_on_every_ground(path: Path) -> None:
    colors = colors_of(path)
    inks = ("foreground", "accent", "success", "warning", "error", *INKS)
    poor = {
        f"{ink} on {ground}": round(contrast(colors[ink], colors[ground]), 2)
        for ink, ground in product(inks, GROUNDS)
        if contrast(colors[ink], colors[ground]) < 4.5
    }
    assert poor == {}


def test_the_high_contrast_theme_has_seven_to_one() -> None:
    colors = colors_of(theme_folder() / "high-contrast.toml")
    assert min(contrast(colors[ink], colors["background"]) for ink in ("foreground", *INKS)) >= 7


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_theme_is_called_as_its_file(path: Path) -> None:
    assert load_theme(path).name == path.stem


@pytest.mark.parametrize(
    ("edit", "explanation"),
    [
        (lambda text: "name = [", "cannot be read"),
        (lambda text: "", "colors is missing"),
        (lambda text: 'font = "big"\n' + text, "unknown key 'font'"),
        (lambda text: text.replace("state-ok", "state-okay"), "state-okay"),
        (lambda text: text.replace('"#10151c"', '"blackish"'), "'blackish' is no colour"),
        (lambda text: text.replace("\naccent =", "\n# accent ="), "lacks accent"),
        (lambda text: text.replace("dark = true", 'dark = "maybe"'), "true or false"),
        (lambda text: text.split("[variables]")[0], "variables is missing"),
    ],
)
def test_a_wrong_theme_is_explained(tmp_path: Path, edit: object, explanation: str) -> None:
    assert callable(edit)
    good = (theme_folder() / "flux-dark.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(edit(good), encoding="utf-8")
    with pytest.raises(ThemeError, match=r"mine\.toml") as error:
        load_theme(path)
    assert explanation in str(error.value)


def test_a_wrong_theme_does_not_take_the_good_ones_away(tmp_path: Path) -> None:
    good = (theme_folder() / "flux-dark.toml").read_text(encoding="utf-8")
    (tmp_path / "a.toml").write_text("\x00", encoding="utf-8")
    (tmp_path / "b.toml").write_text(good, encoding="utf-8")
    kinds = [type(found) for found in load_themes(tmp_path)]
    assert kinds == [ThemeError, Theme]


def test_every_variable_has_a_value_for_themes_of_others() -> None:
    assert set(VARIABLES) == set(load_theme(PATHS[0]).variables)
