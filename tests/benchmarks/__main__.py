"""Run every benchmark, or the ones named: `python -m tests.benchmarks [startup grid archive]`.

Each module has a `main()` that prints figures together with a reference from the same run, for
this machine is noisy: only the ratios mean something. Nothing here is asserted.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.benchmarks


def main() -> None:
    """Run the benchmarks named on the command line, else all."""
    found = [m.name for m in pkgutil.iter_modules(tests.benchmarks.__path__)]
    names = sys.argv[1:] or sorted(n for n in found if not n.startswith("_"))
    for name in names:
        print(f"== {name}", flush=True)
        importlib.import_module(f"tests.benchmarks.{name}").main()
        print()


if __name__ == "__main__":
    main()
