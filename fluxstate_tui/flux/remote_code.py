"""The code that is sent to a lead container, as it goes out: nothing else of ours runs there.

It is here, beside what both know, because the simulation recognises it by these very bytes.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

BOOTSTRAP = """\
import json, sys
text = json.loads(sys.stdin.buffer.raw.readline().decode("ascii"))
exec(compile(text, "remote_program.py", "exec"))
"""
"""Reads the program as one line, for arguments are part of a URL, and proxies refuse long ones.
Raw, so that nothing of the requests behind that line ends up in Python's own buffer."""

ARGUMENTS = ("python", "-u", "-c", BOOTSTRAP)
"""What `flux` is called with."""


@cache
def program_line() -> bytes:
    """The remote program as the line that the bootstrap reads."""
    text = files("fluxstate_tui.flux").joinpath("remote_program.py").read_text("utf-8")
    return json.dumps(text).encode("ascii") + b"\n"
