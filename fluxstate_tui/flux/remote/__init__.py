"""The program that runs in the lead container, under its own `flux python` (Python >= 3.6).

The modules of this folder need the standard library and Flux's Python bindings, nothing else.
They are sent to the container as they stand: a constant bootstrap travels as the argument of
`flux python -u -c` and reads them from stdin as one line of JSON. (Not as an argument: exec puts
arguments into the URL, and proxies refuse long ones.) After that stdin carries requests, one JSON
object per line, and stdout what the program sees and replies; it ends when stdin closes.
"""

from __future__ import annotations

import json
from importlib.resources import files

MODULES = ("output", "request", "queues", "jobs", "kvs", "filework", "table", "watch", "program")
"""In the order in which they are loaded: each needs only those before it."""

BOOTSTRAP = """\
import json, sys, types
for name, text in json.loads(sys.stdin.buffer.raw.readline().decode("utf-8")):
    package, _, leaf = name.rpartition(".")
    module = sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules.setdefault(package, types.ModuleType(package)), leaf, module)
    exec(compile(text, name, "exec"), module.__dict__)
sys.exit(module.main())
"""
"""Raw, so that nothing of the requests behind that line ends up in Python's own buffer."""


def program_line() -> bytes:
    """The modules as the one line that the bootstrap reads."""
    folder = files(__name__)
    texts = [
        (f"{__name__}.{name}", folder.joinpath(f"{name}.py").read_text("utf-8")) for name in MODULES
    ]
    return json.dumps(texts).encode("ascii") + b"\n"
