"""Tables on the command line."""

from __future__ import annotations

import msgspec

from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.render import jobs_table
from fluxstate_tui.cli.tables import table
from tests.unit.archive import given


def test_one_endless_name_does_not_push_the_others_out_of_sight() -> None:
    text = table(("NAME", "STATE", "WHY"), [("x" * 3000, "RUN", "y" * 200), ("sleep", "RUN", "")])
    first, long, short = text.splitlines()
    assert first.index("STATE") == long.index("RUN") == short.index("RUN") < 80
    assert long.endswith("y" * 200)


def test_jobs_of_an_archive_are_cut_as_those_of_a_queue() -> None:
    archive = read_archive(given.path("mixed"))
    one, *others = archive.jobs
    endless = msgspec.structs.replace(one, job=msgspec.structs.replace(one.job, name="x" * 3000))
    first, *lines = jobs_table(archive, [endless, *others])
    assert "x" * 63 + "…" in "\n".join(lines)
    assert first.index("STATUS") < 100
    assert max(map(len, lines)) < 160
