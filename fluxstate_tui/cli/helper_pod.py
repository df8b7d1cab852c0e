"""Whether a helper pod may be started: said by a flag, by the configuration, or when asked."""

from __future__ import annotations

import argparse
import sys

from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.cli.asking import ask, asks
from fluxstate_tui.cli.options import configuration
from fluxstate_tui.formatting import plain


def helper_pod_agreed(args: argparse.Namespace) -> bool:
    """Before anybody is asked."""
    return bool(vars(args).get("yes")) or configuration().helper_pod.always


def require_helper_pod(needed: HelperPodNeededError) -> None:
    """Ask. Raises HelperPodNeededError again when nobody is there, or says no."""
    if not asks():
        raise needed
    print(f"Only a helper pod can read the archives: {plain(needed.pod)}.", file=sys.stderr)
    if ask("Start it? [y/N] ").lower() not in ("y", "yes"):
        raise needed
