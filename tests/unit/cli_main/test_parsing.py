"""Words and flags of the command line may stand in any order, as kubectl's may."""

from __future__ import annotations

import pytest

from fluxstate_tui.cli.main import parse


@pytest.mark.parametrize(
    "line",
    [
        "get jobs flux-sample -a",
        "get jobs -a flux-sample",
        "get -a jobs flux-sample",
        "-n default get jobs -a flux-sample",
    ],
)
def test_the_name_may_stand_before_or_after_a_flag(line: str) -> None:
    args = parse(line.split())
    assert (args.what, args.name, args.all) == ("jobs", "flux-sample", True)


@pytest.mark.parametrize(
    "line", ["get jobs -a one two", "get jobs one -a two", "pause --yes one two", "get jobs -a -x"]
)
def test_a_word_too_many_is_a_usage_error(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(line.split())
    assert end.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err
