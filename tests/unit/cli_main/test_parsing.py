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


@pytest.mark.parametrize(
    "line",
    [
        "save --wait nan",
        "save --wait -1",
        "save a b --parallel 0",
        "save --wait-for-lock inf",
        "migrate --size 0",
        "restore --size two",
        "restore --timeout nan",
        "submit a -t -5 -- true",
        "submit a --count 99999999 -- true",
        "submit a -n 0 -- true",
        "archives prune a --keep-last 0",
        "archives prune a --keep-within soon",
        "archive preview f --size ²",
        "log --last -1",
        "sim serve --speed nan",
        "--request-timeout nan get pods",
        "--demo-speed 0 get pods",
    ],
)
def test_a_number_that_makes_no_sense_is_refused_in_words(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parse(line.split())
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert " is not a" in said
    assert "invalid _" not in said


def test_times_may_have_a_unit() -> None:
    assert parse(["save", "--wait", "10m"]).wait == 600.0
    assert parse(["migrate", "--size", "3", "--timeout", "0"]).timeout == 0.0


@pytest.mark.parametrize("command", ["restore", "migrate"])
def test_the_help_writes_minicluster_as_flux_does(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse([command, "--help"])
    assert " minicluster " not in capsys.readouterr().out
