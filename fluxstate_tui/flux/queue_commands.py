"""`flux queue stop|start|enable|disable` as the flux-core at hand understands it.

Since 0.73 (its commit fe52e4b70; tried on 0.66 and 0.88) a queue is a plain argument and the reason
comes after -m; before, a queue is named by -q, and what is left over is the reason. One command
takes one queue, or all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLAIN_NAMES = [0, 73]


def queue_commands(
    version: str, action: str, names: Sequence[str], reason: str = ""
) -> list[list[str]]:
    """The words after `flux`, one list per command. No names, or only '', are all queues."""
    named = [name for name in names if name]
    numbers = [int(part) for part in re.findall(r"\d+", version)[:2]]
    if not numbers or numbers >= _PLAIN_NAMES:
        why = ["-m", reason] if reason else []
        return [["queue", action, *why, name] for name in named or ["--all"]]
    ending = [reason] if reason else []
    each = [["-q", name] for name in named] or [["--all"]]
    return [["queue", action, *which, *ending] for which in each]
