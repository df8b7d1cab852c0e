"""Numbers on the command line: one that makes no sense is refused in words."""

from __future__ import annotations

import argparse
import math

_DIGITS = 6  # no cluster has a million nodes, and no queue takes a million jobs at once


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {10**_DIGITS}")
    return int(text)


def seconds(text: str) -> float:
    """`90`, `90s`, `30m`, `12h`, `14d` or `2w`."""
    from fluxstate_tui.config import span

    try:
        return span(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not {error}") from None


def factor(text: str) -> float:
    """A number greater than 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number greater than 0")
    return value
