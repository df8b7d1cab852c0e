"""Tables on the command line."""

from __future__ import annotations

from fluxstate_tui.cli.tables import table


def test_one_endless_name_does_not_push_the_others_out_of_sight() -> None:
    text = table(("NAME", "STATE", "WHY"), [("x" * 3000, "RUN", "y" * 200), ("sleep", "RUN", "")])
    first, long, short = text.splitlines()
    assert first.index("STATE") == long.index("RUN") == short.index("RUN") < 80
    assert long.endswith("y" * 200)
