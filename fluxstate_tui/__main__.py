"""`python -m fluxstate_tui` is the same as the installed program."""

from __future__ import annotations

from fluxstate_tui.cli.main import entry

if __name__ == "__main__":
    entry()
