"""`python -m fluxstate_tui` is the same as the installed program."""

from fluxstate_tui.cli.main import entry

if __name__ == "__main__":
    entry()
