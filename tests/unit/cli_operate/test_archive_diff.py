"""`archive diff FILE --with NAME`: what became of saved jobs in the live queue since."""

from __future__ import annotations

from fluxstate_tui.errors import ExitCode
from tests.faults.stage import FOLDER
from tests.unit.cli_operate.conftest import Program


async def test_an_archive_is_compared_with_the_live_queue(program: Program) -> None:
    held = program.stage.submit
    same, changed = await held("--urgency=hold", "true"), await held("--urgency=hold", "true")
    assert (await program("save", "flux-sample", "--json")).code == 0
    (name,) = [name for name in program.stage.finished() if name.endswith(".tar.gz")]
    file = program.folder / name
    file.write_bytes(program.stage.volume.read(f"{FOLDER}/{name}"))

    unchanged = await program("archive", "diff", str(file), "--with", "flux-sample", "--json")
    assert unchanged.code == 0, unchanged
    assert unchanged.json == {"only_a": [], "only_b": [], "changed": [], "unchanged": 2}

    await program.stage.flux("job", "urgency", str(changed), "20")
    new = await held("--urgency=hold", "true")
    found = await program("archive", "diff", str(file), "--with", "flux-sample", "--json")
    assert found.code == 0, found
    assert found.json["only_a"] == []
    assert [job["id"] for job in found.json["only_b"]] == [new]
    assert found.json["unchanged"] == 1
    (change,) = found.json["changed"]
    assert change["id"] == changed != same
    fields = {field["name"]: (field["before"], field["after"]) for field in change["fields"]}
    assert fields["urgency"] == (0, 20)

    missing = await program("archive", "diff", str(file), "--with", "nosuch")
    assert missing.code == ExitCode.NOT_FOUND
    both = await program("archive", "diff", str(file), str(file), "--with", "flux-sample")
    assert both.code == ExitCode.USAGE
